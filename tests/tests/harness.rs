//! The harness itself: a test that waits, kills or skips must be able to trust it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use gridbell_tests::{Http, Line, Process, Stream, eventually, gridbell, scratch};
use nix::sys::signal::kill;
use nix::unistd::Pid;

fn shell(script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::spawn(command)
}

fn runs(id: i32) -> bool {
    kill(Pid::from_raw(id), None).is_ok()
}

#[test]
fn the_binary_is_the_one_of_these_sources() {
    let path = gridbell();
    assert!(path.is_file(), "{}", path.display());
    assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("gridbell"));
    assert_eq!(path, gridbell(), "built once, found ever after");
}

#[test]
fn lines_are_met_in_order_and_each_once() {
    let mut process = shell("echo a1; echo warn >&2; echo a2; echo b; exec sleep 600");
    assert_eq!(process.wait_for_out("a"), Line("a1".into()));
    assert_eq!(process.wait_for_out("a"), Line("a2".into()));
    assert_eq!(process.wait_for_err("warn"), Line("warn".into()));
    assert_eq!(process.wait_for(Stream::Out, "the last letter", |line| line == "b"), Line("b".into()));
    assert_eq!(process.output(Stream::Out), "a1\na2\nb\n");
}

#[test]
fn a_line_that_never_comes_fails_with_what_was_said_instead() {
    let mut process = shell("echo here; echo gone wrong >&2");
    let failure = catch_unwind(AssertUnwindSafe(|| process.wait_for_out("listening"))).expect_err("no such line");
    let message = failure.downcast_ref::<String>().expect("a message");
    for part in ["waited in vain for `listening` from `sh`", "here", "gone wrong"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn an_address_is_cut_out_of_its_line() {
    let line = Line("2026-11-21 console at http://127.0.0.1:4711 (user admin)".into());
    assert_eq!(line.after("console at "), Some("http://127.0.0.1:4711"));
    assert_eq!(line.after("gateway at "), None);
    assert_eq!(Line(r#"{"customers": 3}"#.into()).json().expect("JSON")["customers"], 3);
}

#[test]
fn ends_are_told_apart() {
    assert_eq!(shell("exit 3").wait().code(), Some(3));
    assert_eq!(shell("echo all; echo of it").succeed(), "all\nof it\n");
    // No child: one that is between fork and exec loses the signal in the shell's handler and outlives the shell with its pipes.
    let mut polite = shell("trap 'echo drained; exit 0' TERM; echo up; while :; do :; done");
    polite.wait_for_out("up");
    assert_eq!(polite.terminate().code(), Some(0));
    assert_eq!(polite.output(Stream::Out), "up\ndrained\n");
    let mut busy = shell("trap '' TERM; echo up; exec sleep 600");
    busy.wait_for_out("up");
    assert!(busy.kill());
    assert_eq!(busy.wait().signal(), Some(9));
    let mut over = shell("true");
    over.wait();
    assert!(!over.kill(), "what has ended was not killed");
}

#[test]
fn nothing_outlives_the_guard() {
    let mut process = shell("sleep 600 & echo child $!; echo self $$; wait");
    let child: i32 = process.wait_for_out("child").after("child ").expect("a number").parse().expect("a number");
    let own: i32 = process.wait_for_out("self").after("self ").expect("a number").parse().expect("a number");
    assert!(runs(child) && runs(own));
    drop(process);
    assert!(!runs(own), "reaped with the guard");
    // Whoever adopts the orphan reaps it in its own time; dead it is at once.
    let stat = format!("/proc/{child}/stat");
    let dead = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")).then_some(());
    eventually("the end of what the process started", dead);
}

#[test]
fn a_call_sends_its_token_and_shows_any_status() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a caller");
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        let mut body = [0; 7];
        reader.read_exact(&mut body).expect("a body");
        let answer = "HTTP/1.1 409 Conflict\r\ncontent-type: application/problem+json\r\ncontent-length: 12\r\n\r\n{\"code\":\"x\"}";
        (&stream).write_all(answer.as_bytes()).expect("an answer goes out");
        (head, String::from_utf8_lossy(&body).into_owned())
    });
    let http = Http::new(&format!("http://{address}/")).bearer("secret");
    let reply = http.post("/v1/runs", &serde_json::json!({"a": 1}));
    let (head, body) = server.join().expect("the server ends");
    assert!(head.starts_with("POST /v1/runs HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer secret\r\n"), "{head}");
    assert_eq!(body, r#"{"a":1}"#);
    assert_eq!(reply.expect(409)["code"], "x");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert!(http.try_call("GET", "/", &[], &[]).is_err(), "nobody listens any more");
}

#[test]
fn a_skip_leaves_its_test_and_is_seen_through_the_runner() {
    // In a test of its own, run as the runner would: the inner one only skips when asked to.
    let test = std::env::current_exe().expect("this test's path");
    let mut command = Command::new(test);
    command.args(["--exact", "skips_when_asked"]).env("GRIDBELL_TEST_SKIP", "1");
    let said = Process::spawn(command).succeed();
    assert!(said.contains("SKIPPED: asked to, 1 time\n"), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn skips_when_asked() {
    if std::env::var_os("GRIDBELL_TEST_SKIP").is_some() {
        gridbell_tests::skip!("asked to, {} time", 1);
    }
    let gone = scratch().path().to_owned();
    assert!(!gone.exists(), "a scratch directory goes with its guard");
}
