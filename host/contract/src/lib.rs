//! The policy contract as the host sees it: registry of columns, triggers and facts, manifest, generators for docs and SDK.
