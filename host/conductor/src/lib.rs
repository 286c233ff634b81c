//! Runs triggers through policy, guardrails, outbox and channels, in that one direction.
