//! Every way in which a guest can fail, as one typed error. The only place that looks at wasmtime's errors.

use std::fmt;

use gridbell_model::PrefectureCode;
use thiserror::Error;
use wasmtime::{Trap, WasmBacktrace};

use crate::artifact::Digest;
use crate::limits::MAX_MESSAGE_CHARS;

/// Which function of the plugin was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// The instance was being made: data copied in, start functions run.
    Instantiate,
    /// `manifest`
    Manifest,
    /// `interest`
    Interest,
    /// `decide`
    Decide,
    /// `explain`
    Explain,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instantiate => "while starting",
            Self::Manifest => "in `manifest`",
            Self::Interest => "in `interest`",
            Self::Decide => "in `decide`",
            Self::Explain => "in `explain`",
        })
    }
}

/// An amount of memory, as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(
    /// Bytes.
    pub usize,
);

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

/// What a guest did wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GuestFault {
    /// It gave up by itself, or did what a machine cannot.
    #[error("it trapped: {what}{at}")]
    Trapped {
        /// The trap, in wasmtime's words.
        what: String,
        /// ` at f < g < h`, where the component carries names; else empty.
        at: String,
    },
    /// It ran past its deadline.
    #[error("it ran longer than {ms} ms")]
    Deadline {
        /// The deadline in milliseconds.
        ms: u64,
    },
    /// It used the fuel it was given.
    #[error("it used up its {fuel} units of fuel")]
    OutOfFuel {
        /// Units given for a batch.
        fuel: u64,
    },
    /// It wanted more memory than it may have.
    #[error("it wanted more than {limit} of memory")]
    OutOfMemory {
        /// The ceiling.
        limit: Memory,
    },
    /// It recursed too deeply.
    #[error("it recursed until its stack of {limit} was full{at}")]
    StackOverflow {
        /// The ceiling.
        limit: Memory,
        /// As with [`GuestFault::Trapped`].
        at: String,
    },
    /// Its answer carries more than any answer may.
    #[error("its answer carries more than {limit} bytes")]
    AnswerTooLarge {
        /// The ceiling of this call, in bytes.
        limit: usize,
    },
    /// Its answer does not follow the canonical ABI: a pointer out of its memory, text that is not UTF-8, a value that the type lacks.
    #[error("its answer cannot be read: {detail}")]
    Malformed {
        /// What the reader said.
        detail: String,
    },
    /// It answered `Err`.
    #[error("it refused: `{message}`")]
    Refused {
        /// Its own words, cut and cleaned of control characters.
        message: String,
    },
    /// More decisions than rows.
    #[error("it answered {got} decisions for {rows} rows")]
    TooManyDecisions {
        /// How many.
        got: usize,
        /// Rows of the batch.
        rows: usize,
    },
    /// A decision about a row that the batch does not have.
    #[error("it decided about row {row} of a batch of {rows}")]
    RowOutOfRange {
        /// The row, within the batch.
        row: u32,
        /// Rows of the batch.
        rows: usize,
    },
    /// Two decisions about one row.
    #[error("it decided twice about row {row} of the batch")]
    RowTwice {
        /// The row, within the batch.
        row: u32,
    },
    /// An index beyond the manifest's list.
    #[error("it answered {list} {index} for row {row} of the batch, and its manifest has {len}")]
    UnknownIndex {
        /// `notice`, `reason` or `route`.
        list: &'static str,
        /// What it answered.
        index: u16,
        /// How many the manifest has; indexes count from 0.
        len: usize,
        /// The row, within the batch.
        row: u32,
    },
    /// Steps count from 1.
    #[error("it answered step 0 for row {row} of the batch; steps count from 1")]
    StepZero {
        /// The row, within the batch.
        row: u32,
    },
    /// `explain` must answer for each row.
    #[error("it explained {got} of {rows} rows")]
    ExplainLength {
        /// How many.
        got: usize,
        /// Rows of the batch.
        rows: usize,
    },
    /// An interest that the contract forbids.
    #[error("its interest is not one: {detail}")]
    BadInterest {
        /// What is wrong with it.
        detail: String,
    },
}

impl GuestFault {
    /// What whoever reads the error can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Deadline { .. } => "let its author make it faster, or certify a higher cost",
            Self::OutOfFuel { .. } => "let its author make it cheaper, or certify with more fuel",
            Self::OutOfMemory { .. } => "let its author use less, or raise the host's ceiling for guests",
            Self::Refused { .. } => "correct the policy's parameters if that is what it asks for, else tell its author",
            _ => "go back to the version before and tell its author",
        }
    }
}

/// A guest's failure with everything that a person needs to find it: plugin, prefecture, call and batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct GuestError {
    /// Name and version from its manifest.
    pub plugin: String,
    /// The plugin's digest.
    pub digest: Digest,
    /// Whose run it was.
    pub prefecture: PrefectureCode,
    /// Which function.
    pub call: Call,
    /// Which batch of the run, from 0; none where the call has no batch.
    pub batch: Option<u32>,
    /// The batch's rows by their number in the table, in the batch's order: what it takes to ask the same again. Empty where there is no batch.
    pub rows: Vec<u32>,
    /// What it did.
    pub fault: GuestFault,
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "plugin `{}` ({:.12}) failed for prefecture {} {}",
            self.plugin, self.digest, self.prefecture, self.call
        )?;
        if let Some(batch) = self.batch {
            write!(f, ", batch {batch}")?;
        }
        write!(f, ": {}; nothing of this run was kept; {}", self.fault, self.fault.advice())
    }
}

/// How wasmtime 48 says that an answer is over its ceiling. The type of that error is private, so its words must do; a test with a huge answer
/// notices when they change, and until then it would be called malformed, which refuses it all the same.
const ANSWER_TOO_LARGE: &str = "too much data is being copied between the host and the guest";

/// The limits under which a call ran, to be named where one was met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceilings {
    pub(crate) deadline_ms: u64,
    pub(crate) fuel: u64,
    pub(crate) memory: usize,
    pub(crate) stack: usize,
    pub(crate) answer: usize,
    /// Whether the guest was refused memory.
    pub(crate) memory_refused: bool,
}

/// What `error`, which a call into a guest returned, says about the guest. A deadline or a refused allocation may strike inside the guest's
/// `cabi_realloc`, while arguments are passed: it is the same error there.
pub(crate) fn classify(error: &wasmtime::Error, ceilings: Ceilings) -> GuestFault {
    let at = error.downcast_ref::<WasmBacktrace>().map(stack_of).unwrap_or_default();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => GuestFault::Deadline { ms: ceilings.deadline_ms },
        Some(Trap::OutOfFuel) => GuestFault::OutOfFuel { fuel: ceilings.fuel },
        Some(Trap::StackOverflow) => GuestFault::StackOverflow { limit: Memory(ceilings.stack), at },
        // A guest that is refused memory ends by its own `unreachable`, or by writing where its allocator said "none".
        _ if ceilings.memory_refused => GuestFault::OutOfMemory { limit: Memory(ceilings.memory) },
        Some(trap) => GuestFault::Trapped { what: trap.to_string().trim_start_matches("wasm trap: ").to_owned(), at },
        None => {
            let detail = error.root_cause().to_string();
            if detail.starts_with(ANSWER_TOO_LARGE) {
                return GuestFault::AnswerTooLarge { limit: ceilings.answer };
            }
            GuestFault::Malformed { detail: sanitise(&detail) }
        }
    }
}

/// Names of the innermost functions, where the component carries names.
fn stack_of(backtrace: &WasmBacktrace) -> String {
    const FRAMES: usize = 4;
    let names: Vec<String> =
        backtrace.frames().iter().filter_map(|f| f.func_name()).take(FRAMES).map(|n| sanitise(&short(n))).collect();
    if names.is_empty() { String::new() } else { format!(", at `{}`", names.join("` in `")) }
}

fn short(name: &str) -> String {
    const NAME_CHARS: usize = 80;
    name.chars().take(NAME_CHARS).collect()
}

/// Text of a guest, fit for a log and a screen: one line, no control characters, no back-ticks, at most [`MAX_MESSAGE_CHARS`].
pub(crate) fn sanitise(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .take(MAX_MESSAGE_CHARS)
        .map(|c| {
            if c.is_control() || is_invisible(c) {
                ' '
            } else if c == '`' {
                '\''
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(MAX_MESSAGE_CHARS).is_some() {
        clean.push('…');
    }
    clean
}

/// Characters that reorder or hide what stands around them on a screen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_words_are_cut_and_cleaned() {
        assert_eq!(sanitise("a\nb\u{1b}[31m`c`\u{202e}d"), "a b [31m'c' d");
        let long = "停".repeat(MAX_MESSAGE_CHARS + 5);
        assert_eq!(sanitise(&long).chars().count(), MAX_MESSAGE_CHARS + 1);
        assert_eq!(sanitise(&"x".repeat(MAX_MESSAGE_CHARS)).len(), MAX_MESSAGE_CHARS);
    }
}
