//! A province's state: in-memory columns, journal, outbox and documents, durable before visible.
