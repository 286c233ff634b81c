//! Gives a Go module inert stand-ins for the WASI functions that Go's runtime imports, so that an author needs no tool and no flag.
//!
//! Go has no target without WASI: each of its modules imports a clock, randomness, arguments and a descriptor for panics. A policy must have none of
//! them, so each import becomes a function of the module's own that does nothing, the same each time: the clock stands still, random bytes are all
//! alike, every descriptor is bad (EBADF), and an exit or a wait traps. It must never stand in for anything else: a module that Go did not make, or one that
//! wants files or sockets, keeps its import and is refused by name.

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, Function, FunctionSection, ImportSection, InstructionSink, MemArg, Module};
use wasmparser::{CompositeInnerType, FuncType, KnownCustom, Parser, Payload, TypeRef, ValType};

use crate::error::Refusal;
use crate::fault::sanitise;

/// The module from which Go's runtime imports.
const WASI: &str = "wasi_snapshot_preview1";
/// Go's clock, in nanoseconds since 1970: 2000-01-01T00:00Z. Its runtime does not start at 0.
const CLOCK_NANOS: i64 = 946_684_800_000_000_000;
/// Every random byte.
const RANDOM_BYTE: i32 = 0x47;
/// WASI's word for a descriptor that is none.
const EBADF: i32 = 8;

use ValType::{I32, I64};

/// What stands in for a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inert {
    /// Success, and nothing done.
    Nothing,
    /// Two counts of 0: there are no arguments, and no environment.
    NoCounts,
    /// The clock that stands still.
    Clock,
    /// Bytes that are all alike.
    Random,
    /// No such descriptor.
    BadDescriptor,
    /// Ends the guest.
    Trap,
}

/// What Go's runtime imports, and what its package `os` adds, on which `fmt` stands: name, parameters, whether an errno is returned.
const KNOWN: [(&str, &[ValType], bool, Inert); 16] = [
    ("sched_yield", &[], true, Inert::Nothing),
    ("proc_exit", &[I32], false, Inert::Trap),
    ("args_get", &[I32, I32], true, Inert::Nothing),
    ("args_sizes_get", &[I32, I32], true, Inert::NoCounts),
    ("environ_get", &[I32, I32], true, Inert::Nothing),
    ("environ_sizes_get", &[I32, I32], true, Inert::NoCounts),
    ("clock_time_get", &[I32, I64, I32], true, Inert::Clock),
    ("random_get", &[I32, I32], true, Inert::Random),
    // With a clock that stands still, whoever waits would wait for ever.
    ("poll_oneoff", &[I32, I32, I32, I32], true, Inert::Trap),
    ("fd_write", &[I32, I32, I32, I32], true, Inert::BadDescriptor),
    ("fd_read", &[I32, I32, I32, I32], true, Inert::BadDescriptor),
    ("fd_close", &[I32], true, Inert::BadDescriptor),
    ("fd_fdstat_get", &[I32, I32], true, Inert::BadDescriptor),
    ("fd_fdstat_set_flags", &[I32, I32], true, Inert::BadDescriptor),
    ("fd_prestat_get", &[I32, I32], true, Inert::BadDescriptor),
    ("fd_prestat_dir_name", &[I32, I32, I32], true, Inert::BadDescriptor),
];

/// `module` without its WASI imports, if Go made it and they are those that Go's runtime needs; else nothing, and its imports speak for themselves.
pub(crate) fn without_wasi(module: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(stubs) = Stubs::of(module).map_err(|e| not_encodable(e.message()))? else { return Ok(None) };
    let mut out = Module::new();
    let mut stubs = stubs;
    stubs.parse_core_module(&mut out, Parser::new(0), module).map_err(|e| not_encodable(&e.to_string()))?;
    Ok(Some(out.finish()))
}

fn not_encodable(detail: &str) -> Refusal {
    Refusal::NotEncodable { detail: sanitise(detail) }
}

/// Rewrites a module: imported functions become the last of its own, so all others move down by as many.
struct Stubs {
    /// What stands in for each import, with the index of its type.
    imports: Vec<(u32, Inert)>,
    /// All functions, imported or not.
    functions: u32,
}

impl Stubs {
    fn of(module: &[u8]) -> wasmparser::Result<Option<Self>> {
        let (mut types, mut imports, mut own, mut go) = (Vec::<Option<FuncType>>::new(), Vec::new(), 0, false);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        types.extend(group?.into_types().map(|t| match t.composite_type.inner {
                            CompositeInnerType::Func(f) => Some(f),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let TypeRef::Func(ty) = import.ty else { return Ok(None) };
                        let known = KNOWN.iter().find(|(name, ..)| import.module == WASI && *name == import.name);
                        let Some((_, params, errno, inert)) = known else { return Ok(None) };
                        let results: &[ValType] = if *errno { &[I32] } else { &[] };
                        let fits = types.get(ty as usize).and_then(Option::as_ref);
                        if !fits.is_some_and(|f| f.params() == *params && f.results() == results) {
                            return Ok(None);
                        }
                        imports.push((ty, *inert));
                    }
                }
                Payload::FunctionSection(section) => own = section.count(),
                Payload::CustomSection(section) if section.name() == "go:buildid" => go = true,
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(fields) = section.as_known() {
                        go |= fields.into_iter().map_while(Result::ok).any(|field| {
                            field.name == "language"
                                && field.values.into_iter().map_while(Result::ok).any(|v| v.name == "Go")
                        });
                    }
                }
                _ => {}
            }
        }
        let functions = own.saturating_add(u32::try_from(imports.len()).unwrap_or(u32::MAX));
        Ok((go && !imports.is_empty()).then_some(Self { imports, functions }))
    }

    fn count(&self) -> u32 {
        u32::try_from(self.imports.len()).unwrap_or(u32::MAX)
    }
}

impl Reencode for Stubs {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, func: u32) -> Result<u32, reencode::Error> {
        let imported = self.count();
        Ok(match func.checked_sub(imported) {
            Some(own) => own,
            None => (self.functions - imported) + func,
        })
    }

    fn parse_import_section(
        &mut self,
        _: &mut ImportSection,
        _: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_function_section(self, functions, section)?;
        self.imports.iter().for_each(|(ty, _)| {
            functions.function(*ty);
        });
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_code_section(self, code, section)?;
        self.imports.iter().for_each(|(_, inert)| {
            code.function(&inert.body());
        });
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        // Names of functions: nobody reads them here, and those of imports are gone.
        if matches!(section.as_known(), KnownCustom::Name(_)) {
            return Ok(());
        }
        reencode::utils::parse_custom_section(self, module, section)
    }
}

impl Inert {
    fn body(self) -> Function {
        let word = MemArg { offset: 0, align: 2, memory_index: 0 };
        let long = MemArg { offset: 0, align: 3, memory_index: 0 };
        let mut function = Function::new([]);
        let mut body: InstructionSink<'_> = function.instructions();
        match self {
            Self::Nothing => body.i32_const(0),
            Self::NoCounts => {
                body.local_get(0).i32_const(0).i32_store(word);
                body.local_get(1).i32_const(0).i32_store(word).i32_const(0)
            }
            Self::Clock => body.local_get(2).i64_const(CLOCK_NANOS).i64_store(long).i32_const(0),
            Self::Random => {
                body.local_get(0).i32_const(RANDOM_BYTE).local_get(1).memory_fill(0);
                body.i32_const(0)
            }
            Self::BadDescriptor => body.i32_const(EBADF),
            Self::Trap => body.unreachable(),
        };
        body.end();
        function
    }
}
