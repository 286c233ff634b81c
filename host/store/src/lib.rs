//! Durable ordered key-value store with atomic batches and group commit; the only crate that knows sled.
