//! The compiler's child process: the host's side, which can kill it, and the child's own main. Bytes go in through stdin, the answer comes out through
//! stdout, and neither side trusts the other's length fields further than the bounds of [`crate::limits`].

use std::io::{self, BufRead as _, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gridbell_contract::Manifest;
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

use crate::artifact::{ArtifactStore, Digest, StoredPlugin};
use crate::compile::{Artifact, Compiled, Variant, compile};
use crate::error::{CompileFailure, End, EngineError, Refusal};
use crate::fault::sanitise;
use crate::limits::{CompileLimits, MAX_ARTIFACT_BYTES, MAX_UPLOAD_BYTES};

/// Longest header line of a request or an answer: a manifest, escaped, and a few words.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// How much of what the child says on stderr is kept.
const MAX_STDERR_BYTES: u64 = 64 << 10;
/// Address space that the child may reserve besides its memory: a guest's memory reserves 4 GiB, though it uses little of it.
const RESERVED_BYTES: u64 = 64 << 30;
/// CPU time between the signal that says that it is over and the end.
const CPU_GRACE_SECONDS: u64 = 1;
/// How long a child that has closed its stdout may take to leave.
const LEAVE_TRIES: u32 = 100;
const LEAVE_PAUSE: Duration = Duration::from_millis(10);

/// Which program compiles: the host's own, with its hidden subcommand that calls [`child_main`].
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    /// The program, as an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    cpu_seconds: u64,
    memory_bytes: u64,
    guest_memory: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Answer {
    Compiled { digest: Digest, manifest: String, artifacts: Vec<ArtifactHeader> },
    Refused { refusal: Refusal },
    Setup { detail: String },
}

#[derive(Serialize, Deserialize)]
struct ArtifactHeader {
    variant: Variant,
    compatibility: String,
    len: usize,
}

/// Compiles `upload` in a child process with limits, and kills it when its time is over.
///
/// # Errors
/// [`EngineError::Refused`] with the child's reason, [`EngineError::Compiler`] if it was killed or crashed, [`EngineError::Spawn`].
pub fn compile_in_child(
    command: &CompilerCommand,
    upload: &[u8],
    guest_memory: usize,
    limits: CompileLimits,
) -> Result<Compiled, EngineError> {
    if upload.len() > MAX_UPLOAD_BYTES {
        return Err(Refusal::TooLarge { bytes: upload.len(), limit: MAX_UPLOAD_BYTES }.into());
    }
    let request = Request { cpu_seconds: limits.cpu.as_secs().max(1), memory_bytes: limits.memory_bytes, guest_memory };
    let (status, stdout, stderr) = converse(command, &request, upload, limits.wall)?;
    match read_answer(&stdout, status, &stderr)? {
        (Answer::Compiled { digest, manifest, artifacts }, code) => {
            let bad = |detail: &str| compiler(CompileFailure::BadAnswer { detail: detail.to_owned() });
            if digest != Digest::of(upload) {
                return Err(bad("it compiled something else"));
            }
            let checked = Manifest::parse(&manifest).map_err(|e| Refusal::manifest(&e))?;
            let artifacts = split(artifacts, code).ok_or_else(|| bad("its lengths do not fit"))?;
            Ok(Compiled { digest, manifest: checked, manifest_json: manifest, artifacts })
        }
        (Answer::Refused { refusal }, _) => Err(refusal.into()),
        (Answer::Setup { detail }, _) => Err(EngineError::Setup { detail: sanitise(&detail) }),
    }
}

impl ArtifactStore {
    /// Compiles `upload` in a child process and keeps what comes of it: the way of every upload.
    ///
    /// # Errors
    /// As [`compile_in_child`] and [`ArtifactStore::put`].
    pub fn add(
        &self,
        upload: &[u8],
        command: &CompilerCommand,
        guest_memory: usize,
        limits: CompileLimits,
    ) -> Result<StoredPlugin, EngineError> {
        let compiled = compile_in_child(command, upload, guest_memory, limits)?;
        self.put(upload, &compiled)
    }

    /// Compiles a stored plugin again: after an update of the engine, or when its code was damaged.
    ///
    /// # Errors
    /// As [`ArtifactStore::upload`] and [`ArtifactStore::add`].
    pub fn rebuild(
        &self,
        digest: Digest,
        command: &CompilerCommand,
        guest_memory: usize,
        limits: CompileLimits,
    ) -> Result<StoredPlugin, EngineError> {
        self.add(&self.upload(digest)?, command, guest_memory, limits)
    }
}

fn compiler(failure: CompileFailure) -> EngineError {
    EngineError::Compiler { failure }
}

/// Kills the child if it is still there when this is dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only if it has left and been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Conversation = (Option<ExitStatus>, Vec<u8>, String);

fn converse(
    command: &CompilerCommand,
    request: &Request,
    upload: &[u8],
    wall: Duration,
) -> Result<Conversation, EngineError> {
    let spawned = Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Reaped(spawned.map_err(|source| EngineError::Spawn { program: command.program.clone(), source })?);
    let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(compiler(CompileFailure::BadAnswer { detail: "it has no pipes".to_owned() }));
    };
    let mut header = serde_json::to_vec(request).unwrap_or_default();
    header.push(b'\n');
    thread::scope(|scope| {
        // A child that stops reading breaks the pipe when it is killed; its answer or end says why.
        scope.spawn(move || stdin.write_all(&header).and_then(|()| stdin.write_all(upload)));
        let said = scope.spawn(move || read_bounded(stderr, MAX_STDERR_BYTES));
        let (send, answer) = mpsc::channel();
        scope.spawn(move || {
            let limit = MAX_HEADER_BYTES + 2 * MAX_ARTIFACT_BYTES as u64;
            // The receiver is gone only if the time is over.
            let _ = send.send(read_bounded(stdout, limit));
        });
        let stdout = answer.recv_timeout(wall);
        let status = stdout.is_ok().then(|| leave(&mut child.0)).flatten();
        drop(child);
        let said = said.join().unwrap_or_default();
        match stdout {
            Ok(stdout) => Ok((status, stdout, tail(&said))),
            Err(_) => Err(compiler(CompileFailure::TimedOut { seconds: wall.as_secs() })),
        }
    })
}

/// Waits a moment for a child that has said all it had to say.
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
    sanitise(&lines.join("; "))
}

fn read_answer<'a>(
    stdout: &'a [u8],
    status: Option<ExitStatus>,
    stderr: &str,
) -> Result<(Answer, &'a [u8]), EngineError> {
    let header_end = stdout.iter().take(MAX_HEADER_BYTES as usize).position(|b| *b == b'\n');
    let Some(end) = header_end else { return Err(compiler(ended(status, stderr))) };
    let (header, rest) = stdout.split_at(end);
    let answer = serde_json::from_slice(header)
        .map_err(|e| compiler(CompileFailure::BadAnswer { detail: sanitise(&e.to_string()) }))?;
    Ok((answer, &rest[1..]))
}

fn ended(status: Option<ExitStatus>, stderr: &str) -> CompileFailure {
    let signal = status.and_then(|s| s.signal());
    match (signal, status.and_then(|s| s.code())) {
        (Some(signal), _) => CompileFailure::Signalled { signal, end: end(signal, stderr) },
        (None, Some(code)) => CompileFailure::Exited { code, stderr: stderr.to_owned() },
        (None, None) => CompileFailure::BadAnswer { detail: "it fell silent without leaving".to_owned() },
    }
}

fn end(signal: i32, stderr: &str) -> End {
    use nix::sys::signal::Signal;
    match Signal::try_from(signal) {
        Ok(Signal::SIGXCPU) => End::CpuTime,
        // The standard library aborts when a stack is full, and when memory is: its last words tell which.
        Ok(Signal::SIGABRT) if stderr.contains("overflowed its stack") => End::Crash,
        Ok(Signal::SIGABRT | Signal::SIGKILL) => End::Memory,
        Ok(Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGILL | Signal::SIGFPE) => End::Crash,
        _ => End::Other,
    }
}

fn split(headers: Vec<ArtifactHeader>, mut code: &[u8]) -> Option<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for header in headers {
        let (bytes, rest) = code.split_at_checked(header.len)?;
        code = rest;
        let (variant, compatibility) = (header.variant, header.compatibility);
        artifacts.push(Artifact { variant, compatibility, bytes: bytes.to_vec() });
    }
    code.is_empty().then_some(artifacts)
}

/// The main of the compiler's process: limits itself, reads the request and the upload from stdin, writes the answer to stdout.
#[must_use]
pub fn child_main() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(from: &mut impl io::BufRead, to: &mut impl Write) -> io::Result<()> {
    let mut header = Vec::new();
    from.take(MAX_HEADER_BYTES).read_until(b'\n', &mut header)?;
    let request: Request = serde_json::from_slice(&header).map_err(io::Error::other)?;
    limit(&request)?;
    let mut upload = Vec::new();
    from.take(MAX_UPLOAD_BYTES as u64 + 1).read_to_end(&mut upload)?;
    let (answer, artifacts) = match compile(&upload, request.guest_memory) {
        Ok(compiled) => {
            let header = |a: &Artifact| ArtifactHeader {
                variant: a.variant,
                compatibility: a.compatibility.clone(),
                len: a.bytes.len(),
            };
            let headers = compiled.artifacts.iter().map(header).collect();
            let (digest, manifest) = (compiled.digest, compiled.manifest_json);
            (Answer::Compiled { digest, manifest, artifacts: headers }, compiled.artifacts)
        }
        Err(EngineError::Refused(refusal)) => (Answer::Refused { refusal }, Vec::new()),
        Err(other) => (Answer::Setup { detail: other.to_string() }, Vec::new()),
    };
    serde_json::to_writer(&mut *to, &answer)?;
    to.write_all(b"\n")?;
    for artifact in artifacts {
        to.write_all(&artifact.bytes)?;
    }
    to.flush()
}

/// Takes the limits upon this process, before a byte of the upload is read. It can never raise them again.
fn limit(request: &Request) -> io::Result<()> {
    let set = |resource, value| setrlimit(resource, value, value).map_err(io::Error::from);
    set(Resource::RLIMIT_CORE, 0)?;
    // It writes no file; the initial image of a guest's memory is one without a name, in memory.
    set(Resource::RLIMIT_FSIZE, request.memory_bytes)?;
    // Where both limits are one, the kernel kills without saying why; so the signal that names the cause comes first.
    let cpu = request.cpu_seconds;
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu.saturating_add(CPU_GRACE_SECONDS)).map_err(io::Error::from)?;
    set(Resource::RLIMIT_DATA, request.memory_bytes)?;
    set(Resource::RLIMIT_AS, request.memory_bytes.saturating_add(RESERVED_BYTES))
}
