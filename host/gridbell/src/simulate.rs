//! `gridbell simulate`: one simulated gateway on its own, for whoever writes or tests a client.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gridbell_clock::Clock;
use gridbell_simulators::{alipay, cmpp, http_sms, sgip, smgp, sms, web, wechat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CommandError, with_causes};

const CMPP_ADDRESS: &str = "127.0.0.1:7890";
const SGIP_ADDRESS: &str = "127.0.0.1:8801";
const SMGP_ADDRESS: &str = "127.0.0.1:8890";
// Platforms have no port of their own but 443: any three that are free on most machines.
const WECHAT_ADDRESS: &str = "127.0.0.1:7801";
const ALIPAY_ADDRESS: &str = "127.0.0.1:7802";
const HTTP_SMS_ADDRESS: &str = "127.0.0.1:7803";

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
    /// WeChat's service account: the stable token, template messages, subscription notices, callbacks
    #[command(after_help = "\
Without --config there is one account, appid wx0123456789abcdef with the secret `secret`, 100000 messages a day, and
events signed with the Token `gridbell`. Tokens live 7200 s; a new one leaves the one before it valid for 5 minutes,
a forced one does not; it may be had 20 times a day, and within 30 s of another changes nothing. A client_msg_id that
comes again within 10 minutes is not sent again. TEMPLATESENDJOBFINISH is posted to `callbacks.url`, encrypted where
there is an `aes_key`. The configuration is one JSON object; what it leaves out is the default:

  {\"appid\": \"wx0123456789abcdef\", \"day_quota\": 1000, \"minute_quota\": 600, \"templates\": [\"TM1\"],
   \"aes_key\": \"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\",
   \"callbacks\": {\"url\": \"http://127.0.0.1:8443/callbacks/wechat\", \"tries\": 3, \"retry_ms\": 5000},
   \"faults\": {\"unreachable\": 0.05, \"failure_share\": 0.02, \"refuse\": [{\"code\": \"-1\", \"share\": 0.01}],
              \"lose_answer\": 0.01, \"hang\": 0.001, \"html\": 0.01, \"redirect\": 0.001, \"answer_delay_ms\": [10, 80],
              \"report_delay_ms\": [100, 2000], \"report_lose\": 0.01, \"report_repeat\": 0.01, \"report_reorder\": 0.1}}

EXAMPLES
  gridbell simulate wechat
  gridbell simulate wechat --listen 127.0.0.1:7801 --config wechat.json > accepted.jsonl")]
    Wechat(SimulateArgs),
    /// Alipay's life account: signed requests and answers, recall, signed notices
    #[command(after_help = "\
Requests to /gateway.do must be signed with RSA2 by `app_public_key`'s private key; answers and notices are signed with
`platform_private_key`. Without --config both are keys of our own tests, which protect nothing, and the application is
2021000000000001. Codes to refuse with are written `40004/PUB.MSG_SD_NOFOLLOW`. After a message a notice with
`message_id` and `status` (SUCCESS or FAILED) is posted to `callbacks.url` until it is answered with `success`. The
configuration is one JSON object; what it leaves out is the default:

  {\"app_id\": \"2021000000000001\", \"app_public_key\": \"MIIB...\", \"platform_private_key\": \"MIIE...\",
   \"templates\": [\"d905fa60b99e47d7\"], \"rate\": 50, \"day_quota\": 100000,
   \"callbacks\": {\"url\": \"http://127.0.0.1:8443/callbacks/alipay\"},
   \"faults\": {\"unreachable\": 0.05, \"refuse\": [{\"code\": \"20000/isp.unknow-error\", \"share\": 0.01}]}}

EXAMPLES
  gridbell simulate alipay
  gridbell simulate alipay --config alipay.json > accepted.jsonl")]
    Alipay(SimulateArgs),
    /// SMS platforms over HTTP: Aliyun's interface, and a province's plain one, on one address
    #[command(after_help = "\
Aliyun's interface is at `/` (V3 signature; SendSms, SendBatchSms, QuerySendDetails; SmsReport pushes). The plain one is at
/sms/send and takes {account, time, phone, text, sender, id, sign}, where sign is the hexadecimal HMAC-SHA256 of account,
time, phone, id and text; it knows repetitions of an id to one phone, and signs its receipts in x-sign. The account of
both is LTAI5tSimulated with the secret `secret`. The configuration is one JSON object; what it leaves out is the
default:

  {\"account\": \"LTAI5tSimulated\", \"secret\": \"s\", \"sign_names\": [\"国网山西电力\"], \"templates\": [\"SMS_1\"],
   \"rate\": 100, \"day_quota\": 100000, \"number_quota\": 40,
   \"callbacks\": {\"url\": \"http://127.0.0.1:8443/callbacks/sms?key=...\"},
   \"faults\": {\"unreachable\": 0.01, \"failure_share\": 0.05, \"refuse\": [{\"code\": \"isp.SYSTEM_ERROR\", \"share\": 0.01}]}}

EXAMPLES
  gridbell simulate http-sms
  gridbell simulate http-sms --config sms.json > accepted.jsonl")]
    HttpSms(SimulateArgs),
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

impl<P: web::Platform> Simulated for web::Gateway<P> {
    type Entry = web::LogEntry;
    type Stats = web::Stats;

    fn addr(&self) -> SocketAddr {
        self.addr()
    }

    async fn more_than(&self, printed: u64) -> u64 {
        self.wait_until(|stats| stats.accepted > printed).await.accepted
    }

    fn log_since(&self, printed: u64) -> Vec<web::LogEntry> {
        self.log_since(printed)
    }

    fn stats(&self) -> web::Stats {
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
        SimulateCommand::Wechat(args) => platform::<wechat::WeChat>(args, WECHAT_ADDRESS, clock).await,
        SimulateCommand::Alipay(args) => platform::<alipay::Alipay>(args, ALIPAY_ADDRESS, clock).await,
        SimulateCommand::HttpSms(args) => platform::<http_sms::HttpSms>(args, HTTP_SMS_ADDRESS, clock).await,
    }
}

async fn platform<P>(args: SimulateArgs, usual: &str, clock: Clock) -> Result<(), CommandError>
where
    P: web::Platform,
    P::Config: DeserializeOwned + Default,
{
    let config = config(args.config.as_deref(), P::Config::default)?;
    let gateway = web::Gateway::<P>::start(config, clock, args.address(usual)?).await;
    show(gateway.map_err(|e| started(&e, matches!(e, web::Error::Config { .. })))?).await
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
