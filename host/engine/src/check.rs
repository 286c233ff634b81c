//! Reads an upload fully before anything is made of it: size, shape, validity, imports, and that it is a policy. Never runs or compiles it.

use wasmparser::component_types::ComponentEntityType;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::artifact::Digest;
use crate::encode;
use crate::error::Refusal;
use crate::fault::sanitise;
use crate::limits::{MAX_FUNCTIONS, MAX_MODULES, MAX_NESTING, MAX_SECTIONS, MAX_UPLOAD_BYTES};
use crate::shape;

/// What was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadKind {
    /// A component.
    Component,
    /// A core module, which the host made a component.
    Module,
}

/// An upload that is a policy as far as reading it can tell.
#[derive(Debug, Clone)]
pub struct Checked {
    kind: UploadKind,
    digest: Digest,
    component: Vec<u8>,
}

impl Checked {
    /// What was uploaded.
    #[must_use]
    pub fn kind(&self) -> UploadKind {
        self.kind
    }

    /// SHA-256 of the upload as it came, which its author can compute too.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component to compile.
    #[must_use]
    pub fn component(&self) -> &[u8] {
        &self.component
    }
}

/// The proposals that a plugin may use: what is standard and deterministic, as the engine is configured. No threads, no garbage collection,
/// no exceptions, no 64-bit memories; relaxed SIMD is allowed because the engine makes it deterministic.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::FLOATS
        | WasmFeatures::SIMD
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::COMPONENT_MODEL
}

/// Checks an upload and makes it a component if it is a core module.
///
/// # Errors
/// A [`Refusal`] that says what is wrong and what its author can do.
pub fn check(bytes: &[u8]) -> Result<Checked, Refusal> {
    if bytes.len() > MAX_UPLOAD_BYTES {
        return Err(Refusal::TooLarge { bytes: bytes.len(), limit: MAX_UPLOAD_BYTES });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    let kind = bound_effort(bytes)?;
    let mut validator = Validator::new_with_features(features());
    let types = validator.validate_all(bytes).map_err(invalid)?;
    drop(types);
    let component = match kind {
        UploadKind::Component => bytes.to_vec(),
        UploadKind::Module => encode::component(bytes)?,
    };
    check_component(&component)?;
    Ok(Checked { kind, digest: Digest::of(bytes), component })
}

fn invalid(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Invalid { offset: error.offset() as u64, detail: sanitise(error.message()) }
}

/// Walks over the sections without looking into them, and stops at what no policy needs.
fn bound_effort(bytes: &[u8]) -> Result<UploadKind, Refusal> {
    let (mut kind, mut depth, mut modules, mut sections, mut functions) = (None, 0_usize, 0_usize, 0_usize, 0_usize);
    let at_most = |n: usize, limit: usize, what: &str| {
        if n > limit { Err(Refusal::TooMany { what: what.to_owned(), limit }) } else { Ok(()) }
    };
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(invalid)?;
        match &payload {
            Payload::Version { encoding, .. } => {
                depth += 1;
                at_most(depth, MAX_NESTING, "components nested in each other")?;
                match encoding {
                    Encoding::Component => kind = kind.or(Some(UploadKind::Component)),
                    Encoding::Module => {
                        modules += 1;
                        at_most(modules, MAX_MODULES, "core modules")?;
                        kind = kind.or(Some(UploadKind::Module));
                    }
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::FunctionSection(reader) => {
                functions = functions.saturating_add(reader.count() as usize);
                at_most(functions, MAX_FUNCTIONS, "functions")?;
            }
            _ => {}
        }
        // Bodies are counted as functions.
        if !matches!(payload, Payload::CodeSectionEntry(_)) {
            sections += 1;
            at_most(sections, MAX_SECTIONS, "sections")?;
        }
    }
    kind.ok_or(Refusal::NotWasm)
}

/// That `component` imports nothing and exports the contract's interface with the contract's types.
fn check_component(component: &[u8]) -> Result<(), Refusal> {
    let mut validator = Validator::new_with_features(features());
    let types = validator.validate_all(component).map_err(invalid)?;
    let types = types.as_ref();
    let (mut exports, mut depth) = (Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(reader) if depth == 1 => {
                for import in reader {
                    let name = import.map_err(invalid)?.name.name;
                    // A type imported by equality brings nothing in; anything else would be called or read.
                    let brings = !matches!(
                        types.component_item_for_import(name).map(|i| &i.ty),
                        Some(ComponentEntityType::Type { .. })
                    );
                    if brings && !shape::is_types_only(types, name) {
                        return Err(imports(name, None));
                    }
                }
            }
            Payload::ComponentExportSection(reader) if depth == 1 => {
                for export in reader {
                    exports.push(export.map_err(invalid)?.name.name);
                }
            }
            _ => {}
        }
    }
    shape::check(types, &exports)
}

/// The refusal of an import, with what usually removes it.
pub(crate) fn imports(module: &str, name: Option<&str>) -> Refusal {
    let import = sanitise(&name.map_or_else(|| module.to_owned(), |n| format!("{module}.{n}")));
    let advice = if module.starts_with("wasi") {
        "for Rust build with `--target wasm32-unknown-unknown` instead of a wasi target; for C avoid printf, files and time; with jco add \
         `--backend-qjs-stub-wasi` (or `--disable all`), with componentize-py `--stub-wasi`"
    } else if module == "env" {
        "a symbol is declared and not defined: link what defines it, or remove the use; for AssemblyScript add `--use abort=`"
    } else {
        "build against the world `policy`, which has no imports"
    };
    Refusal::Imports { import, advice: advice.to_owned() }
}
