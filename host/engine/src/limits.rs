//! Every bound of the engine, in one place. Never a behaviour.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Largest upload. A Python guest has 18 MB, a JavaScript one 12 MB (measured), a Rust one 15 KB.
pub const MAX_UPLOAD_BYTES: usize = 48 << 20;
/// Largest precompiled artifact; machine code is 3 to 6 times the size of the component.
pub const MAX_ARTIFACT_BYTES: usize = 512 << 20;
/// Longest `Err` of a guest that is kept, in characters.
pub(crate) const MAX_MESSAGE_CHARS: usize = 400;
/// How deep components may nest in an upload: a component made by today's tools nests two deep.
pub(crate) const MAX_NESTING: usize = 6;
/// Core modules in one upload: a JavaScript guest has about 30, with its adapters.
pub(crate) const MAX_MODULES: usize = 100;
/// Sections in one upload, over all modules and components.
pub(crate) const MAX_SECTIONS: usize = 10_000;
/// Functions in one upload, over all modules: a Python guest has about 30 000.
pub(crate) const MAX_FUNCTIONS: usize = 300_000;
/// Bytes of one function's body. The compiler's time and memory grow faster than a function does; the largest of an interpreter in C has some
/// hundred kilobytes.
pub(crate) const MAX_BODY_BYTES: usize = 2 << 20;
/// Bytes of custom sections in one upload: names, debug information, notes of tools. A Python guest with its names has a few million.
pub(crate) const MAX_CUSTOM_BYTES: usize = 16 << 20;
/// Exports in one upload, over all modules and components: a Python guest, whose libraries find each other by name, has some ten thousand.
pub(crate) const MAX_EXPORTS: usize = 50_000;
/// Types, imports, globals, segments and the like in one upload, each kind on its own, over all modules and components.
pub(crate) const MAX_ITEMS: usize = 100_000;
/// Characters of a function's type, written out; the contract's longest has about 700.
pub(crate) const MAX_SHAPE_CHARS: usize = 8 << 10;
/// What an answer that is no list of rows may carry into the host, in bytes: a manifest, an interest, the words of an `Err`.
pub(crate) const MAX_ANSWER_BYTES: usize = 1 << 20;
/// How often a running guest is looked at for its deadline.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(5);
/// A deadline is never shorter: the epoch is wall-clock time, and a busy machine may take a thread off its core for tens of milliseconds.
pub const MIN_DEADLINE: Duration = Duration::from_millis(200);
/// A deadline is this many times the certified cost.
pub(crate) const DEADLINE_FACTOR: u32 = 10;
/// The stack of a guest. Deep recursion ends here, well inside [`THREAD_STACK_BYTES`].
pub(crate) const GUEST_STACK_BYTES: usize = 1 << 20;
/// The stack of the engine's own threads.
pub(crate) const THREAD_STACK_BYTES: usize = 4 << 20;
/// Deadline of `manifest`, which is read once, at upload.
pub(crate) const MANIFEST_DEADLINE: Duration = Duration::from_secs(2);
/// Rows that [`crate::EvalOptions::sample_outside`] draws at most.
pub(crate) const MAX_SAMPLE: usize = 65_536;

/// Memory of a guest that carries an interpreter: a Python guest begins with 30 MiB, a JavaScript one with 10 (measured).
pub(crate) const HEAVY_MEMORY_BYTES: usize = 256 << 20;

/// How an [`crate::Engine`] is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineConfig {
    /// Threads that evaluate; 0 for one on each core.
    pub threads: usize,
    /// Memory that one instance of a lean guest may have, in bytes.
    pub guest_memory_bytes: usize,
    /// The same of a heavy guest: one that does not fit into `pool` and fits into `heavy_pool`.
    pub heavy_memory_bytes: usize,
    /// Cost of a full batch of a plugin that has no certified cost yet. The deadline is ten times it.
    pub batch_cost: Duration,
    /// How many and how large the pooled instances of lean guests are.
    pub pool: PoolLimits,
    /// The same for guests that bring an interpreter or a runtime along. Each kind has a pool of its own: what a large one reserves and wipes would
    /// slow down the small ones that are most of all runs.
    pub heavy_pool: PoolLimits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            guest_memory_bytes: 64 << 20,
            heavy_memory_bytes: HEAVY_MEMORY_BYTES,
            batch_cost: Duration::from_millis(200),
            pool: PoolLimits::small(),
            heavy_pool: PoolLimits::large(),
        }
    }
}

/// What one pooled component instance may consist of. The pool reserves address space for the worst case, memory only for what is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLimits {
    /// Core instances in a component; one made by the host from a module has 3.
    pub core_instances: u32,
    /// Tables in a component.
    pub tables: u32,
    /// Elements in a table.
    pub table_elements: usize,
    /// Linear memories in a component.
    pub memories: u32,
    /// Bytes of metadata of a core or component instance.
    pub instance_bytes: usize,
    /// Bytes of a linear memory that stay resident between batches and are wiped by hand. It must cover what a batch touches: page faults
    /// are what a fresh instance costs (measured: 4 MiB did).
    pub keep_resident: usize,
}

impl PoolLimits {
    /// For guests in Rust, C, Zig, AssemblyScript.
    #[must_use]
    pub fn small() -> Self {
        Self {
            core_instances: 8,
            tables: 8,
            table_elements: 4096,
            memories: 2,
            instance_bytes: 256 << 10,
            keep_resident: 4 << 20,
        }
    }

    /// For guests that carry an interpreter: JavaScript, Python, Go (measured needs).
    #[must_use]
    pub fn large() -> Self {
        Self {
            core_instances: 40,
            tables: 40,
            table_elements: 40_000,
            memories: 4,
            instance_bytes: 4 << 20,
            keep_resident: 16 << 20,
        }
    }
}

/// What the compiler's child process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall-clock time, after which the child is killed. A Python guest takes 15 s on two cores (measured), twice over with fuel.
    pub wall: Duration,
    /// CPU time over all threads.
    pub cpu: Duration,
    /// Writable memory of the child, in bytes (`RLIMIT_DATA`).
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { wall: Duration::from_secs(120), cpu: Duration::from_secs(180), memory_bytes: 3 << 30 }
    }
}
