//! The certifier's process on its own, and with `compile` the compiler's: what `gridbell` does under its hidden subcommands, for this crate's tests.

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).is_some_and(|arg| arg == "compile") {
        return gridbell_engine::child_main();
    }
    gridbell_certify::child_main()
}
