//! From a core module to a component.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::Result;

/// Writes the component of `core` to `out`.
pub(crate) fn componentize(wit: &str, core: &str, out: &str) -> Result<()> {
    let mut module = std::fs::read(core).map_err(|e| format!("{core}: {e}"))?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("policy"))?;
    // Without this section a module encodes into a component that exports nothing.
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let component = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    std::fs::write(out, component).map_err(|e| format!("{out}: {e}"))?;
    Ok(())
}
