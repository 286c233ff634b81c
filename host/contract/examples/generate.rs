//! Writes every file that is made from the registry: `cargo run -p gridbell-contract --example generate`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in gridbell_contract::generated(gridbell_contract::Registry::get()) {
        let path = top.join(file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(file.text.as_str()) {
            std::fs::write(&path, file.text)?;
            println!("wrote {}", file.path);
        }
    }
    Ok(())
}
