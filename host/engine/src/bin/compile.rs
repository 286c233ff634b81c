//! The compiler's process on its own: what `gridbell` does under its hidden subcommand, for tests and benchmarks of this crate.

fn main() -> std::process::ExitCode {
    gridbell_engine::child_main()
}
