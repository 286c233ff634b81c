//! Reads an upload fully before anything is made of it: size, shape, validity, imports, and that it is a policy. Never runs or compiles it.

use std::collections::BTreeMap;

use wasmparser::component_types::ComponentEntityType;
use wasmparser::{BinaryReaderError, Chunk, Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::artifact::Digest;
use crate::encode;
use crate::error::Refusal;
use crate::fault::sanitise;
use crate::inert;
use crate::initialise::is_reactor;
use crate::limits::{
    MAX_BODY_BYTES, MAX_CUSTOM_BYTES, MAX_EXPORTS, MAX_FUNCTIONS, MAX_ITEMS, MAX_MODULES, MAX_NESTING, MAX_SECTIONS,
    MAX_UPLOAD_BYTES,
};
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
    /// The module, if it has an initialisation to be run once.
    reactor: Option<Vec<u8>>,
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

    /// The module whose `_initialize` is to be run before it is compiled.
    pub(crate) fn reactor(&self) -> Option<&[u8]> {
        self.reactor.as_deref()
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
        // A component made of several has as many memories: one from JavaScript has two, and does not compile without this.
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::COMPONENT_MODEL
}

/// Checks an upload and makes it a component if it is a core module.
///
/// # Errors
/// A [`Refusal`] that says what is wrong and what its author can do.
pub fn check(bytes: &[u8]) -> Result<Checked, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > MAX_UPLOAD_BYTES {
        return Err(Refusal::TooLarge { bytes: bytes.len(), limit: MAX_UPLOAD_BYTES });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    let kind = bound_effort(bytes)?;
    let mut validator = Validator::new_with_features(features());
    let types = validator.validate_all(bytes).map_err(|e| unsound(bytes, &e))?;
    drop(types);
    let (component, reactor) = match kind {
        UploadKind::Component => (bytes.to_vec(), None),
        UploadKind::Module => {
            let own = inert::without_wasi(bytes)?;
            let module = own.as_deref().unwrap_or(bytes);
            (encode::component(module)?, is_reactor(module).then(|| module.to_vec()))
        }
    };
    check_component(&component)?;
    Ok(Checked { kind, digest: Digest::of(bytes), component, reactor })
}

/// Why `bytes` do not hold: broken off, or what no WebAssembly is.
fn invalid(bytes: &[u8], error: &BinaryReaderError) -> Refusal {
    let (offset, detail) = (error.offset() as u64, sanitise(error.message()));
    if is_cut_off(bytes) {
        return Refusal::Truncated { offset: bytes.len() as u64, detail };
    }
    Refusal::Invalid { offset, detail }
}

/// Why the validator does not take `bytes`: as [`invalid`], or what it would take with proposals that are off here.
fn unsound(bytes: &[u8], error: &BinaryReaderError) -> Refusal {
    match invalid(bytes, error) {
        Refusal::Invalid { offset, detail }
            if Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).is_ok() =>
        {
            Refusal::Feature { offset, detail }
        }
        other => other,
    }
}

/// Whether a section that was begun has more bytes than there are.
fn is_cut_off(bytes: &[u8]) -> bool {
    let (mut parser, mut around, mut rest) = (Parser::new(0), Vec::new(), bytes);
    while !(rest.is_empty() && around.is_empty()) {
        // Told that more may follow, the parser says where it wants more.
        let Ok(chunk) = parser.parse(rest, false) else { return false };
        let Chunk::Parsed { consumed, payload } = chunk else { return true };
        rest = rest.get(consumed..).unwrap_or_default();
        match payload {
            Payload::ModuleSection { parser: inner, .. } | Payload::ComponentSection { parser: inner, .. } => {
                around.push(std::mem::replace(&mut parser, inner));
            }
            Payload::End(_) => match around.pop() {
                Some(outer) => parser = outer,
                None => return false,
            },
            _ => {}
        }
    }
    false
}

/// Counts what is bounded over all modules and components of an upload.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn add(&mut self, n: usize, limit: usize, what: &'static str) -> Result<(), Refusal> {
        let sum = self.0.entry(what).or_default();
        *sum = sum.saturating_add(n);
        if *sum > limit { Err(Refusal::TooMany { what: what.to_owned(), limit }) } else { Ok(()) }
    }

    /// What a section says that it holds; nothing of it was read yet.
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        let (n, limit, what) = match payload {
            Payload::FunctionSection(r) => (r.count(), MAX_FUNCTIONS, "functions"),
            Payload::ExportSection(r) => (r.count(), MAX_EXPORTS, "exports"),
            Payload::ComponentExportSection(r) => (r.count(), MAX_EXPORTS, "exports"),
            Payload::TypeSection(r) => (r.count(), MAX_ITEMS, "types"),
            Payload::CoreTypeSection(r) => (r.count(), MAX_ITEMS, "types"),
            Payload::ComponentTypeSection(r) => (r.count(), MAX_ITEMS, "types"),
            Payload::ImportSection(r) => (r.count(), MAX_ITEMS, "imports"),
            Payload::ComponentImportSection(r) => (r.count(), MAX_ITEMS, "imports"),
            Payload::GlobalSection(r) => (r.count(), MAX_ITEMS, "globals"),
            Payload::ElementSection(r) => (r.count(), MAX_ITEMS, "element segments"),
            Payload::DataSection(r) => (r.count(), MAX_ITEMS, "data segments"),
            Payload::InstanceSection(r) => (r.count(), MAX_ITEMS, "instances"),
            Payload::ComponentInstanceSection(r) => (r.count(), MAX_ITEMS, "instances"),
            Payload::ComponentAliasSection(r) => (r.count(), MAX_ITEMS, "aliases"),
            Payload::ComponentCanonicalSection(r) => (r.count(), MAX_ITEMS, "canonical functions"),
            _ => return Ok(()),
        };
        self.add(n as usize, limit, what)
    }
}

/// Walks over the sections without looking into them, and stops at what no policy needs.
fn bound_effort(bytes: &[u8]) -> Result<UploadKind, Refusal> {
    let (mut kind, mut depth, mut tally) = (None, 0_usize, Tally::default());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| invalid(bytes, &e))?;
        match &payload {
            Payload::Version { encoding, .. } => {
                depth += 1;
                if depth > MAX_NESTING {
                    let what = "components nested in each other".to_owned();
                    return Err(Refusal::TooMany { what, limit: MAX_NESTING });
                }
                match encoding {
                    Encoding::Component => kind = kind.or(Some(UploadKind::Component)),
                    Encoding::Module => {
                        tally.add(1, MAX_MODULES, "core modules")?;
                        kind = kind.or(Some(UploadKind::Module));
                    }
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) if body.range().len() > MAX_BODY_BYTES => {
                return Err(Refusal::TooMany { what: "bytes in one function".to_owned(), limit: MAX_BODY_BYTES });
            }
            Payload::CustomSection(section) => {
                tally.add(section.data().len(), MAX_CUSTOM_BYTES, "bytes of names and debug information")?;
            }
            other => tally.section(other)?,
        }
        // Bodies are counted as functions.
        if !matches!(payload, Payload::CodeSectionEntry(_)) {
            tally.add(1, MAX_SECTIONS, "sections")?;
        }
    }
    kind.ok_or(Refusal::NotWasm)
}

/// That `component` imports nothing and exports the contract's interface with the contract's types.
fn check_component(component: &[u8]) -> Result<(), Refusal> {
    let mut validator = Validator::new_with_features(features());
    let invalid = |e: BinaryReaderError| invalid(component, &e);
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
         `--backend-qjs-stub-wasi` (or `--disable all`), with componentize-py `--stub-wasi`; for Go leave out files, sockets and processes: \
         the host stands in for what Go's own runtime imports, and for nothing else"
    } else if module == "env" {
        "a symbol is declared and not defined: link what defines it, or remove the use; for AssemblyScript add `--use abort=`"
    } else {
        "build against the world `policy`, which has no imports"
    };
    Refusal::Imports { import, advice: advice.to_owned() }
}
