//! One instance of a guest, from its making to its end. Fresh for each batch: no state is carried from one to the next, so a run replays.

use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store};

use crate::abi::{BatchArgs, DecideAnswer, ExplainAnswer, InterestAnswer, InterestArgs, ManifestAnswer, ManifestArgs};
use crate::engine::{Ceiling, Sandbox, epochs};
use crate::fault::{Call, Ceilings, GuestFault, classify};
use crate::limits::GUEST_STACK_BYTES;
use crate::versions::{Adapter, VERSIONS, Version, served};

/// What the store of an instance holds: its ceiling on memory, and whether it was met.
#[derive(Debug)]
pub(crate) struct Guest {
    ceiling: Ceiling,
    refused: bool,
    /// The most that one of its memories had.
    peak: usize,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.ceiling.memory;
        self.refused |= !allowed;
        if allowed {
            self.peak = self.peak.max(desired);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.ceiling.tables;
        self.refused |= !allowed;
        Ok(allowed)
    }
}

/// A component that is ready to be instantiated, its four functions found and their types checked.
#[derive(Clone)]
pub(crate) struct Program {
    pre: InstancePre<Guest>,
    manifest: ComponentExportIndex,
    interest: ComponentExportIndex,
    decide: ComponentExportIndex,
    explain: ComponentExportIndex,
    /// Of the sandbox in which it was loaded.
    pub(crate) ceiling: Ceiling,
}

/// The bounds of one instance's life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    /// Wall-clock time for everything that the instance does.
    pub(crate) deadline: Duration,
    /// Units of fuel, in a sandbox that counts them.
    pub(crate) fuel: Option<u64>,
    /// What it may have of memory and tables.
    pub(crate) ceiling: Ceiling,
    /// Bytes that an answer may carry.
    pub(crate) answer: usize,
}

impl CallLimits {
    /// A store under these limits.
    pub(crate) fn store(self, engine: &wasmtime::Engine) -> Result<Store<Guest>, Failure> {
        let mut store = Store::new(engine, Guest { ceiling: self.ceiling, refused: false, peak: 0 });
        store.limiter(|guest| guest);
        store.set_epoch_deadline(epochs(self.deadline));
        store.set_hostcall_fuel(self.answer);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).map_err(|e| Failure::Host(format!("{e:#}")))?;
        }
        Ok(store)
    }
}

/// Why an instance gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest's doing.
    Guest(Call, GuestFault),
    /// The host's: no free slot, no memory.
    Host(String),
}

impl Program {
    /// Finds the contract's functions in `component`, in the newest version that it exports, and checks their types, once, so that a call need not.
    pub(crate) fn new(sandbox: &Sandbox, component: &Component) -> Result<Self, String> {
        let pre = sandbox.linker.instantiate_pre(component).map_err(|e| format!("{e:#}"))?;
        let exported = |v: &'static Version| Some((v, component.get_export_index(None, v.interface)?));
        let found = VERSIONS.iter().rev().find_map(exported);
        let (version, interface) = found.ok_or_else(|| format!("it does not export `{}`", served()))?;
        match version.adapter {
            Adapter::V0_1_0 => Ok(Self {
                manifest: find::<ManifestArgs, ManifestAnswer>(component, &pre, &interface, "manifest")?,
                interest: find::<InterestArgs<'_>, InterestAnswer>(component, &pre, &interface, "interest")?,
                decide: find::<BatchArgs<'_>, DecideAnswer>(component, &pre, &interface, "decide")?,
                explain: find::<BatchArgs<'_>, ExplainAnswer>(component, &pre, &interface, "explain")?,
                ceiling: sandbox.ceiling,
                pre,
            }),
        }
    }

    /// Makes an instance.
    pub(crate) fn start(&self, limits: CallLimits) -> Result<Session<'_>, Failure> {
        let mut store = limits.store(self.pre.engine())?;
        match self.pre.instantiate(&mut store) {
            Ok(instance) => Ok(Session { program: self, store, instance, limits }),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(Failure::Host(format!("{error:#}"))),
            Err(error) => Err(failed(&store, limits, Call::Instantiate, &error)),
        }
    }
}

fn find<P, R>(
    component: &Component,
    pre: &InstancePre<Guest>,
    interface: &ComponentExportIndex,
    name: &str,
) -> Result<ComponentExportIndex, String>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    match component.get_export(Some(interface), name) {
        Some((ComponentItem::ComponentFunc(func), index)) => {
            func.typecheck::<P, R>(&pre.instance_type()).map_err(|e| format!("`{name}` has another type: {e:#}"))?;
            Ok(index)
        }
        _ => Err(format!("its interface lacks `{name}`")),
    }
}

pub(crate) fn failed(store: &Store<Guest>, limits: CallLimits, call: Call, error: &wasmtime::Error) -> Failure {
    let ceilings = Ceilings {
        deadline_ms: u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX),
        fuel: limits.fuel.unwrap_or_default(),
        memory: limits.ceiling.memory,
        stack: GUEST_STACK_BYTES,
        answer: limits.answer,
        memory_refused: store.data().refused,
    };
    Failure::Guest(call, classify(error, ceilings))
}

/// An instance, good for one call.
pub(crate) struct Session<'p> {
    program: &'p Program,
    store: Store<Guest>,
    instance: Instance,
    limits: CallLimits,
}

impl Session<'_> {
    pub(crate) fn manifest(&mut self) -> Result<String, Failure> {
        let export = self.program.manifest;
        self.call::<ManifestArgs, ManifestAnswer>(Call::Manifest, export, ()).map(|a| a.0)
    }

    pub(crate) fn interest(
        &mut self,
        run: crate::abi::Run<'_>,
    ) -> Result<Result<crate::abi::InterestSet, String>, Failure> {
        let export = self.program.interest;
        self.call::<InterestArgs<'_>, InterestAnswer>(Call::Interest, export, (run,)).map(|a| a.0)
    }

    pub(crate) fn decide(&mut self, args: BatchArgs<'_>) -> Result<Result<Vec<crate::abi::Decision>, String>, Failure> {
        let export = self.program.decide;
        self.call::<BatchArgs<'_>, DecideAnswer>(Call::Decide, export, args).map(|a| a.0)
    }

    pub(crate) fn explain(&mut self, args: BatchArgs<'_>) -> Result<Result<Vec<u16>, String>, Failure> {
        let export = self.program.explain;
        self.call::<BatchArgs<'_>, ExplainAnswer>(Call::Explain, export, args).map(|a| a.0)
    }

    /// Fuel used so far; 0 in a sandbox that counts none.
    pub(crate) fn fuel_used(&self) -> u64 {
        let given = self.limits.fuel.unwrap_or_default();
        self.store.get_fuel().map_or(0, |left| given.saturating_sub(left))
    }

    /// Bytes of its largest memory so far.
    pub(crate) fn peak_memory(&self) -> usize {
        self.store.data().peak
    }

    fn call<P, R>(&mut self, call: Call, export: ComponentExportIndex, args: P) -> Result<R, Failure>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let func = self
            .instance
            .get_func(&mut self.store, export)
            .ok_or_else(|| Failure::Host("the plugin lost a function after it was loaded".to_owned()))?;
        // SAFETY: `export` was found by `find::<P, R>` in the component of this instance, which checked that its type is `P` to `R`; each
        // caller above names the same pair of types as `Program::new` did for that export.
        let typed = unsafe { TypedFunc::<P, R>::new_unchecked(func) };
        typed.call(&mut self.store, args).map_err(|e| failed(&self.store, self.limits, call, &e))
    }
}
