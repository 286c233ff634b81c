//! Runs a module's `_initialize` once, when it is compiled, and keeps the memory that it leaves: an instance then begins where initialisation ended.
//!
//! Go's runtime takes milliseconds to start, a batch of 4096 customers a tenth of one, and each batch has a fresh instance. Nothing changes but the
//! time: a module imports nothing, so `_initialize` leaves the same memory whenever it is run. It runs under the limits of a manifest, and
//! only in the compiler's process.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{DataKind, ExternalKind, Parser, Payload, ValType};
use wasmtime::{Instance, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

use crate::encode;
use crate::engine::Sandbox;
use crate::error::Refusal;
use crate::fault::{Call, sanitise};
use crate::guest::{CallLimits, Failure, Guest, failed};

/// What a reactor's initialisation is called by all compilers.
const INITIALISE: &str = "_initialize";

/// Whether `module` has something to run.
pub(crate) fn is_reactor(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).map_while(Result::ok).any(|payload| match payload {
        Payload::ExportSection(exports) => exports
            .into_iter()
            .map_while(Result::ok)
            .any(|e| e.name == INITIALISE && matches!(e.kind, ExternalKind::Func | ExternalKind::FuncExact)),
        _ => false,
    })
}

/// Why a module could not be initialised.
pub(crate) enum Uninitialised {
    /// It cannot be kept.
    Refused(Refusal),
    /// It failed.
    Failed(Failure),
}

impl From<Refusal> for Uninitialised {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The component of `module` as it is after its initialisation. The epoch of `sandbox` must be moving.
pub(crate) fn initialised(module: &[u8], sandbox: &Sandbox, limits: CallLimits) -> Result<Vec<u8>, Uninitialised> {
    let not_encodable =
        |e: wasmtime::Error| Refusal::NotEncodable { detail: sanitise(&format!("`{INITIALISE}`: {e:#}")) };
    let mut wizer = Wizer::new();
    wizer.init_func(INITIALISE);
    let (context, instrumented) = wizer.instrument(module).map_err(not_encodable)?;
    let instrumented = Module::new(&sandbox.engine, &instrumented)
        .map_err(|e| Refusal::NotCompilable { detail: sanitise(&format!("{e:#}")) })?;
    let mut store = limits.store(&sandbox.engine).map_err(Uninitialised::Failed)?;
    let instance = Instance::new(&mut store, &instrumented, &[]).and_then(|instance| {
        instance.get_typed_func::<(), ()>(&mut store, INITIALISE)?.call(&mut store, ())?;
        Ok(instance)
    });
    let instance = instance.map_err(|e| Uninitialised::Failed(failed(&store, limits, Call::Instantiate, &e)))?;
    let mut after = After { store: &mut store, instance };
    // Nothing in it waits: what it asks for is answered on the spot.
    let mut snapshot = pin!(wizer.snapshot(&context, &mut after));
    let Poll::Ready(snapshot) = snapshot.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        return Err(Refusal::NotEncodable { detail: "its memory could not be read".to_owned() }.into());
    };
    Ok(encode::component(&without_spent_segments(snapshot.map_err(not_encodable)?))?)
}

/// `module` without the data segments that nothing can reach.
///
/// A snapshot keeps each segment that was there before as an empty passive one, since code could name it by its number. Go writes 26 000 of them, and
/// an instance sets up each: 40 of the 180 µs of a batch. Code can name segments only where a module counts them; where it does not,
/// the passive ones are spent.
fn without_spent_segments(module: Vec<u8>) -> Vec<u8> {
    rewritten(&module).unwrap_or(module)
}

/// [`without_spent_segments`]; none where code can name segments.
fn rewritten(module: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::DataCountSection { .. } => return None,
            Payload::DataSection(segments) => {
                let mut kept = wasm_encoder::DataSection::new();
                for segment in segments {
                    let segment = segment.ok()?;
                    if !matches!(segment.kind, DataKind::Passive) {
                        RoundtripReencoder.parse_data(&mut kept, segment).ok()?;
                    }
                }
                encoder.section(&kept);
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    encoder.section(&wasm_encoder::RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Some(encoder.finish())
}

/// An instance after its initialisation.
struct After<'a> {
    store: &'a mut Store<Guest>,
    instance: Instance,
}

impl InstanceState for After<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        // It asks for exports that it made itself, of the numeric types that it took.
        match self.instance.get_global(&mut *self.store, name).map(|global| global.get(&mut *self.store)) {
            Some(Val::I64(v)) => SnapshotVal::I64(v),
            Some(Val::F32(v)) => SnapshotVal::F32(v),
            Some(Val::F64(v)) => SnapshotVal::F64(v),
            Some(Val::V128(v)) => SnapshotVal::V128(v.as_u128()),
            Some(Val::I32(v)) => SnapshotVal::I32(v),
            _ => SnapshotVal::I32(0),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        if let Some(memory) = self.instance.get_memory(&mut *self.store, name) {
            contents(memory.data(&*self.store));
        }
    }
}
