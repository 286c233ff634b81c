//! The gridbell command.
fn main() {}
