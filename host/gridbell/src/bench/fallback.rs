//! Who is told nothing, and who twice, when a platform refuses many, receipts are lost and the host is killed again and again: the real program in a
//! process of its own, killed by the system, with the platform and the carrier here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gridbell_channels::LinkConfig;
use gridbell_clock::Clock;
use gridbell_conductor::Host;
use gridbell_model::{AccountNumber, MessageId};
use gridbell_simulators::cmpp;
use gridbell_simulators::web::Faults;
use gridbell_state::{DecisionRecord, Outcome};
use serde_json::json;

use super::SEED;
use super::crowd::{self, Crowd, HOME, Reads};
use super::figures::Report;
use super::host::decide;
use super::rig::{Scratch, close};
use crate::config::Config;
use crate::error::CommandError;
use crate::simulated::{Platforms, Terms, openid};
use crate::{open, platforms};

const MESSAGES: u64 = 100_000;
const KILLS: u64 = 10;
/// Of a hundred customers so many are refused by WeChat, and of so many of its receipts and the carrier's nobody hears.
const REFUSED: f64 = 0.3;
const LOST: f64 = 0.05;
/// The next channel follows a minute after a submit of which nothing is heard.
const ROUTE: &str = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 1 }, { channel = \"sms\" }] }";
const WINDOW: usize = 64;
const COMMIT_GROUP: usize = 256;
const SP_ID: &str = "901234";
const SECRET: &str = "bench-secret";
/// How often the counts are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// After so long without any change the bench gives up: longer than a wait of a minute and the minute for which next channels are gathered.
const PATIENCE: Duration = Duration::from_secs(240);
/// The line by which the host says that it serves.
const READY: &str = "gridbell is ready on ";

/// Measures both on a province of its own.
pub(super) async fn measure(scratch: &Scratch, report: &mut Report, say: &dyn Fn(String)) -> Result<(), CommandError> {
    say(format!("  {MESSAGES} messages through {KILLS} kills"));
    let clock = Clock::system();
    let dir = scratch.0.join("fallback");
    let crowd = Crowd::write(&dir, MESSAGES, clock.today(), |_| Reads::WeChat)?;
    let world = World::start(&clock, &dir).await?;
    let host = world.open().await?;
    crowd.settle(&host, ROUTE).await?;
    let decided = decide(&host, &[HOME]).await?;
    close(host.state().clone()).await?;
    drop(host);

    let began = clock.monotonic();
    for kill in 1..=KILLS {
        let mut life = world.live().await?;
        // Each takes a call of WeChat; of three one more a submit.
        let wanted = decided.queued * kill * 12 / (KILLS * 10);
        world.wait(&mut life, &format!("call {wanted}"), |w| w.calls() >= wanted).await?;
        life.kill()?;
        say(format!("    killed after {} calls, {:.0} s", world.calls(), (clock.monotonic() - began).as_secs_f64()));
    }
    let mut life = world.live().await?;
    world.wait(&mut life, "the end of the last wait", |w| w.metrics().is_some_and(|m| is_over(&m))).await?;
    life.terminate().await?;
    let host = world.open().await?;
    let marked = marked(&host)?;
    let (told, untold, unmarked, twice) = world.told(decided.queued, &marked);
    report.set("fallback.untold", untold as f64);
    report.set("fallback.unmarked_twice", unmarked as f64);
    report.note(format!(
        "fallback: {MESSAGES} customers told by WeChat, which refuses {:.0} %, then SMS; {:.0} % of receipts lost at both; {KILLS} times kill -9; {told} told, {} by SMS, \
         {twice} twice, {} marked as perhaps twice; {:.0} s",
        REFUSED * 100.0,
        LOST * 100.0,
        world.carrier.stats().account(SP_ID).parts_accepted,
        marked.len(),
        (clock.monotonic() - began).as_secs_f64()
    ));
    close(host.state().clone()).await?;
    drop(host);
    world.platforms.shutdown().await;
    world.carrier.shutdown().await;
    std::fs::remove_dir_all(&dir).map_err(CommandError::file("remove", &dir))
}

/// What outlives a host: the platform, the carrier, and the configuration that leads to them.
struct World {
    clock: Clock,
    platforms: Platforms,
    carrier: cmpp::Gateway,
    config: PathBuf,
    listen: SocketAddr,
}

/// A host's process.
struct Life(Child);

impl World {
    async fn start(clock: &Clock, dir: &Path) -> Result<Self, CommandError> {
        // Free now, and the host's from its start on: platforms know the address of callbacks beforehand.
        let listen = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr())?;
        let faults = Faults {
            unreachable: REFUSED,
            report_lose: LOST,
            report_repeat: 0.02,
            report_delay_ms: (0, 50),
            ..Faults::default()
        };
        let terms = Terms { seed: SEED, faults, day_quota: MESSAGES * 2, window: WINDOW, commit_group: COMMIT_GROUP };
        let platforms = Platforms::start(clock, listen, terms, dir).await?;
        let account = cmpp::Account {
            sp_id: SP_ID.to_owned(),
            secret: SECRET.to_owned(),
            rate: 0,
            window: WINDOW,
            ..cmpp::Account::default()
        };
        let faults = cmpp::Faults { report_lose: LOST, report_delay_ms: (0, 50), ..cmpp::Faults::default() };
        let config = cmpp::Config { seed: SEED, faults, ..cmpp::Config::with_account(account) };
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let carrier = cmpp::Gateway::start(config, clock.clone(), here);
        let carrier = carrier.await.map_err(|e| CommandError::Failed(e.to_string()))?;
        let secret = dir.join("gateway.secret");
        std::fs::write(&secret, SECRET).map_err(CommandError::file("write", &secret))?;
        let link = json!({
            "name": "mobile", "protocol": "cmpp3", "address": carrier.addr().to_string(), "sp-id": SP_ID, "secret": { "file": secret },
            "service-id": "DLFW", "src-ids": ["95598", "10657"], "grant": 0, "window": WINDOW, "commit-group": COMMIT_GROUP,
            "serves": ["mobile", "unicom", "telecom", "broadnet"], "timers": { "reconnect-min-ms": 50, "reconnect-max-s": 1 },
        });
        let config = json!({
            "data": dir.join("data"), "listen": listen.to_string(), "link": [link], "platform": platforms.accounts.to_vec(),
        });
        let text = toml::to_string(&config).map_err(|e| CommandError::Failed(e.to_string()))?;
        let path = dir.join("gridbell.toml");
        std::fs::write(&path, text).map_err(CommandError::file("write", &path))?;
        Ok(Self { clock: clock.clone(), platforms, carrier, config: path, listen })
    }

    /// Opens the data directory in this process, for which the links count as there.
    async fn open(&self) -> Result<Host, CommandError> {
        let (config, clock) = (Config::read(&self.config)?, self.clock.clone());
        let (links, declared): (Vec<LinkConfig>, _) = (config.links.clone(), config.clone());
        let work = move || open::open(&config, clock);
        let host = tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))??.host;
        host.declare_links(&links);
        platforms::declare(&host, &declared)?;
        Ok(host)
    }

    /// Starts the host and waits until it serves.
    async fn live(&self) -> Result<Life, CommandError> {
        let program = std::env::current_exe().map_err(CommandError::file("find", "gridbell"))?;
        let config = self.config.clone();
        let work = move || {
            let mut command = Command::new(program);
            command.arg("serve").arg("--config").arg(config).env("RUST_LOG", "error");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut life = Life(command.spawn()?);
            let out = life.0.stdout.take();
            let lines = out.map(BufReader::new).into_iter().flat_map(BufRead::lines);
            for line in lines {
                if line?.starts_with(READY) {
                    return Ok(life);
                }
            }
            Err(CommandError::Failed("the host ended before it was ready".to_owned()))
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
    }

    /// Messages that WeChat and the carrier were given.
    fn calls(&self) -> u64 {
        let sends = |(path, n): (&String, &u64)| if path.ends_with("/send") { *n } else { 0 };
        self.platforms.wechat.stats().calls.iter().map(sends).sum::<u64>()
            + self.carrier.stats().account(SP_ID).parts_accepted
    }

    /// What the host says of itself; none while it does not answer.
    fn metrics(&self) -> Option<String> {
        let url = format!("http://{}/metrics", self.listen);
        ureq::get(&url).call().ok()?.body_mut().read_to_string().ok()
    }

    /// Waits for `done`, as long as something moves.
    async fn wait(&self, life: &mut Life, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), CommandError> {
        let (mut seen, mut moved) = (self.calls(), self.clock.monotonic());
        loop {
            if tokio::task::block_in_place(|| done(self)) {
                return Ok(());
            }
            if let Some(status) = life.0.try_wait()? {
                return Err(CommandError::Failed(format!("the host ended by itself, {status}, before {what}")));
            }
            let (now, calls) = (self.clock.monotonic(), self.calls());
            if calls != seen {
                (seen, moved) = (calls, now);
            } else if now - moved > PATIENCE {
                return Err(CommandError::Failed(format!("nothing moves after {calls} calls, before {what}")));
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Of `members` customers: who was told, who was not, who was told more than once though no message of his is marked, and who more than once.
    fn told(&self, members: u64, marked: &BTreeSet<AccountNumber>) -> (u64, u64, u64, u64) {
        let mut came: BTreeMap<String, u64> = BTreeMap::new();
        for entry in self.platforms.wechat.log() {
            *came.entry(entry.to).or_default() += 1;
        }
        for entry in self.carrier.log() {
            *came.entry(entry.destination).or_default() += 1;
        }
        let (mut told, mut untold, mut unmarked, mut twice) = (0, 0, 0, 0);
        for n in 0..members {
            let count = |of: String| came.get(&of).copied().unwrap_or(0);
            let times = count(openid(n)) + count(crowd::phone(n));
            let is_marked = crowd::account(n).parse().is_ok_and(|account| marked.contains(&account));
            told += u64::from(times > 0);
            untold += u64::from(times == 0);
            twice += u64::from(times > 1);
            unmarked += u64::from(times > 1 && !is_marked);
        }
        (told, untold, unmarked, twice)
    }
}

impl Life {
    fn kill(mut self) -> Result<(), CommandError> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    async fn terminate(mut self) -> Result<(), CommandError> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).map_err(std::io::Error::from)?;
        let wait = move || self.0.wait();
        let status = tokio::task::spawn_blocking(wait).await.map_err(|e| CommandError::Failed(e.to_string()))??;
        if status.success() {
            return Ok(());
        }
        Err(CommandError::Failed(format!("the host did not end as it should: {status}")))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Where the bench fails, its host does not stay behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether nothing waits for a link, an answer or a next channel. Messages whose receipts the carrier lost wait for those for days.
fn is_over(metrics: &str) -> bool {
    let value = |name: &str| {
        let line = metrics.lines().find(|l| l.starts_with(name))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let waits = |state: &str| value(&format!("gridbell_outbox_messages{{state=\"{state}\"}}")).unwrap_or(0.0);
    value("gridbell_hops_awaited") == Some(0.0) && waits("queued") == 0.0 && waits("submitting") == 0.0
}

/// Accounts of which a message is marked as perhaps gone twice.
fn marked(host: &Host) -> Result<BTreeSet<AccountNumber>, CommandError> {
    let mut marked = BTreeSet::new();
    for run in host.state().runs(None, usize::MAX, |_| true) {
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(0) {
            let queued = |d: &DecisionRecord| match &d.outcome {
                Outcome::Queued(message) => Some(MessageId::new(run.prefecture, message.number)),
                Outcome::Held(_) => None,
            };
            let ids: Vec<_> = host.state().decisions(run.id, segment)?.iter().filter_map(queued).collect();
            let messages = host.state().messages_at(&ids)?;
            marked.extend(messages.iter().filter(|m| m.status.maybe_twice).map(|m| m.decision.account));
        }
    }
    Ok(marked)
}
