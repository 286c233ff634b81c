//! Policies, schedules, guardrails and templates: what a decision becomes. Pure: no I/O.
