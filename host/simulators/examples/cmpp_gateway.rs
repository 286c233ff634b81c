//! A gateway to point any CMPP client at: `cargo run -p gridbell-simulators --example cmpp_gateway -- [address] [config.json]`.
//!
//! Listens on 127.0.0.1:7890 unless told otherwise, with one account, 901234 with the secret `secret`, unless a configuration
//! names others. Prints each accepted part as a line of JSON and, when interrupted, the counters.

use std::process::ExitCode;

use gridbell_clock::Clock;
use gridbell_simulators::cmpp::{Account, Config, Gateway, Stats};

const DEFAULT_ADDRESS: &str = "127.0.0.1:7890";

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| DEFAULT_ADDRESS.into()).parse()?;
    let config = match arguments.next() {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        None => Config::with_account(Account::default()),
    };
    let gateway = Gateway::start(config, Clock::system(), address).await?;
    eprintln!("listening on {}", gateway.addr());
    let mut printed = 0;
    loop {
        let more = gateway.wait_until(|stats| accepted(stats) > printed);
        tokio::select! {
            stats = more => {
                let entries = gateway.log_since(printed);
                for entry in &entries {
                    println!("{}", serde_json::to_string(entry)?);
                }
                // The log may have grown since the counters were read, and may have forgotten some.
                printed = accepted(&stats).max(printed + entries.len() as u64);
            }
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                eprintln!("{}", serde_json::to_string_pretty(&gateway.stats())?);
                gateway.shutdown().await;
                return Ok(());
            }
        }
    }
}

fn accepted(stats: &Stats) -> u64 {
    stats.accounts.values().map(|account| account.parts_accepted).sum()
}
