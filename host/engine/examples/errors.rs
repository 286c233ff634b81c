//! Writes the reference of error codes: `cargo run -p gridbell-engine --example errors`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/ERRORS.md");
    std::fs::write(path, gridbell_engine::error_reference())?;
    println!("wrote wit/ERRORS.md");
    Ok(())
}
