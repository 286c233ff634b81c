//! The certifier's process: the host's side, which shows its progress and can kill it, and the process's own main. A request goes in through stdin,
//! lines of JSON come out through stdout. Neither side trusts the other's lengths further than the bounds below.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_engine::{ArtifactStore, Digest, Engine, EngineConfig};
use gridbell_model::CivilMinute;
use gridbell_planner::Calendar;
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, Check};
use crate::error::CertifyError;
use crate::real::{RealCustomers, RealHeader};
use crate::request::{Budget, Cancel, CertifyRequest, Progress, Terms};
use crate::trial::certify;

/// Longest line of a request: a calendar of some years and a few words.
const MAX_REQUEST_BYTES: u64 = 4 << 20;
/// Longest answer: a certificate with a counterexample for each check, and the lines of progress.
const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// How much of what the process says on stderr is kept.
const MAX_STDERR_BYTES: u64 = 64 << 10;
/// How often the host looks whether somebody cancelled.
const LOOK: Duration = Duration::from_millis(50);
/// How long a process that has said its last may take to leave.
const LEAVE_TRIES: u32 = 100;
const LEAVE_PAUSE: Duration = Duration::from_millis(10);
/// Open files: the plugin's own, standard streams, and a nameless file in memory for each module's data.
const MAX_FILES: u64 = 512;
/// CPU time between the signal that says that it is over and the end.
const CPU_GRACE_SECONDS: u64 = 1;
/// How far the process stands behind the host for the processor: as far as it goes.
const NICE: i32 = 19;

/// Which program certifies: the host's own, with its hidden subcommand that calls [`child_main`].
#[derive(Debug, Clone)]
pub struct CertifierCommand {
    /// The program, as an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    artifacts: PathBuf,
    digest: Digest,
    engine: EngineConfig,
    calendar: Calendar,
    now: CivilMinute,
    seed: u64,
    budget: Budget,
    real: Option<RealHeader>,
    without: Vec<Check>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "kebab-case")]
enum Message {
    Progress(Progress),
    Done { certificate: Box<Certificate> },
    Failed { detail: String },
}

/// Certifies a stored plugin in a process of its own. Blocks until it is done, cancelled or killed; the process never outlives the call.
///
/// # Errors
/// [`CertifyError`]; a plugin that fails a check is no error, but a certificate that has not passed.
pub fn certify_in_child(
    command: &CertifierCommand,
    request: &CertifyRequest,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Certificate, CertifyError> {
    let spawned = Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let spawn = |source| CertifyError::Spawn { program: command.program.clone(), source };
    let mut child = Reaped(spawned.map_err(spawn)?);
    let pipes = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(bad("it has no pipes")) };
    let sent = Request::of(request);
    thread::scope(|scope| {
        // A process that stops reading breaks the pipe when it is killed; its answer or end says why.
        scope.spawn(move || sent.write(request.terms.real.as_ref(), stdin));
        let said = scope.spawn(move || read_bounded(stderr, MAX_STDERR_BYTES));
        let (send, messages) = mpsc::sync_channel(64);
        scope.spawn(move || {
            for line in BufReader::new(stdout.take(MAX_ANSWER_BYTES)).split(b'\n') {
                // The receiver is gone only if the conversation is over.
                if line.is_err() || line.is_ok_and(|line| send.send(line).is_err()) {
                    break;
                }
            }
        });
        let heard = listen(&messages, request.terms.budget.wall, progress, cancel);
        let status = matches!(heard, Ok(None)).then(|| leave(&mut child.0)).flatten();
        drop(child);
        // Lines that still wait would keep their reader.
        drop(messages);
        let said = said.join().unwrap_or_default();
        match heard? {
            Some(certificate) if certificate.digest == request.digest => Ok(certificate),
            Some(_) => Err(bad("it certified something else")),
            None => Err(ended(status, &tail(&said), &request.terms.budget)),
        }
    })
}

/// Hears what the process says until its certificate, or until it says nothing more.
fn listen(
    messages: &mpsc::Receiver<Vec<u8>>,
    wall: Duration,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Option<Certificate>, CertifyError> {
    let clock = Clock::system();
    let began = clock.monotonic();
    loop {
        if cancel.is_cancelled() {
            return Err(CertifyError::Cancelled);
        }
        if clock.monotonic() - began >= wall {
            return Err(CertifyError::TimedOut { seconds: wall.as_secs() });
        }
        let line = match messages.recv_timeout(LOOK) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        };
        match serde_json::from_slice(&line).map_err(|e| bad(&e.to_string()))? {
            Message::Progress(p) => progress(p),
            Message::Done { certificate } => return Ok(Some(*certificate)),
            Message::Failed { detail } => return Err(CertifyError::Failed { detail }),
        }
    }
}

impl Request {
    fn of(request: &CertifyRequest) -> Self {
        let terms = &request.terms;
        Self {
            // The process has another working directory.
            artifacts: std::path::absolute(&request.artifacts).unwrap_or_else(|_| request.artifacts.clone()),
            digest: request.digest,
            engine: request.engine.clone(),
            calendar: terms.calendar.clone(),
            now: terms.now,
            seed: terms.seed.0,
            budget: terms.budget,
            real: terms.real.as_ref().map(RealCustomers::header),
            without: terms.without.clone(),
        }
    }

    fn write(&self, real: Option<&RealCustomers>, to: impl Write) -> io::Result<()> {
        let mut to = io::BufWriter::new(to);
        serde_json::to_writer(&mut to, self)?;
        to.write_all(b"\n")?;
        if let Some(real) = real {
            real.write(&mut to)?;
        }
        to.flush()
    }
}

fn bad(detail: &str) -> CertifyError {
    CertifyError::BadAnswer { detail: detail.to_owned() }
}

/// Kills the process if it is still there when this is dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only if it has left and been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits a moment for a process that has said all it had to say.
fn leave(child: &mut Child) -> Option<ExitStatus> {
    for _ in 0..LEAVE_TRIES {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(LEAVE_PAUSE);
    }
    None
}

/// Reads to the end or to `limit`, whatever comes first; what came before an error counts.
fn read_bounded(from: impl Read, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.take(limit).read_to_end(&mut bytes);
    bytes
}

fn tail(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.reverse();
    lines.join("; ").chars().filter(|c| !c.is_control()).take(400).collect()
}

fn ended(status: Option<ExitStatus>, stderr: &str, budget: &Budget) -> CertifyError {
    use nix::sys::signal::Signal as S;
    match (status.and_then(|s| s.signal()), status.and_then(|s| s.code())) {
        (Some(signal), _) => match S::try_from(signal) {
            Ok(S::SIGXCPU) => CertifyError::OutOfCpu { seconds: cpu_seconds(budget) },
            // Nothing in the process sends these to itself: its memory has a limit of its own, which ends it by SIGABRT.
            Ok(S::SIGKILL | S::SIGTERM | S::SIGINT | S::SIGHUP | S::SIGQUIT) => CertifyError::Interrupted { signal },
            _ => CertifyError::Signalled { signal, meaning: meaning(signal) },
        },
        (None, Some(code)) => CertifyError::Exited { code, stderr: stderr.to_owned() },
        (None, None) => bad("it fell silent without leaving"),
    }
}

/// The limit of CPU time, in whole seconds as the kernel takes it.
fn cpu_seconds(budget: &Budget) -> u64 {
    budget.cpu.as_secs().max(1)
}

fn meaning(signal: i32) -> &'static str {
    use nix::sys::signal::Signal as S;
    match S::try_from(signal) {
        Ok(S::SIGABRT) => " (most likely out of memory)",
        Ok(S::SIGSEGV | S::SIGBUS) => " (it crashed)",
        _ => "",
    }
}

/// The main of the certifier's process: limits itself, reads the request from stdin, writes progress and certificate to stdout.
#[must_use]
pub fn child_main() -> ExitCode {
    let mut to = io::stdout().lock();
    let message = match serve(&mut io::stdin().lock(), &mut to) {
        Ok(certificate) => Message::Done { certificate: Box::new(certificate) },
        Err(error) => Message::Failed { detail: with_causes(&error) },
    };
    match say(&mut to, &message) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is left to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(from: &mut impl BufRead, to: &mut impl Write) -> Result<Certificate, CertifyError> {
    let setup = |e: io::Error| CertifyError::Setup { detail: e.to_string() };
    let mut line = Vec::new();
    from.take(MAX_REQUEST_BYTES).read_until(b'\n', &mut line).map_err(setup)?;
    let request: Request = serde_json::from_slice(&line).map_err(|e| setup(e.into()))?;
    limit(&request.budget).map_err(setup)?;
    let real = request.real.as_ref().map(|header| RealCustomers::read(header, from)).transpose().map_err(setup)?;
    // One thread: the host keeps the other cores.
    let config = EngineConfig { threads: 1, ..request.engine };
    let engine = Engine::new(config, Clock::system())?;
    let store = ArtifactStore::open(request.artifacts)?;
    let (plugin, upload) = (engine.load(&store, request.digest)?, store.upload(request.digest)?);
    let Request { calendar, now, seed, budget, without, .. } = request;
    let terms = Terms { calendar, now, seed: Seed(seed), budget, real, without };
    // If nobody hears it, the answer will not be heard either.
    let mut progress = |p| drop(say(to, &Message::Progress(p)));
    certify(&engine, &plugin, &upload, &terms, &mut progress, &Cancel::default())
}

fn say(to: &mut impl Write, message: &Message) -> io::Result<()> {
    serde_json::to_writer(&mut *to, message)?;
    to.write_all(b"\n")?;
    to.flush()
}

fn with_causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(c) = cause {
        text.push_str(": ");
        text.push_str(&c.to_string());
        cause = c.source();
    }
    text
}

/// Takes the limits upon this process, before the plugin is read. It can never raise them again.
fn limit(budget: &Budget) -> io::Result<()> {
    let set = |resource, value| setrlimit(resource, value, value).map_err(io::Error::from);
    // A host that is killed takes its certifier with it.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // SAFETY: a call with two numbers that changes the priority of this process and touches no memory.
    let _ = unsafe { nix::libc::nice(NICE) };
    set(Resource::RLIMIT_CORE, 0)?;
    // It writes no file; the initial image of a guest's memory is one without a name, in memory.
    set(Resource::RLIMIT_FSIZE, budget.memory_bytes)?;
    set(Resource::RLIMIT_NOFILE, MAX_FILES)?;
    // Where both limits are one, the kernel kills without saying why; so the signal that names the cause comes first.
    let cpu = cpu_seconds(budget);
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu.saturating_add(CPU_GRACE_SECONDS)).map_err(io::Error::from)?;
    set(Resource::RLIMIT_DATA, budget.memory_bytes)
}
