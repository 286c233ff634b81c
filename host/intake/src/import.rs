//! The front door: a file, and out of it batches of rows, at the pace of whoever takes them.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use gridbell_model::{ContactSource, Date, Segments};

use crate::batch::Batch;
use crate::block::{self, Block, Splitter};
use crate::decode::{Decoder, Encoding};
use crate::error::IntakeError;
use crate::field::Kind;
use crate::mapping::Mapping;
use crate::mask::shown;
use crate::parse::{Context, Row};
use crate::reject::{Place, Reason, Reject};
use crate::seen::{self, Seen};
use crate::summary::{Summary, Warning};
use crate::xlsx;

/// Blocks on their way between the reader, the parsers and whoever takes the batches.
const BLOCKS_UNDER_WAY: usize = 8;
/// The most parsers.
const MAX_PARSERS: usize = 16;

/// How a file is to be read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Today, in the prefecture's civil time: facts cannot be true for a day to come.
    pub today: Date,
    /// The day for which the file's facts are true where it does not say.
    pub as_of: Date,
    /// Carrier number segments: which mobile numbers are known.
    pub segments: Arc<Segments>,
    /// Headers that we do not know by ourselves.
    pub mapping: Option<Mapping>,
    /// The encoding; none finds it out.
    pub encoding: Option<Encoding>,
    /// The delimiter; none finds it out among comma, tab, semicolon and bar.
    pub delimiter: Option<u8>,
    /// The sheet of a workbook; none takes the first that has the columns.
    pub sheet: Option<String>,
    /// How many digits every account number has, 10 to 13, where the utility knows. Only then a numeric cell of a workbook can be read as an account
    /// number, its leading zeros put back; without it such a cell is refused, since nobody can tell what it lost.
    pub account_digits: Option<u8>,
    /// Where contacts come from if the file does not say.
    pub source: ContactSource,
    /// Threads that parse a CSV file beside the one that reads it, at most 16; 0 does everything in the thread that takes the batches. Whatever their
    /// number, batches come in the file's order.
    pub parsers: usize,
}

impl Options {
    /// For a file with facts of today; everything else is found out.
    #[must_use]
    pub fn new(today: Date, segments: Arc<Segments>) -> Self {
        Self {
            today,
            as_of: today,
            segments,
            mapping: None,
            encoding: None,
            delimiter: None,
            sheet: None,
            account_digits: None,
            source: ContactSource::Archive,
            parsers: 1,
        }
    }
}

/// How far the reading is; cheap to clone, for whoever draws the bar.
#[derive(Clone, Debug)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Progress {
    /// Bytes of the file read so far. Of a workbook, its share of the rows as bytes.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of the file; none where it has no end in sight.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }
}

/// A file being read. Take batches until there are none; drop it to stop early.
///
/// If an account (of a bill, an account and period) comes twice in a file, both rows are handed on in order, so that the later one counts, and
/// [`Warning::Repeated`] says so. The same payment twice is told apart by its id.
pub struct Import<T> {
    source: Source<T>,
    context: Arc<Context>,
    progress: Progress,
    summary: Summary,
    seen: Seen,
    last_line: u64,
    /// For naming cells; none in a CSV file.
    sheet: Option<String>,
}

enum Source<T> {
    /// Everything in the thread that asks.
    Here { splitter: Splitter<Box<dyn Read + Send>>, delimiter: u8 },
    /// A reader hands blocks to parsers; their answers are queued in the file's order.
    Parsers(Receiver<Result<Receiver<Batch<T>>, IntakeError>>),
    /// A workbook is read by a thread of its own, which holds it.
    Sheet(Receiver<Result<Batch<T>, IntakeError>>),
    /// After the end or an error.
    Done,
}

impl<T: Row> Import<T> {
    /// The most rows of a batch.
    pub const MAX_BATCH_ROWS: usize = block::MAX_BLOCK_ROWS;
    /// The most bytes that remembering a file's keys may take.
    pub const MAX_SEEN_BYTES: usize = seen::MAX_BYTES;

    /// Opens the file at `path`, CSV or XLSX, whatever its name says, and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, or does not have the columns that its kind must have.
    pub fn open(path: &Path, options: &Options) -> Result<Self, IntakeError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::open_as(path, &name, options)
    }

    /// The same where the file is called `name` by those who sent it.
    ///
    /// # Errors
    /// As [`Import::open`].
    pub fn open_as(path: &Path, name: &str, options: &Options) -> Result<Self, IntakeError> {
        let name = name.to_owned();
        let read = |source| IntakeError::Read { file: name.clone(), source };
        let mut file = File::open(path).map_err(read)?;
        let total = file.metadata().map_err(read)?.len();
        let mut magic = Vec::with_capacity(8);
        file.by_ref().take(8).read_to_end(&mut magic).map_err(read)?;
        file.rewind().map_err(read)?;
        if magic.starts_with(b"PK\x03\x04") {
            return Self::workbook(file, name, total, options);
        }
        if magic.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            return Err(IntakeError::OldWorkbook { file: name });
        }
        Self::csv(Box::new(file), &name, Some(total), options)
    }

    /// Reads CSV from `reader`, of `total` bytes if that is known; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Reading fails, or the columns are not there.
    pub fn csv(
        reader: Box<dyn Read + Send>,
        name: &str,
        total: Option<u64>,
        options: &Options,
    ) -> Result<Self, IntakeError> {
        let progress = Progress { read: Arc::default(), total };
        let decoder = Decoder::new(reader, options.encoding, progress.read.clone());
        let (splitter, layout) = Splitter::open(decoder, T::KIND, options.delimiter, options.mapping.as_ref(), name)?;
        let delimiter = splitter.delimiter();
        let context = Arc::new(context(options, layout, name));
        let source = match options.parsers.min(MAX_PARSERS) {
            0 => Source::Here { splitter, delimiter },
            parsers => Source::Parsers(spawn(splitter, delimiter, parsers, &context)),
        };
        Ok(Self::start(source, context, progress, None))
    }

    fn workbook(file: File, name: String, total: u64, options: &Options) -> Result<Self, IntakeError> {
        let progress = Progress { read: Arc::default(), total: Some(total) };
        let book = xlsx::Workbook::open(file, T::KIND, &name, options)?;
        let sheet = book.sheet().to_owned();
        let context = Arc::new(context(options, book.layout().clone(), &name));
        let (batches, queue) = bounded(BLOCKS_UNDER_WAY);
        let (its_context, read) = (context.clone(), progress.read.clone());
        thread::spawn(move || book.read(&its_context, &batches, &read, total));
        Ok(Self::start(Source::Sheet(queue), context, progress, Some(sheet)))
    }

    fn start(source: Source<T>, context: Arc<Context>, progress: Progress, sheet: Option<String>) -> Self {
        let ignored_columns = context.layout.ignored().to_vec();
        let summary = Summary { ignored_columns, repeats_checked: true, ..Summary::default() };
        Self { source, context, progress, summary, seen: Seen::default(), last_line: 0, sheet }
    }

    /// The next rows; none at the end. Waits for the file, and the file waits for the caller: at most a few blocks are under way.
    ///
    /// # Errors
    /// Reading fails; what was handed on before stands, and nothing more comes.
    pub fn next_batch(&mut self) -> Result<Option<Batch<T>>, IntakeError> {
        let next = match &mut self.source {
            Source::Here { splitter, delimiter } => {
                let delimiter = *delimiter;
                splitter.next_block().map(|b| b.map(|b| block::parse(&b, delimiter, &self.context)))
            }
            Source::Parsers(queue) => match queue.recv() {
                Ok(Ok(answer)) => answer.recv().map(Some).map_err(|_| self.stopped()),
                Ok(Err(error)) => Err(error),
                Err(_) => Ok(None),
            },
            Source::Sheet(queue) => queue.recv().ok().transpose(),
            Source::Done => Ok(None),
        };
        if !matches!(next, Ok(Some(_))) {
            self.source = Source::Done;
        }
        let mut batch = next?;
        if let Some(batch) = &mut batch {
            self.account_for(batch);
        }
        Ok(batch)
    }

    fn stopped(&self) -> IntakeError {
        IntakeError::Stopped { file: self.context.file.clone(), line: self.last_line }
    }

    /// Counts a batch, and looks for repeats.
    fn account_for(&mut self, batch: &mut Batch<T>) {
        for (row, line) in batch.rows.iter().zip(&batch.lines) {
            if let Some((key, group)) = row.repeat_key()
                && self.seen.note(key, group)
            {
                batch.warnings.note(Warning::Repeated, *line);
            }
        }
        self.summary.repeats_checked = self.seen.is_complete();
        self.summary.records += batch.rows.len() as u64 + batch.rejects.len() as u64 + batch.blank;
        self.summary.blank += batch.blank;
        self.summary.accepted += batch.rows.len() as u64;
        batch.rejects.iter().for_each(|r| self.summary.refused(r.reason));
        self.summary.add_warnings(&batch.warnings);
        self.last_line = batch.last_line;
    }

    /// Says that a row of the last batch, at `line`, cannot be applied because of our field `field`: it is counted as refused, and the reject comes
    /// back for the reject file. `value` is masked here.
    pub fn refuse(&mut self, line: u64, field: &str, value: &str, reason: Reason) -> Reject {
        self.summary.accepted = self.summary.accepted.saturating_sub(1);
        self.summary.refused(reason);
        self.places().reject(line, field, value, reason)
    }

    /// Where rows stand, for whoever refuses them while the file is read on.
    #[must_use]
    pub fn places(&self) -> Places {
        Places { context: Arc::clone(&self.context), kind: T::KIND, sheet: self.sheet.clone() }
    }

    /// What happened so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How far the reading is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

/// Where the rows of a file stand.
#[derive(Clone)]
pub struct Places {
    context: Arc<Context>,
    kind: Kind,
    sheet: Option<String>,
}

impl Places {
    /// A reject for the row at `line`, which cannot be applied because of our field `field`. `value` is masked here. Nothing is counted.
    #[must_use]
    pub fn reject(&self, line: u64, field: &str, value: &str, reason: Reason) -> Reject {
        let (column, cell, sort) = match self.context.layout.by_name(field) {
            Some((index, column)) => (
                Some(self.context.layout.header(index)),
                column.zip(self.sheet.as_deref()).map(|(c, sheet)| xlsx::cell_name(sheet, line, c)),
                self.kind.fields().get(index).map(|f| f.sort),
            ),
            None => (None, None, None),
        };
        Reject { place: Place { line, column, cell }, value: shown(value, sort), reason }
    }
}

fn context(options: &Options, layout: crate::layout::Layout, file: &str) -> Context {
    Context {
        layout,
        today: options.today,
        as_of: options.as_of,
        segments: options.segments.clone(),
        source: options.source,
        file: file.to_owned(),
    }
}

/// Starts a reader and `parsers` parsers. The queue holds the place of each block's batch in the file's order; its bound is what holds the reader back.
fn spawn<T: Row>(
    mut splitter: Splitter<Box<dyn Read + Send>>,
    delimiter: u8,
    parsers: usize,
    context: &Arc<Context>,
) -> Receiver<Result<Receiver<Batch<T>>, IntakeError>> {
    let (queue_in, queue) = bounded(BLOCKS_UNDER_WAY);
    let (work_in, work) = bounded::<(Block, Sender<Batch<T>>)>(BLOCKS_UNDER_WAY);
    for _ in 0..parsers {
        let (work, context) = (work.clone(), context.clone());
        thread::spawn(move || {
            for (block, answer) in work {
                // Nobody waits for it once the import was dropped.
                let _ = answer.send(block::parse(&block, delimiter, &context));
            }
        });
    }
    thread::spawn(move || {
        loop {
            let (sent, over) = match splitter.next_block() {
                Ok(Some(block)) => {
                    let (answer_in, answer) = bounded(1);
                    let queued = queue_in.send(Ok(answer)).is_ok();
                    (queued && work_in.send((block, answer_in)).is_ok(), false)
                }
                Ok(None) => (true, true),
                Err(error) => (queue_in.send(Err(error)).is_ok(), true),
            };
            if over || !sent {
                return;
            }
        }
    });
    queue
}
