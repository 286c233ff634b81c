//! A policy over a whole table: batches for a fresh instance each, on the engine's own threads, and one result or one error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gridbell_clock::{Seed, thread_cpu};
use gridbell_contract::{InterestSet, Run};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Decision, Table};
use parking_lot::Mutex;
use rand_core::RngCore as _;

use crate::abi;
use crate::answer::{self, Lists};
use crate::batch::{Gather, Shared, total_rows, whole};
use crate::compile::Variant;
use crate::engine::Engine;
use crate::error::RunError;
use crate::fault::{Call, GuestError, GuestFault, sanitise};
use crate::guest::{CallLimits, Failure, Program, Session};
use crate::interest::{self, Filter, Scratch};
use crate::limits::{MAX_ANSWER_BYTES, MAX_SAMPLE};
use crate::plugin::Plugin;

/// Chunks that a thread filters at a time: enough that taking the next ones costs nothing, few enough that threads end together.
const CHUNKS_AT_ONCE: usize = 16;
/// Room in an answer beyond its list: the words of an `Err`, headers.
const ANSWER_SLACK_BYTES: usize = 64 << 10;
/// How many draws a sample may take for each row that it wants; near everyone may be inside the interest.
const DRAWS_FOR_EACH: usize = 16;
/// Rows are customers: subject 0 of the registry.
const CUSTOMERS: u8 = 0;

/// How to evaluate.
#[derive(Debug, Clone, Default)]
pub struct EvalOptions {
    /// Ask the policy for its interest and pass only the rows inside.
    pub use_interest: bool,
    /// Only these rows, in any order; all when none.
    pub rows: Option<Vec<u32>>,
    /// Fuel for each batch; not counted when none.
    pub fuel: Option<u64>,
    /// Decide about a sample of the rows outside the interest too, and report whom the interest missed.
    pub sample_outside: Option<OutsideSample>,
    /// At most this many threads; all when none.
    pub threads: Option<usize>,
    /// Set by whoever wants it to end: looked at before each batch, and the evaluation is then [`RunError::Stopped`].
    pub stop: Option<Arc<AtomicBool>>,
}

/// A sample of the rows outside the interest.
#[derive(Debug, Clone, Copy)]
pub struct OutsideSample {
    /// The same seed draws the same rows.
    pub seed: Seed,
    /// How many rows, at most.
    pub rows: usize,
}

/// What a policy decided, and what that cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// The decisions, by row, at most one for each.
    pub decisions: Vec<Decision>,
    /// Rows considered: the table's, or those selected.
    pub customers: usize,
    /// Rows passed to `decide`.
    pub passed: usize,
    /// Calls of `decide`.
    pub batches: usize,
    /// CPU time of the engine's threads.
    pub cpu: Duration,
    /// Time from beginning to end.
    pub elapsed: Duration,
    /// Rows outside the interest that were sampled.
    pub sampled: usize,
    /// Sampled rows that got a decision though the interest leaves them out: the plugin breaks the contract, and the decisions above lack them.
    pub interest_misses: Vec<u32>,
    /// Fuel used over all batches, where it was counted.
    pub fuel: Option<u64>,
    /// Bytes of the guest's memory in the batch that needed most.
    pub memory: usize,
}

impl Engine {
    /// Decides about the rows of `table`. Blocks until done: call it from a thread that may.
    ///
    /// The result does not depend on the number of threads, nor on how rows fall into batches.
    ///
    /// # Errors
    /// [`RunError`]; then nothing was decided. Of several batches that fail, the first is named.
    pub fn evaluate(
        &self,
        plugin: &Plugin,
        run: &Run,
        table: &dyn Table,
        options: &EvalOptions,
    ) -> Result<Evaluation, RunError> {
        let mut job = Job::new(self, plugin, run, table, options.fuel, options.threads)?;
        job.stopped = options.stop.as_deref();
        let selected = options.rows.as_deref().map(|rows| job.selection(rows)).transpose()?;
        let customers = selected.as_ref().map_or(job.total, Vec::len);
        let (mut cpu, began) = (Duration::ZERO, self.clock().monotonic());
        let filter = match options.use_interest.then(|| job.interest()).transpose()? {
            Some(InterestSet::AnyOf(clauses)) => Some(Filter::new(&clauses, plugin.label(), table)?),
            Some(InterestSet::Everyone) | None => None,
        };
        let (decided, rows, batches) = match (&filter, selected) {
            (Some(filter), None) => {
                let inside = job.decide_inside(filter, &mut cpu)?;
                (inside.decided, Some(inside.rows), inside.batches)
            }
            (filter, selected) => {
                let rows = match (filter, selected) {
                    (Some(filter), Some(selected)) => Some(job.filter_selected(filter, &selected)?),
                    (_, selected) => selected,
                };
                let work = Work::new(rows.as_deref(), table, 0);
                let (decided, batches) = (job.decide(&work, &mut cpu)?, work.batches());
                (decided, rows, batches)
            }
        };
        let mut evaluation = Evaluation {
            decisions: decided.decisions,
            customers,
            passed: rows.as_ref().map_or(job.total, Vec::len),
            batches,
            fuel: options.fuel.map(|_| decided.fuel),
            memory: decided.memory,
            ..Evaluation::default()
        };
        if let (Some(sample), Some(rows), Some(_)) = (options.sample_outside, &rows, &filter) {
            let outside = job.outside(sample, rows, options.rows.as_deref());
            let misses = job.decide(&Work::new(Some(&outside), table, job.table.chunks()), &mut cpu)?;
            evaluation.sampled = outside.len();
            evaluation.interest_misses = misses.decisions.iter().map(|d| d.row).collect();
        }
        evaluation.cpu = cpu;
        evaluation.elapsed = self.clock().monotonic().saturating_sub(began);
        Ok(evaluation)
    }
}

impl Engine {
    /// Whom `plugin` could choose at all in `run`: what [`EvalOptions::use_interest`] filters by. Blocks until done.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn interest(&self, plugin: &Plugin, run: &Run) -> Result<InterestSet, RunError> {
        Job::new(self, plugin, run, &NoRows, None, None)?.interest()
    }
}

/// A table without rows, for calls that look at none.
pub(crate) struct NoRows;

impl Table for NoRows {
    fn chunks(&self) -> usize {
        0
    }
    fn rows(&self, _chunk: usize) -> usize {
        0
    }
    fn column(&self, _chunk: usize, _id: ColumnId) -> Option<ColumnSlice<'_>> {
        None
    }
}

/// Batches to decide about: whole chunks, or rows packed into full batches.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    rows: Option<&'a [u32]>,
    table: &'a dyn Table,
    /// Number of the first batch, for errors.
    first: usize,
}

impl<'a> Work<'a> {
    pub(crate) fn new(rows: Option<&'a [u32]>, table: &'a dyn Table, first: usize) -> Self {
        Self { rows, table, first }
    }

    pub(crate) fn batches(&self) -> usize {
        self.rows.map_or_else(|| self.table.chunks(), |rows| rows.len().div_ceil(CHUNK_ROWS))
    }
}

/// One evaluation under way.
pub(crate) struct Job<'a> {
    engine: &'a Engine,
    plugin: &'a Plugin,
    program: &'a Program,
    run: &'a Run,
    shared: Shared<'a>,
    table: &'a dyn Table,
    lists: Lists,
    fuel: Option<u64>,
    threads: usize,
    /// Somebody's wish that no further batch begins.
    stopped: Option<&'a AtomicBool>,
    pub(crate) total: usize,
}

#[derive(Default)]
struct Decided {
    decisions: Vec<Decision>,
    fuel: u64,
    memory: usize,
}

impl Decided {
    /// Appends what was decided about later rows: batches ascend, and within them rows do.
    fn add(&mut self, later: Self) {
        if self.decisions.capacity() == 0 {
            self.decisions = later.decisions;
        } else {
            self.decisions.extend(later.decisions);
        }
        self.fuel = self.fuel.saturating_add(later.fuel);
        self.memory = self.memory.max(later.memory);
    }
}

/// What was decided about the rows inside an interest.
#[derive(Default)]
struct Inside {
    decided: Decided,
    /// Those rows, ascending.
    rows: Vec<u32>,
    batches: usize,
}

impl Inside {
    fn add(&mut self, batch: Decided) {
        self.decided.add(batch);
        self.batches += 1;
    }
}

/// A range of chunks behind its filter: its full batches decided, the rest of its rows gathered.
struct FilteredRange<'p> {
    inside: Inside,
    /// The rest are the last so many of `inside.rows`.
    rest: usize,
    gathered: Gather<'p>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        plugin: &'a Plugin,
        run: &'a Run,
        table: &'a dyn Table,
        fuel: Option<u64>,
        threads: Option<usize>,
    ) -> Result<Self, RunError> {
        let variant = if fuel.is_some() { Variant::Metered } else { Variant::Plain };
        let program =
            plugin.program(variant).ok_or_else(|| RunError::NotMetered { plugin: plugin.label().to_owned() })?;
        let threads = threads.unwrap_or(usize::MAX).clamp(1, engine.threads());
        let (shared, lists, total) = (Shared::new(run), Lists::of(plugin.manifest()), total_rows(table)?);
        Ok(Self { engine, plugin, program, run, shared, table, lists, fuel, threads, stopped: None, total })
    }

    /// `rows`, sorted, each once, all in the table.
    pub(crate) fn selection(&self, rows: &[u32]) -> Result<Vec<u32>, RunError> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        match rows.last() {
            Some(row) if *row as usize >= self.total => Err(RunError::NoRow { row: *row, rows: self.total }),
            _ => Ok(rows),
        }
    }

    /// The policy's interest for this run.
    pub(crate) fn interest(&self) -> Result<InterestSet, RunError> {
        let _running = self.engine.ticker().running();
        let ask = || {
            let mut session = self.program.start(self.limits(MAX_ANSWER_BYTES))?;
            session.interest(self.shared.abi())
        };
        // On the engine's threads like every guest: a thread has one instance at a time, which is what the pool is sized for.
        let answer = self.engine.pool().install(ask).map_err(|f| self.failed(f, None))?;
        let fault = |fault| self.failed(Failure::Guest(Call::Interest, fault), None);
        let set = answer.map_err(|message| fault(GuestFault::Refused { message: sanitise(&message) }))?;
        interest::accept(set).map_err(fault)
    }

    /// Decides about all rows that `filter` lets through. A chunk's values are gathered right behind its filter, while they are still in the
    /// processor's cache. Full batches are decided within their range of chunks; what is left of each range is packed with the others' into
    /// as few batches as hold it, since a guest with an interpreter takes longer to start than to decide about a hundred customers. Both are
    /// the same however many threads there are.
    fn decide_inside(&self, filter: &Filter, cpu: &mut Duration) -> Result<Inside, RunError> {
        let _running = self.engine.ticker().running();
        let ranges = self.table.chunks().div_ceil(CHUNKS_AT_ONCE);
        let ranges = self
            .in_parallel(ranges, cpu, Scratch::default, |scratch, range| self.decide_range(filter, scratch, range))?;
        let mut all = Inside::default();
        let (mut rest, mut gathered) = (Vec::new(), Gather::new(self.plugin.columns()));
        for range in ranges {
            rest.extend_from_slice(&range.inside.rows[range.inside.rows.len() - range.rest..]);
            gathered.join(&range.gathered);
            all.rows.extend(range.inside.rows);
            all.batches += range.inside.batches;
            all.decided.add(range.inside.decided);
        }
        let decided_before = all.decided.decisions.len();
        let batches = self.in_parallel(
            rest.len().div_ceil(CHUNK_ROWS),
            cpu,
            || (),
            |(), n| {
                let part = n * CHUNK_ROWS..rest.len().min((n + 1) * CHUNK_ROWS);
                let batch = rest[part.start] as usize / CHUNK_ROWS;
                self.decide_packed(&gathered.columns_of(part.clone()), &rest[part], batch)
            },
        )?;
        batches.into_iter().for_each(|batch| all.add(batch));
        if decided_before > 0 {
            // Two lists, each by row: the sort finds them and merges.
            all.decided.decisions.sort_by_key(|d| d.row);
        }
        Ok(all)
    }

    /// Filters and gathers a range of chunks, and decides about the batches that it fills.
    fn decide_range(
        &self,
        filter: &Filter,
        scratch: &mut Scratch,
        range: usize,
    ) -> Result<FilteredRange<'_>, RunError> {
        let chunks = range * CHUNKS_AT_ONCE..self.table.chunks().min((range + 1) * CHUNKS_AT_ONCE);
        let (mut inside, mut gathered) = (Inside::default(), Gather::new(self.plugin.columns()));
        // The rows that wait for their batch are those from `begin` on; the batch has the number of the chunk of the first of them.
        let (mut begin, mut batch) = (0, 0);
        for chunk in chunks {
            let before = inside.rows.len();
            filter.rows(self.plugin.label(), self.table, chunk, scratch, &mut inside.rows)?;
            if inside.rows.len() - begin > CHUNK_ROWS {
                inside.add(self.decide_packed(&gathered.columns(), &inside.rows[begin..before], batch)?);
                begin = before;
            }
            if begin == before {
                gathered.clear();
                batch = chunk;
            }
            gathered.append(self.plugin.label(), self.table, chunk, &inside.rows[before..])?;
        }
        Ok(FilteredRange { rest: inside.rows.len() - begin, inside, gathered })
    }

    /// Decides about what was gathered: the `columns` of `rows`.
    fn decide_packed(&self, columns: &[abi::Column<'_>], rows: &[u32], batch: usize) -> Result<Decided, RunError> {
        let number = |row: u32| rows[row as usize];
        self.with_session(rows.len(), batch, &number, |session| {
            self.decide_batch(session, columns, rows.len(), &number)
        })
    }

    /// Those of `selected` that `filter` lets through. A selection is a person's or a trigger's and small beside the table.
    fn filter_selected(&self, filter: &Filter, selected: &[u32]) -> Result<Vec<u32>, RunError> {
        let (mut kept, mut passing, mut scratch) = (Vec::new(), Vec::new(), Scratch::default());
        for group in selected.chunk_by(|a, b| a / CHUNK_ROWS as u32 == b / CHUNK_ROWS as u32) {
            passing.clear();
            let chunk = group.first().map_or(0, |row| *row as usize / CHUNK_ROWS);
            filter.rows(self.plugin.label(), self.table, chunk, &mut scratch, &mut passing)?;
            kept.extend(group.iter().filter(|row| passing.binary_search(row).is_ok()));
        }
        Ok(kept)
    }

    /// A sample of the rows that are not `inside`, ascending.
    fn outside(&self, sample: OutsideSample, inside: &[u32], selected: Option<&[u32]>) -> Vec<u32> {
        let mut rng = sample.seed.stream("outside interest");
        let wanted = sample.rows.min(MAX_SAMPLE);
        let among = selected.map_or(self.total, <[u32]>::len) as u64;
        let mut rows = Vec::new();
        for _ in 0..wanted.saturating_mul(DRAWS_FOR_EACH) {
            if rows.len() == wanted || among == 0 {
                break;
            }
            // The high half of the product: even enough over numbers this small, and without a division.
            let n = ((u128::from(rng.next_u64()) * u128::from(among)) >> 64) as usize;
            let row = selected.map_or(n as u32, |s| s[n]);
            if inside.binary_search(&row).is_err() {
                rows.push(row);
            }
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn decide(&self, work: &Work<'_>, cpu: &mut Duration) -> Result<Decided, RunError> {
        let batches = self
            .batches(work, cpu, |session, columns, rows, number| self.decide_batch(session, columns, rows, number))?;
        let room = batches.iter().map(|b| b.decisions.len()).sum();
        let mut all = Decided { decisions: Vec::with_capacity(room), ..Decided::default() };
        for batch in batches {
            all.add(batch);
        }
        Ok(all)
    }

    /// Asks `session` about one batch; `number` gives a row of the batch its number in the table.
    fn decide_batch(
        &self,
        session: &mut Session<'_>,
        columns: &[abi::Column<'_>],
        rows: usize,
        number: &dyn Fn(u32) -> u32,
    ) -> Result<Decided, Failure> {
        let batch = abi::Batch { subject: CUSTOMERS, rows: rows as u32, columns };
        let answer = session.decide((self.shared.abi(), batch))?;
        let fault = |fault| Failure::Guest(Call::Decide, fault);
        let answer = answer.map_err(|message| fault(GuestFault::Refused { message: sanitise(&message) }))?;
        let decisions = answer::decisions(answer, rows, self.lists, number).map_err(fault)?;
        Ok(Decided { decisions, fuel: session.fuel_used(), memory: session.peak_memory() })
    }

    /// Gives `call` a fresh instance for a batch of `rows`; `number` gives a row of the batch its number in the table.
    fn with_session<T>(
        &self,
        rows: usize,
        batch: usize,
        number: &dyn Fn(u32) -> u32,
        call: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, RunError> {
        if self.stopped.is_some_and(|stopped| stopped.load(Ordering::Relaxed)) {
            return Err(RunError::Stopped);
        }
        let answer = rows * 2 * size_of::<abi::Decision>() + ANSWER_SLACK_BYTES;
        let session = self.program.start(self.limits(answer));
        session.and_then(|mut session| call(&mut session)).map_err(|f| {
            let mut error = self.failed(f, Some(batch));
            if let RunError::Guest(guest) = &mut error {
                guest.rows = (0..rows as u32).map(number).collect();
            }
            error
        })
    }

    pub(crate) fn explain(&self, rows: &[u32]) -> Result<Vec<u16>, RunError> {
        let mut cpu = Duration::ZERO;
        let work = Work::new(Some(rows), self.table, 0);
        let batches = self.batches(&work, &mut cpu, |session, columns, rows, _| {
            let batch = abi::Batch { subject: CUSTOMERS, rows: rows as u32, columns };
            let answer = session.explain((self.shared.abi(), batch))?;
            let fault = |fault| Failure::Guest(Call::Explain, fault);
            let answer = answer.map_err(|message| fault(GuestFault::Refused { message: sanitise(&message) }))?;
            answer::reasons(answer, rows, self.lists).map_err(fault)
        })?;
        Ok(batches.concat())
    }

    /// Calls `call` for each batch of `work` with a fresh instance, the batch's columns, its rows, and what numbers them in the table.
    fn batches<T: Send>(
        &self,
        work: &Work<'_>,
        cpu: &mut Duration,
        call: impl Fn(&mut Session<'_>, &[abi::Column<'_>], usize, &dyn Fn(u32) -> u32) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<T>, RunError> {
        let label = self.plugin.label();
        let one = |gather: &mut Gather<'_>, n: usize| {
            let columns;
            let (rows, number): (usize, &dyn Fn(u32) -> u32);
            let packed;
            let from_packed;
            let from_chunk;
            match work.rows {
                Some(all) => {
                    packed = &all[n * CHUNK_ROWS..all.len().min((n + 1) * CHUNK_ROWS)];
                    columns = gather.fill(label, self.table, packed)?;
                    from_packed = |row: u32| packed[row as usize];
                    (rows, number) = (packed.len(), &from_packed);
                }
                None => {
                    columns = whole(label, self.table, n, self.plugin.columns())?;
                    from_chunk = |row: u32| (n * CHUNK_ROWS) as u32 + row;
                    (rows, number) = (self.table.rows(n), &from_chunk);
                }
            }
            self.with_session(rows, work.first + n, number, |session| call(session, &columns, rows, number))
        };
        let _running = self.engine.ticker().running();
        self.in_parallel(work.batches(), cpu, || Gather::new(self.plugin.columns()), one)
    }

    /// Does `one` for 0 to `n` on the engine's threads, each with its own `state`, and returns the results in order. After a failure no more are
    /// begun; all before the first that failed have been done, so that the error is the same however many threads there are.
    fn in_parallel<S, T: Send>(
        &self,
        n: usize,
        cpu: &mut Duration,
        state: impl Fn() -> S + Sync,
        one: impl Fn(&mut S, usize) -> Result<T, RunError> + Sync,
    ) -> Result<Vec<T>, RunError> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let done = Mutex::new((Vec::with_capacity(n), None::<(usize, RunError)>, Duration::ZERO));
        let worker = || {
            let before = thread_cpu();
            let (mut state, mut own, mut failed) = (state(), Vec::new(), None);
            while !stop.load(Ordering::Relaxed) {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= n {
                    break;
                }
                match one(&mut state, i) {
                    Ok(result) => own.push((i, result)),
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        failed = Some((i, error));
                    }
                }
            }
            let mut done = done.lock();
            done.0.extend(own);
            done.2 += thread_cpu().saturating_sub(before);
            if let Some((i, error)) = failed
                && done.1.as_ref().is_none_or(|(first, _)| i < *first)
            {
                done.1 = Some((i, error));
            }
        };
        self.engine.pool().scope(|scope| {
            for _ in 0..self.threads.min(n) {
                scope.spawn(|_| worker());
            }
        });
        let (mut results, failed, used) = done.into_inner();
        *cpu += used;
        if let Some((_, error)) = failed {
            return Err(error);
        }
        results.sort_unstable_by_key(|(i, _)| *i);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    fn limits(&self, answer: usize) -> CallLimits {
        CallLimits { deadline: self.plugin.deadline(), fuel: self.fuel, ceiling: self.plugin.ceiling(), answer }
    }

    fn failed(&self, failure: Failure, batch: Option<usize>) -> RunError {
        match failure {
            Failure::Host(detail) => RunError::Host { plugin: self.plugin.label().to_owned(), detail },
            Failure::Guest(call, fault) => RunError::Guest(Box::new(GuestError {
                plugin: self.plugin.label().to_owned(),
                digest: self.plugin.digest(),
                prefecture: self.run.prefecture,
                call,
                batch: batch.map(|b| u32::try_from(b).unwrap_or(u32::MAX)),
                rows: Vec::new(),
                fault,
            })),
        }
    }
}
