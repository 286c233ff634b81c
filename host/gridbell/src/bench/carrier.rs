//! The carrier that messages go to: one simulated gateway on loopback without limits and without faults, and a link for each carrier.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use gridbell_channels::{LinkConfig, Tcp};
use gridbell_clock::Clock;
use gridbell_conductor::{Extent, Host};
use gridbell_model::{Date, MessageState};
use gridbell_simulators::cmpp::{Account, Config, Gateway};

use super::rig::WHO;
use crate::error::CommandError;

/// Name, SP_Id, protocol and carriers of each link.
pub(super) const LINKS: [(&str, &str, &str, &[&str]); 3] = [
    ("mobile", "901001", "cmpp2", &["mobile", "broadnet"]),
    ("unicom", "901002", "cmpp3", &["unicom"]),
    ("telecom", "901003", "cmpp3", &["telecom"]),
];
const SECRET: &str = "bench-secret";
/// Unanswered submits: the specification's.
pub(super) const WINDOW: usize = 16;
/// Parts intended ahead of the window.
pub(super) const COMMIT_GROUP: usize = 4_096;
/// DELIVERs that the gateway has under way on a connection. Few would measure the latency of a commit, not what is carried.
pub(super) const DELIVER_WINDOW: usize = 4_096;
/// How often the gateway's counters are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// After so long without a report the rest is asked of the outbox itself.
const STILL: Duration = Duration::from_millis(1_000);
/// After so long without a report the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The gateway, with links to it.
pub(super) struct Carrier {
    gateway: Gateway,
    host: Host,
}

/// What left under grants.
pub(super) struct Paced {
    pub(super) accepted: u64,
    /// Parts above the grant in the second with most.
    pub(super) over: u64,
    pub(super) took: Duration,
}

impl Carrier {
    /// Starts the gateway and a link for each carrier; the host's emergency stop holds them.
    pub(super) async fn start(host: &Host, clock: &Clock, dir: &Path) -> Result<Self, CommandError> {
        Self::granted(host, clock, dir, [0; LINKS.len()]).await
    }

    /// The same with links of so many parts a second, which the gateway holds them to; 0 for as many as come.
    pub(super) async fn granted(
        host: &Host,
        clock: &Clock,
        dir: &Path,
        grants: [u32; LINKS.len()],
    ) -> Result<Self, CommandError> {
        let account = |((_, sp_id, ..), grant): (&(&str, &str, &str, &[&str]), u32)| Account {
            sp_id: (*sp_id).to_owned(),
            secret: SECRET.to_owned(),
            rate: grant,
            window: WINDOW,
            deliver_window: DELIVER_WINDOW,
            ..Account::default()
        };
        let config = Config { accounts: LINKS.iter().zip(grants).map(account).collect(), ..Config::default() };
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let gateway =
            Gateway::start(config, clock.clone(), addr).await.map_err(|e| CommandError::Failed(e.to_string()))?;
        let secret = dir.join("gateway.secret");
        std::fs::write(&secret, SECRET).map_err(CommandError::file("write", &secret))?;
        for ((name, sp_id, protocol, serves), grant) in LINKS.into_iter().zip(grants) {
            let text = serde_json::json!({
                "name": name, "protocol": protocol, "address": gateway.addr().to_string(), "sp-id": sp_id,
                "secret": { "file": secret }, "service-id": "DLFW", "src-ids": ["95598", "10657"],
                "grant": grant, "window": WINDOW, "commit-group": COMMIT_GROUP, "serves": serves,
            });
            let link: LinkConfig = serde_json::from_value(text)?;
            host.start_link(link, Tcp)?;
        }
        Ok(Self { gateway, host: host.clone() })
    }

    fn acknowledged(&self) -> u64 {
        let stats = self.gateway.stats();
        LINKS.iter().map(|(_, sp_id, ..)| stats.account(sp_id).delivers_acknowledged).sum()
    }

    fn ended(&self) -> u64 {
        self.host.state().stats(Date(i32::MIN), Date(i32::MAX)).iter().map(|(_, c)| c.delivered + c.failed).sum()
    }

    /// Lets the links carry the `parts` that wait, until the last report is durable. Returns how many messages came to their end, and how long
    /// that took.
    pub(super) async fn carry(&self, parts: u64) -> Result<(u64, Duration), CommandError> {
        let clock = self.host.clock().clone();
        let (already, ended) = (self.acknowledged(), self.ended());
        let began = clock.monotonic();
        self.host.release_stop(&Extent::Province, WHO).await?;
        let (mut seen, mut moved) = (already, began);
        while seen < already + parts {
            clock.sleep(LOOK).await;
            let (now, acknowledged) = (clock.monotonic(), self.acknowledged());
            if acknowledged != seen {
                (seen, moved) = (acknowledged, now);
            } else if now - moved > STILL && self.under_way() == 0 {
                break;
            } else if now - moved > PATIENCE {
                let text = format!("{} messages are under way and nothing moves", self.under_way());
                return Err(CommandError::Failed(text));
            }
        }
        self.host.stop(Extent::Province, "bench", WHO).await?;
        Ok((self.ended() - ended, moved - began))
    }

    /// Lets the links carry what waits for `time` from the first part on. Returns the parts that were accepted in it, by how much the most parts of
    /// any one second were above a grant, and how long it was.
    pub(super) async fn paced(&self, time: Duration, grants: [u32; LINKS.len()]) -> Result<Paced, CommandError> {
        let clock = self.host.clock().clone();
        let asked = clock.monotonic();
        while self.accepted() == 0 {
            if clock.monotonic() - asked > PATIENCE {
                return Err(CommandError::Failed("no message leaves".to_owned()));
            }
            clock.sleep(LOOK).await;
        }
        let (began, already) = (clock.monotonic(), self.accepted());
        clock.sleep(time).await;
        let (accepted, took) = (self.accepted() - already, clock.monotonic() - began);
        let above = |((_, sp_id, ..), grant): (&(&str, &str, &str, &[&str]), u32)| {
            self.gateway.peak_offered(sp_id).saturating_sub(u64::from(grant))
        };
        let over = LINKS.iter().zip(grants).map(above).max().unwrap_or(0);
        Ok(Paced { accepted, over, took })
    }

    fn accepted(&self) -> u64 {
        let stats = self.gateway.stats();
        LINKS.iter().map(|(_, sp_id, ..)| stats.account(sp_id).parts_accepted).sum()
    }

    /// Whether the gateway has logged a part with this text since `seen` parts, which goes on to the end of the log.
    pub(super) fn has_logged(&self, seen: &mut u64, text: &str) -> bool {
        let new = self.gateway.log_since(*seen);
        *seen += new.len() as u64;
        new.iter().any(|entry| entry.text == text)
    }

    fn under_way(&self) -> u64 {
        let depth = self.host.state().depth();
        depth.by_state.iter().filter(|(s, _)| **s <= MessageState::Submitted).map(|(_, n)| n).sum()
    }

    pub(super) async fn shutdown(self) {
        self.host.drain_links().await;
        self.gateway.shutdown().await;
    }
}
