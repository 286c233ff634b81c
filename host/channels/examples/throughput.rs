//! Messages a second from an outbox in memory to the simulated gateway on loopback, answers and reports included, without pacing unless asked for.
//!
//! `cargo run --release -p gridbell-channels --example throughput [messages] [window] [connections] [commit-group] [commit-ms] [grant]`
//!
//! With a grant it shows how much of it is used and the most that the gateway saw in any one second.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gridbell_channels::{Secret, Tcp, start};
use gridbell_clock::{Clock, Seed};
use gridbell_simulators::cmpp::{Account, Config, Gateway};
use support::{MemoryOutbox, config};

const SP: &str = "901234";

fn argument(n: usize, default: usize) -> usize {
    std::env::args().nth(n).and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (messages, window) = (argument(1, 500_000), argument(2, 16));
    let (connections, group) = (argument(3, 1), argument(4, 512));
    let commit = Duration::from_millis(argument(5, 0) as u64);
    let grant = argument(6, 0);
    let clock = Clock::system();
    let account =
        Account { rate: 0, window, deliver_window: group, max_connections: connections, ..Account::default() };
    let gateway = Config { log_capacity: 0, ..Config::with_account(account) };
    let gateway =
        Gateway::start(gateway, clock.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a free port");
    let outbox = MemoryOutbox::quiet(&clock, commit);
    for n in 0..messages {
        outbox.put(
            &(13_000_000_000 + n).to_string(),
            "【国网山西电力】截至2月13日，您家电费余额为19.53元。为避免欠费停电，请您及时补充余额。",
        );
    }
    let more = format!("window = {window}\nconnections = {connections}\ncommit-group = {group}\ngrant = {grant}");
    let link = config(&gateway.addr().to_string(), &more);
    let began = clock.monotonic();
    let link = start(link, Secret::new("secret"), outbox, Tcp, clock.clone(), Seed(1)).expect("a good configuration");
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == messages as u64).await;
    let took = clock.monotonic() - began;
    let counts = link.status().counts;
    let account = stats.account(SP);
    assert_eq!(
        (counts.accepted, account.parts_accepted, account.window_violations),
        (messages as u64, messages as u64, 0)
    );
    println!(
        "{messages} messages, window {window}, {connections} connections, commit group {group} in {} ms: {:.2} s, {:.0} messages/s",
        commit.as_millis(),
        took.as_secs_f64(),
        messages as f64 / took.as_secs_f64()
    );
    if grant > 0 {
        // The first second and its guard belong to the process before.
        let used = messages as f64 / (took.as_secs_f64() - 1.1) / grant as f64;
        println!("grant {grant}: {:.2} % used, at most {} seen in any one second", used * 100.0, account.peak_offered);
    }
}
