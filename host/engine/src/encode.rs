//! Makes a core module a component of the contract's world, so that plugin authors need no tool for it. Never compiles or runs it.

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::check;
use crate::error::Refusal;
use crate::fault::sanitise;
use crate::versions::newest;

/// The component that `module` is, after naming any import that it has. Without a `component-type` section it is taken to speak the contract of this
/// host: the encoder would otherwise make it a component without any world, and call that success.
pub(crate) fn component(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut described = false;
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(not_encodable)? {
            Payload::ImportSection(imports) => {
                if let Some(import) = imports.into_imports().next() {
                    let import = import.map_err(not_encodable)?;
                    return Err(check::imports(import.module, Some(import.name)));
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => described = true,
            _ => {}
        }
    }
    let mut bytes = module.to_vec();
    // The encoder is written for the output of compilers; a hostile module that trips one of its assertions is refused like any other.
    let encoded = std::panic::catch_unwind(move || {
        if !described {
            let (resolve, world) = newest().parse()?;
            embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
                .map_err(|e| Refusal::NotEncodable { detail: sanitise(&format!("{e:#}")) })?;
        }
        ComponentEncoder::default()
            .validate(true)
            .module(&bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|e| Refusal::NotEncodable { detail: sanitise(&format!("{e:#}")) })
    });
    encoded.unwrap_or_else(|_| Err(Refusal::NotEncodable { detail: "the encoder gave up".to_owned() }))
}

fn not_encodable(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::NotEncodable { detail: sanitise(error.message()) }
}
