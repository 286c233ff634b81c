//! A process under test: started, read line by line, signalled, and never left behind.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::{PATIENCE, gridbell, root, scratch};

/// Lines of one stream that nobody has looked at yet; older ones stay in the stream's file alone.
const MAX_UNREAD: usize = 100_000;
/// Lines of each stream shown with a failure.
const TAIL: usize = 40;
/// How long a failure waits for the end of a process's other stream, so that its last words are in the message. Both end with the process;
/// one that lives on with one stream closed is not waited for any longer.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Which of a process's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line that a process printed, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(pub String);

impl Line {
    /// What follows `before`, up to the next white space or quote: the address in `listening on http://127.0.0.1:4711`.
    pub fn after(&self, before: &str) -> Option<&str> {
        let (_, rest) = self.0.split_once(before)?;
        rest.split([' ', '\t', '"', '\'', '`', ',']).next()
    }

    /// The line as one JSON value, for output with `--json` and logs in JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.0).ok()
    }
}

/// A running process and all that it starts. Dropping it kills the whole group and, in a failing test, shows what it last said.
pub struct Process {
    name: String,
    child: Child,
    state: Arc<State>,
    files: TempDir,
    status: Option<ExitStatus>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    unread: [VecDeque<String>; 2],
    closed: [bool; 2],
    exited: bool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A panicking reader leaves whole lines behind: they are still worth reading.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut Seen)) {
        how(&mut self.lock());
        self.changed.notify_all();
    }
}

impl Process {
    /// Starts the real binary with these arguments, in the project's top directory.
    pub fn gridbell<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(gridbell());
        command.args(arguments).current_dir(root());
        Self::spawn(command)
    }

    /// Starts any command, without standard input and in a process group of its own.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn spawn(mut command: Command) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("`{name}` does not start: {e}"));
        let files = scratch();
        let state = Arc::new(State::default());
        let pipes: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("standard output is piped")),
            Box::new(child.stderr.take().expect("standard error is piped")),
        ];
        for (stream, pipe) in [Stream::Out, Stream::Err].into_iter().zip(pipes) {
            let file = File::create(file_of(&files, stream)).expect("output can be kept");
            let state = Arc::clone(&state);
            std::thread::spawn(move || read(pipe, file, stream, &state));
        }
        let (id, watched) = (pid(&child), Arc::clone(&state));
        std::thread::spawn(move || {
            // Seen but not reaped: the process number stays ours for as long as we may signal it.
            while waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::Error::EINTR) {}
            watched.change(|seen| seen.exited = true);
        });
        Self { name, child, state, files, status: None }
    }

    /// The next line of a stream that `wanted` accepts. It and all before it count as read; the next call looks behind it.
    ///
    /// `what` completes "waited in vain for …".
    ///
    /// # Panics
    ///
    /// When the stream ends before such a line, or after [`PATIENCE`].
    #[track_caller]
    pub fn wait_for(&mut self, stream: Stream, what: &str, wanted: impl Fn(&str) -> bool) -> Line {
        let at = stream as usize;
        let mut found = None;
        let guard = self.state.lock();
        let (guard, waited) = self
            .state
            .changed
            .wait_timeout_while(guard, PATIENCE, |seen| {
                // Asked before the lines are taken: what was read before the end is not missed.
                let closed = seen.closed[at];
                while let Some(line) = seen.unread[at].pop_front() {
                    if wanted(&line) {
                        found = Some(Line(line));
                        return false;
                    }
                }
                !closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        let why = if waited.timed_out() { "it is still running" } else { "it said nothing more" };
        if found.is_none() && !waited.timed_out() {
            let all = self.state.changed.wait_timeout_while(guard, LAST_WORDS, |seen| seen.closed != [true, true]);
            drop(all.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(guard);
        }
        found.unwrap_or_else(|| panic!("waited in vain for {what} from `{}`: {why}\n{}", self.name, self.tail()))
    }

    /// The next line of standard output that contains `text`.
    #[track_caller]
    pub fn wait_for_out(&mut self, text: &str) -> Line {
        self.wait_for(Stream::Out, &format!("`{text}`"), |line| line.contains(text))
    }

    /// The next line of standard error that contains `text`.
    #[track_caller]
    pub fn wait_for_err(&mut self, text: &str) -> Line {
        self.wait_for(Stream::Err, &format!("`{text}`"), |line| line.contains(text))
    }

    /// Waits for its own end.
    ///
    /// # Panics
    ///
    /// When it still runs after [`PATIENCE`].
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        let (seen, _) = self
            .state
            .changed
            .wait_timeout_while(self.state.lock(), PATIENCE, |seen| !(seen.exited && seen.closed == [true, true]))
            .unwrap_or_else(PoisonError::into_inner);
        let exited = seen.exited;
        drop(seen);
        assert!(exited, "`{}` does not end\n{}", self.name, self.tail());
        let status = self.child.wait().expect("an ended process can be asked how");
        self.status = Some(status);
        status
    }

    /// Waits for its own end, which must be a success; gives all of standard output.
    ///
    /// # Panics
    ///
    /// When it fails, with what it said.
    #[track_caller]
    pub fn succeed(&mut self) -> String {
        let status = self.wait();
        assert!(status.success(), "`{}` failed: {status}\n{}", self.name, self.tail());
        self.output(Stream::Out)
    }

    /// Asks it to stop (SIGTERM) and waits until it has: what a service manager does.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Ends it and all it started at once (SIGKILL): what a power cut does. True if it was still running.
    #[track_caller]
    pub fn kill(&mut self) -> bool {
        self.signal(Signal::SIGKILL);
        self.wait().signal() == Some(Signal::SIGKILL as i32)
    }

    /// Sends a signal to the process and all that it started; an ended process takes none.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // It may have ended a moment ago, which the caller learns from `wait`.
            let _ = killpg(pid(&self.child), signal);
        }
    }

    /// Whether it has ended by itself or was ended; asks, does not wait.
    pub fn has_ended(&self) -> bool {
        self.status.is_some() || self.state.lock().exited
    }

    /// Its process number, for what only the system knows: memory, open files.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that a stream has said so far.
    pub fn output(&self, stream: Stream) -> String {
        let bytes = std::fs::read(self.file(stream)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The file in which a stream is kept until the process is dropped.
    pub fn file(&self, stream: Stream) -> PathBuf {
        file_of(&self.files, stream)
    }

    fn tail(&self) -> String {
        let mut text = String::new();
        for (stream, title) in [(Stream::Out, "standard output"), (Stream::Err, "standard error")] {
            let output = self.output(stream);
            let lines: Vec<&str> = output.lines().collect();
            let last = &lines[lines.len().saturating_sub(TAIL)..];
            text += &format!("--- last {} lines of its {title}\n{}\n", last.len(), last.join("\n"));
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("`{}` at the moment of failure:\n{}", self.name, self.tail());
        }
        self.signal(Signal::SIGKILL);
        if self.status.is_none() {
            // Killed, so this does not last; there is nobody to tell if it cannot be asked.
            let _ = self.child.wait();
        }
    }
}

/// Moves a pipe into its file and into the lines that are waited for, until it ends.
fn read(pipe: Box<dyn Read + Send>, mut file: File, stream: Stream, state: &State) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    // A pipe that cannot be read has ended, as far as a test can tell.
    while pipe.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        // The file is for people and `output`; a full disk must not stop the product by filling its pipe.
        let _ = file.write_all(&bytes);
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        state.change(|seen| {
            let unread = &mut seen.unread[stream as usize];
            if unread.len() == MAX_UNREAD {
                unread.pop_front();
            }
            unread.push_back(line);
        });
        bytes.clear();
    }
    state.change(|seen| seen.closed[stream as usize] = true);
}

fn file_of(files: &TempDir, stream: Stream) -> PathBuf {
    files.path().join(match stream {
        Stream::Out => "stdout",
        Stream::Err => "stderr",
    })
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process numbers are small"))
}
