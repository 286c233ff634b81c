//! HTTP API, console, access and metrics; the only crate that knows axum.
