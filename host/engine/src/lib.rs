//! Runs policy plugins; the only crate that knows wasmtime.
