//! Runs a module's `_initialize` once, when it is compiled, and keeps the memory that it leaves: an instance then begins where initialisation ended.
//!
//! Go's runtime takes milliseconds to start, a batch of 4096 customers a tenth of one, and each batch has a fresh instance. Nothing changes but the
//! time: a module imports nothing, so `_initialize` leaves the same memory whenever it is run. It runs under the limits of a manifest, and
//! only in the compiler's process.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmparser::{ExternalKind, Parser, Payload, ValType};
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
    Ok(encode::component(&snapshot.map_err(not_encodable)?)?)
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
