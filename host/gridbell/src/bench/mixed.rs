//! All channels at once: SMS by three carriers, WeChat and Alipay, each message to its receipt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_conductor::{Extent, Host};
use gridbell_model::Date;
use gridbell_server::{Server, ServerOptions};
use gridbell_simulators::web::Faults;

use super::SEED;
use super::carrier::Carrier;
use super::crowd::{Crowd, HOME, Reads};
use super::figures::Report;
use super::host::decide;
use super::rig::{self, Scratch, WHO, close};
use crate::error::CommandError;
use crate::simulated::{Platforms, Terms};

/// Messages of one round; one for each customer.
const MESSAGES: u64 = 120_000;
const ROUNDS: u32 = 3;
/// Of a hundred customers so many read at Alipay: what it grants, against carriers.
const ALIPAY: u64 = 3;
/// And so many at WeChat.
const WECHAT: u64 = 22;
const ROUTE: &str = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 60 }, { channel = \"alipay\", wait_minutes = 60 }, { channel = \"sms\" }] }";
/// Calls under way on each platform's link, and messages intended ahead of them.
const WINDOW: usize = 64;
const COMMIT_GROUP: usize = 2_048;
/// How often the counts are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// After so long without any change the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures how many messages a second come to their end, medians of rounds on fresh data.
pub(super) async fn measure(
    today: Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        say(format!("  all channels, round {round}"));
        let dir = scratch.0.join(format!("mixed-{round}"));
        let crowd = Crowd::write(&dir, MESSAGES, today, reads)?;
        let host = rig::open_at(&dir.join("data"), Clock::starting_at(today.at(10, 0).moment())).await?;
        crowd.settle(&host, ROUTE).await?;
        let carrier = Carrier::start(&host, host.clock(), &dir).await?;
        let server = serve(&host).await?;
        let terms = Terms {
            seed: SEED,
            faults: Faults::default(),
            day_quota: MESSAGES,
            window: WINDOW,
            commit_group: COMMIT_GROUP,
        };
        let platforms = Platforms::start(host.clock(), server.addr(), terms, &dir).await?;
        platforms.link(&host)?;
        host.stop(Extent::Province, "bench", WHO).await?;
        let decided = decide(&host, &[HOME]).await?;
        let took = carried(&host, decided.queued).await?;
        rates.push(decided.queued as f64 / took.as_secs_f64());
        let (wechat, alipay) = (platforms.wechat.stats().accepted, platforms.alipay.stats().accepted);
        say(format!(
            "    {} messages in {:.2} s, {wechat} by WeChat, {alipay} by Alipay",
            decided.queued,
            took.as_secs_f64()
        ));
        server.shutdown().await?;
        carrier.shutdown().await;
        platforms.shutdown().await;
        close(host.state().clone()).await?;
        std::fs::remove_dir_all(&dir).map_err(CommandError::file("remove", &dir))?;
    }
    report.set_median("dispatch.messages_per_s", &rates);
    report.note(format!(
        "dispatch.messages: {MESSAGES} messages, {WECHAT} % by WeChat, {ALIPAY} % by Alipay (signed with RSA both ways), the rest by 3 CMPP links; answers and \
         receipts durable, receipts of platforms posted to the host's own server; gateways and platforms in the same process; median of {ROUNDS}, \
         {}",
        rates.iter().map(|r| format!("{r:.0}")).collect::<Vec<_>>().join(" ")
    ));
    Ok(())
}

fn reads(n: u64) -> Reads {
    // Spread over the crowd, so that each commit has some of all.
    match n * 37 % 100 {
        p if p < ALIPAY => Reads::Alipay,
        p if p < ALIPAY + WECHAT => Reads::WeChat,
        _ => Reads::Sms,
    }
}

/// The host's API, where platforms post receipts.
async fn serve(host: &Host) -> Result<Server, CommandError> {
    let options = ServerOptions::plain(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(host.clone()));
    Ok(Server::start(options).await?)
}

/// Lets everything go until the last of `messages` has its end. Returns how long that took.
async fn carried(host: &Host, messages: u64) -> Result<Duration, CommandError> {
    let clock = host.clock().clone();
    let ended = || -> u64 {
        host.state().stats(Date(i32::MIN), Date(i32::MAX)).iter().map(|(_, c)| c.delivered + c.failed).sum()
    };
    let began = clock.monotonic();
    host.release_stop(&Extent::Province, WHO).await?;
    let (mut seen, mut moved) = (ended(), began);
    while seen < messages {
        clock.sleep(LOOK).await;
        let (now, count) = (clock.monotonic(), ended());
        if count != seen {
            (seen, moved) = (count, now);
        } else if now - moved > PATIENCE {
            return Err(CommandError::Failed(format!(
                "{seen} of {messages} messages came to their end, and nothing moves"
            )));
        }
    }
    Ok(moved - began)
}
