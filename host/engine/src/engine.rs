//! The sandbox as this house uses it: wasmtime's flexibility narrowed to one configuration, its threads and its epoch.

use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use gridbell_clock::Clock;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures};

use crate::check::features;
use crate::compile::Variant;
use crate::error::EngineError;
use crate::guest::Guest;
use crate::limits::{
    DEADLINE_FACTOR, EPOCH_TICK, EngineConfig, GUEST_STACK_BYTES, MIN_DEADLINE, PoolLimits, THREAD_STACK_BYTES,
};
use crate::ticker::Ticker;

/// Runs plugins: the sandbox, the threads that evaluate, and the thread that moves the epoch. One for a host; share it.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    clock: Clock,
    lean: Sandboxes,
    heavy: Sandboxes,
    threads: usize,
    pool: ThreadPool,
    ticker: Ticker,
}

/// Both variants with one pool.
#[derive(Debug)]
struct Sandboxes {
    plain: Sandbox,
    metered: Sandbox,
}

/// One wasmtime engine: code that counts fuel is other code, so there are two.
pub(crate) struct Sandbox {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
    /// What an instance in it may have at most.
    pub(crate) ceiling: Ceiling,
}

/// What one instance may have at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceiling {
    /// Bytes of each memory.
    pub(crate) memory: usize,
    /// Elements of each table.
    pub(crate) tables: usize,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

/// A pool of instances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allocation {
    /// For so many at once.
    pub(crate) instances: u32,
    /// Each of which may consist of so much.
    pub(crate) limits: PoolLimits,
    /// And have so many bytes of memory.
    pub(crate) guest_memory: usize,
}

impl Allocation {
    /// For so many lean guests at once.
    pub(crate) fn lean(config: &EngineConfig, instances: u32) -> Self {
        Self { instances, limits: config.pool, guest_memory: config.guest_memory_bytes }
    }

    /// For so many guests at once that bring an interpreter or a runtime along.
    pub(crate) fn heavy(config: &EngineConfig, instances: u32) -> Self {
        let guest_memory = config.heavy_memory_bytes.max(config.guest_memory_bytes);
        Self { instances, limits: config.heavy_pool, guest_memory }
    }
}

impl Engine {
    /// Sets up the sandbox and starts its threads.
    ///
    /// # Errors
    /// [`EngineError::Setup`] if the machine does not allow it: no address space for the pool, no threads.
    pub fn new(config: EngineConfig, clock: Clock) -> Result<Self, EngineError> {
        let setup = |detail: String| EngineError::Setup { detail };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if config.threads == 0 { cores } else { config.threads };
        // Guests run on these threads only, one instance at a time on each; one is spare.
        let instances = u32::try_from(threads + 1).unwrap_or(u32::MAX);
        let sandboxes = |allocation: Allocation| {
            let sandbox = |variant| Sandbox::new(variant, allocation);
            Ok::<_, EngineError>(Sandboxes { plain: sandbox(Variant::Plain)?, metered: sandbox(Variant::Metered)? })
        };
        let lean = sandboxes(Allocation::lean(&config, instances))?;
        let heavy = sandboxes(Allocation::heavy(&config, instances))?;
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(THREAD_STACK_BYTES)
            .thread_name(|n| format!("gridbell-eval-{n}"))
            .build()
            .map_err(|e| setup(e.to_string()))?;
        let engines = [&lean.plain, &lean.metered, &heavy.plain, &heavy.metered].map(|s| s.engine.clone());
        let ticker = Ticker::start(engines.into()).map_err(|e| setup(e.to_string()))?;
        Ok(Self { config, clock, lean, heavy, threads, pool, ticker })
    }

    /// How it was made.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Threads that evaluate.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Version and compatibility of the precompiled code that this engine can load: part of an artifact's name.
    #[must_use]
    pub fn compatibility(&self, variant: Variant) -> String {
        // How instances are pooled makes no difference to the code.
        self.lean.of(variant).compatibility()
    }

    /// Loads what `load` loads into the smallest sandbox that takes it.
    pub(crate) fn smallest<T, E>(&self, variant: Variant, load: impl Fn(&Sandbox) -> Result<T, E>) -> Result<T, E> {
        // What a pool cannot hold is refused when it is loaded; there is no other list of what it needs.
        load(self.lean.of(variant)).or_else(|_| load(self.heavy.of(variant)))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }
}

impl Sandboxes {
    fn of(&self, variant: Variant) -> &Sandbox {
        match variant {
            Variant::Plain => &self.plain,
            Variant::Metered => &self.metered,
        }
    }
}

/// The deadline of a call whose certified cost is `cost`.
pub(crate) fn deadline(cost: Duration) -> Duration {
    cost.saturating_mul(DEADLINE_FACTOR).max(MIN_DEADLINE)
}

/// `deadline` as epochs. One more, since the present epoch is partly over.
pub(crate) fn epochs(deadline: Duration) -> u64 {
    u64::try_from(deadline.as_millis().div_ceil(EPOCH_TICK.as_millis())).unwrap_or(u64::MAX / 2).saturating_add(1)
}

impl Sandbox {
    pub(crate) fn new(variant: Variant, allocation: Allocation) -> Result<Self, EngineError> {
        let engine = wasmtime::Engine::new(&configure(variant, allocation))
            .map_err(|e| EngineError::Setup { detail: format!("{e:#}") })?;
        // Nothing is ever defined in it: a policy imports nothing.
        let linker = Linker::new(&engine);
        let ceiling = Ceiling { memory: allocation.guest_memory, tables: allocation.limits.table_elements };
        Ok(Self { engine, linker, ceiling })
    }

    /// The same on every process of one build on one kind of machine, and another wherever artifacts could differ.
    pub(crate) fn compatibility(&self) -> String {
        let mut hasher = StableHasher(Sha256::new());
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        // wasmtime's version, its settings and this machine's instruction set are all in it.
        hasher.0.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

/// The standard library's hasher may change between builds; names of files may not.
struct StableHasher(Sha256);

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

fn configure(variant: Variant, allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features(), true)
        // The same input gives the same answer on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(variant == Variant::Metered)
        .max_wasm_stack(GUEST_STACK_BYTES)
        // Guests neither await nor stream: its bookkeeping would be paid for each instance.
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(allocation)));
    config
}

fn pooling(Allocation { instances, limits, guest_memory }: Allocation) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(limits.core_instances))
        .total_memories(instances.saturating_mul(limits.memories))
        .total_tables(instances.saturating_mul(limits.tables))
        .max_core_instances_per_component(limits.core_instances)
        .max_memories_per_component(limits.memories)
        .max_tables_per_component(limits.tables)
        .table_elements(limits.table_elements)
        .max_component_instance_size(limits.instance_bytes)
        .max_core_instance_size(limits.instance_bytes)
        .max_memory_size(guest_memory)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(limits.keep_resident)
        .table_keep_resident(limits.table_elements * size_of::<usize>())
        // Wipes the pages that the guest touched, not all that it may keep.
        .pagemap_scan(Enabled::Auto);
    pool
}
