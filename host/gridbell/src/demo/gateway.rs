//! The simulated carriers of the demo: one gateway with an account for each carrier.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gridbell_channels::LinkConfig;
use gridbell_clock::Clock;
use gridbell_simulators::cmpp::{Account, Config, Faults, Gateway};

use crate::error::CommandError;

/// Name, SP_Id, protocol and carriers of each link.
const LINKS: [(&str, &str, &str, &[&str]); 3] = [
    ("mobile", "901001", "cmpp2", &["mobile", "broadnet"]),
    ("unicom", "901002", "cmpp3", &["unicom"]),
    ("telecom", "901003", "cmpp3", &["telecom"]),
];
const SECRET: &str = "demo-secret";
/// The service that the carriers bill.
const SERVICE: &str = "DLFW";

pub(super) async fn start(
    grants: &[u32],
    seed: u64,
    log: Option<PathBuf>,
    clock: &Clock,
) -> Result<Gateway, CommandError> {
    let accounts = LINKS
        .iter()
        .zip(grants)
        .map(|((_, sp_id, _, _), rate)| Account {
            sp_id: (*sp_id).to_owned(),
            secret: SECRET.to_owned(),
            rate: *rate,
            ..Account::default()
        })
        .collect();
    let faults = Faults { bad_number: 0.002, failure_share: 0.02, report_delay_ms: (5, 120), ..Faults::default() };
    let config = Config { accounts, seed, faults, log_file: log, ..Config::default() };
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    Gateway::start(config, clock.clone(), addr).await.map_err(|e| CommandError::Failed(e.to_string()))
}

/// The links to the simulated gateway; their secret is kept in a file of `dir`, as an operator would.
pub(super) fn links(gateway: &Gateway, grants: &[u32], dir: &Path) -> Result<Vec<LinkConfig>, CommandError> {
    let secret = dir.join("gateway.secret");
    std::fs::write(&secret, SECRET).map_err(CommandError::file("write", &secret))?;
    LINKS
        .iter()
        .zip(grants)
        .map(|((name, sp_id, protocol, serves), grant)| {
            let text = serde_json::json!({
                "name": name, "protocol": protocol, "address": gateway.addr().to_string(), "sp-id": sp_id,
                "secret": { "file": secret }, "service-id": SERVICE, "src-ids": ["95598", "10657"],
                "grant": grant, "serves": serves,
            });
            serde_json::from_value(text).map_err(|e| CommandError::Failed(e.to_string()))
        })
        .collect()
}
