//! `gridbell simulate`: one simulated gateway on its own, for whoever writes or tests a client.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gridbell_clock::Clock;
use gridbell_simulators::{cmpp, sgip, smgp, sms};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CommandError, with_causes};

const CMPP_ADDRESS: &str = "127.0.0.1:7890";
const SGIP_ADDRESS: &str = "127.0.0.1:8801";
const SMGP_ADDRESS: &str = "127.0.0.1:8890";

#[derive(Subcommand, Debug)]
pub(crate) enum SimulateCommand {
    /// China Mobile's gateway: CMPP 2.0 and 3.0
    #[command(after_help = "\
Without --config there is one account, SP_Id 901234 with the secret `secret`, granted 100 parts a second and 16
unanswered submits. The configuration is one JSON object; what it leaves out is the default:

  {\"accounts\": [{\"sp_id\": \"901001\", \"secret\": \"s\", \"rate\": 50, \"window\": 16, \"src_prefix\": \"10657\"}],
   \"seed\": 7,
   \"faults\": {\"bad_number\": 0.01, \"failure_share\": 0.05, \"report_delay_ms\": [100, 2000],
              \"report_lose\": 0.01, \"report_repeat\": 0.01, \"report_reorder\": 0.1, \"throttle\": 0.01}}

EXAMPLES
  gridbell simulate cmpp
  gridbell simulate cmpp --listen 0.0.0.0:7890 --config gateway.json > accepted.jsonl")]
    Cmpp(SimulateArgs),
    /// China Unicom's gateway: SGIP 1.2, with reports on the reverse connection
    #[command(after_help = "\
Without --config there is one account, login name power with the password `secret`, granted 100 parts a second and 32
unanswered submits. Reports and inbound messages go to the address in `reverse`, which the gateway dials and binds
with the account's own name and password; without one they wait. The configuration is one JSON object; what it
leaves out is the default:

  {\"accounts\": [{\"id\": \"power\", \"secret\": \"s\", \"rate\": 50, \"reverse\": \"127.0.0.1:8802\"}],
   \"gateway_id\": 100371,
   \"faults\": {\"failure_share\": 0.05, \"failure_codes\": [{\"code\": 27, \"weight\": 1}], \"report_delay_ms\": [100, 2000]}}

EXAMPLES
  gridbell simulate sgip --config gateway.json
  gridbell simulate sgip --listen 0.0.0.0:8801 --config gateway.json > accepted.jsonl")]
    Sgip(SimulateArgs),
    /// China Telecom's gateway: SMGP 3.0
    #[command(after_help = "\
Without --config there is one account, ClientID power with the secret `secret`, granted 100 parts a second and 32
unanswered submits. The configuration is one JSON object; what it leaves out is the default:

  {\"accounts\": [{\"id\": \"power\", \"secret\": \"s\", \"rate\": 50, \"window\": 16, \"src_prefix\": \"10659\"}],
   \"faults\": {\"report_spellings\": true, \"failure_share\": 0.05, \"failure_codes\": [{\"code\": 5, \"weight\": 1}],
              \"report_delay_ms\": [100, 2000], \"report_reorder\": 0.1}}

EXAMPLES
  gridbell simulate smgp
  gridbell simulate smgp --config gateway.json > accepted.jsonl")]
    Smgp(SimulateArgs),
}

/// Each accepted part is a line of JSON on standard output. The address, once it listens, and the counters, when Ctrl-C (or SIGTERM) ends it, go to
/// standard error. It shows whole numbers and texts: never point it at real customers.
#[derive(Args, Debug)]
pub(crate) struct SimulateArgs {
    /// Where to listen; the protocol's usual port on this machine unless told otherwise, port 0 for any
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Accounts, limits and faults, as JSON
    #[arg(long, value_name = "FILE.json")]
    config: Option<PathBuf>,
}

/// A running gateway, whatever it speaks.
trait Simulated {
    type Entry: Serialize;
    type Stats: Serialize;

    fn addr(&self) -> SocketAddr;
    /// Waits until more than `printed` parts were ever accepted, and gives how many.
    fn more_than(&self, printed: u64) -> impl Future<Output = u64>;
    fn log_since(&self, printed: u64) -> Vec<Self::Entry>;
    fn stats(&self) -> Self::Stats;
    fn shutdown(&self) -> impl Future<Output = ()>;
}

impl Simulated for cmpp::Gateway {
    type Entry = cmpp::LogEntry;
    type Stats = cmpp::Stats;

    fn addr(&self) -> SocketAddr {
        self.addr()
    }

    async fn more_than(&self, printed: u64) -> u64 {
        let accepted = |stats: &cmpp::Stats| stats.accounts.values().map(|account| account.parts_accepted).sum::<u64>();
        accepted(&self.wait_until(|stats| accepted(stats) > printed).await)
    }

    fn log_since(&self, printed: u64) -> Vec<cmpp::LogEntry> {
        self.log_since(printed)
    }

    fn stats(&self) -> cmpp::Stats {
        self.stats()
    }

    async fn shutdown(&self) {
        self.shutdown().await;
    }
}

impl<P: sms::Protocol> Simulated for sms::Gateway<P> {
    type Entry = sms::LogEntry;
    type Stats = sms::Stats;

    fn addr(&self) -> SocketAddr {
        self.addr()
    }

    async fn more_than(&self, printed: u64) -> u64 {
        self.wait_until(|stats| stats.parts_accepted() > printed).await.parts_accepted()
    }

    fn log_since(&self, printed: u64) -> Vec<sms::LogEntry> {
        self.log_since(printed)
    }

    fn stats(&self) -> sms::Stats {
        self.stats()
    }

    async fn shutdown(&self) {
        self.shutdown().await;
    }
}

pub(crate) async fn run(command: SimulateCommand) -> Result<(), CommandError> {
    let clock = Clock::system();
    match command {
        SimulateCommand::Cmpp(args) => {
            let config = config(args.config.as_deref(), || cmpp::Config::with_account(cmpp::Account::default()))?;
            let gateway = cmpp::Gateway::start(config, clock, args.address(CMPP_ADDRESS)?).await;
            show(gateway.map_err(|e| started(&e, matches!(e, cmpp::Error::Config { .. })))?).await
        }
        SimulateCommand::Sgip(args) => {
            let config = config(args.config.as_deref(), || sms::Config::with_account(sms::Account::default()))?;
            let gateway = sgip::Gateway::start(config, clock, args.address(SGIP_ADDRESS)?).await;
            show(gateway.map_err(|e| started(&e, matches!(e, sms::Error::Config { .. })))?).await
        }
        SimulateCommand::Smgp(args) => {
            let config = config(args.config.as_deref(), || sms::Config::with_account(sms::Account::default()))?;
            let gateway = smgp::Gateway::start(config, clock, args.address(SMGP_ADDRESS)?).await;
            show(gateway.map_err(|e| started(&e, matches!(e, sms::Error::Config { .. })))?).await
        }
    }
}

impl SimulateArgs {
    fn address(&self, usual: &str) -> Result<SocketAddr, CommandError> {
        match self.listen {
            Some(address) => Ok(address),
            None => usual.parse().map_err(|_| CommandError::Failed(format!("`{usual}` is no address"))),
        }
    }
}

/// What the file says, or one account and the defaults.
fn config<T: DeserializeOwned>(path: Option<&Path>, usual: impl FnOnce() -> T) -> Result<T, CommandError> {
    let Some(path) = path else {
        return Ok(usual());
    };
    let text = std::fs::read_to_string(path).map_err(CommandError::file("read", path))?;
    serde_json::from_str(&text).map_err(|e| {
        CommandError::Refused(format!("the configuration `{}` cannot be used: {e}; correct it there", path.display()))
    })
}

/// A configuration that cannot be right is refused; everything else failed.
fn started(error: &dyn std::error::Error, refused: bool) -> CommandError {
    let text = with_causes(error);
    if refused { CommandError::Refused(text) } else { CommandError::Failed(text) }
}

/// Prints each accepted part until Ctrl-C or SIGTERM, then the counters.
async fn show<G: Simulated>(gateway: G) -> Result<(), CommandError> {
    // Before anybody can know that it runs: from then on either signal ends it politely.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    eprintln!("listening on {}", gateway.addr());
    let mut printed = 0;
    loop {
        tokio::select! {
            accepted = gateway.more_than(printed) => {
                let entries = gateway.log_since(printed);
                for entry in &entries {
                    println!("{}", json(entry)?);
                }
                // The log may have grown since the counters were read, and may have forgotten some.
                printed = accepted.max(printed + entries.len() as u64);
            }
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    gateway.shutdown().await;
    eprintln!("{}", json(&gateway.stats())?);
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, CommandError> {
    serde_json::to_string(value).map_err(|e| CommandError::Failed(e.to_string()))
}
