//! The simulated carriers of the demo, each with its own protocol: Mobile with CMPP, Unicom with SGIP and its reverse connection, Telecom with SMGP.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use gridbell_channels::LinkConfig;
use gridbell_clock::Clock;
use gridbell_simulators::{cmpp, sgip, smgp, sms};
use serde::Serialize;
use serde_json::json;

use crate::error::CommandError;

/// Accounts at the three, as their specifications call them: SP_Id, login name, ClientID.
const MOBILE: &str = "901001";
const UNICOM: &str = "power-u";
const TELECOM: &str = "power-t";
const SECRET: &str = "demo-secret";
/// The service that the carriers bill.
const SERVICE: &str = "DLFW";
/// Numbers that a gateway refuses, numbers to which nothing can be delivered, and how long a report takes, in milliseconds.
const BAD_NUMBER: f64 = 0.002;
const FAILURE_SHARE: f64 = 0.02;
const REPORT_DELAY_MS: (u64, u64) = (5, 120);

/// The gateways while they run.
pub(super) struct Carriers {
    mobile: cmpp::Gateway,
    unicom: sgip::Gateway,
    telecom: smgp::Gateway,
    /// Where the host listens for Unicom's reverse connection.
    listen: SocketAddr,
}

/// A part that a gateway accepted, in words that all three share.
#[derive(Serialize)]
struct Line<'a> {
    at_us: u64,
    account: &'a str,
    destination: &'a str,
    src_id: &'a str,
    part: u8,
    parts: u8,
    reference: Option<u16>,
    text: &'a str,
    fate: &'a str,
}

impl Carriers {
    /// Starts them with these grants, for Mobile, Unicom and Telecom.
    pub(super) async fn start(grants: &[u32; 3], seed: u64, clock: &Clock) -> Result<Self, CommandError> {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        // Free now, and the host's from its links' start on: the gateway knows beforehand where it calls.
        let listen = TcpListener::bind(here).and_then(|l| l.local_addr())?;
        let [mobile, unicom, telecom] = *grants;
        let account = cmpp::Account {
            sp_id: MOBILE.to_owned(),
            secret: SECRET.to_owned(),
            rate: mobile,
            ..cmpp::Account::default()
        };
        let faults = cmpp::Faults {
            bad_number: BAD_NUMBER,
            failure_share: FAILURE_SHARE,
            report_delay_ms: REPORT_DELAY_MS,
            ..cmpp::Faults::default()
        };
        let config = cmpp::Config { seed, faults, ..cmpp::Config::with_account(account) };
        let of_mobile = cmpp::Gateway::start(config, clock.clone(), here);
        let of_mobile = of_mobile.await.map_err(|e| CommandError::Failed(e.to_string()))?;
        let config = |id: &str, rate, reverse| {
            let account =
                sms::Account { id: id.to_owned(), secret: SECRET.to_owned(), rate, reverse, ..sms::Account::default() };
            let faults = sms::Faults {
                bad_number: BAD_NUMBER,
                failure_share: FAILURE_SHARE,
                report_delay_ms: REPORT_DELAY_MS,
                ..sms::Faults::default()
            };
            sms::Config { seed, faults, ..sms::Config::with_account(account) }
        };
        let of_unicom = sgip::Gateway::start(config(UNICOM, unicom, Some(listen)), clock.clone(), here);
        let of_unicom = of_unicom.await.map_err(|e| CommandError::Failed(e.to_string()))?;
        let of_telecom = smgp::Gateway::start(config(TELECOM, telecom, None), clock.clone(), here);
        let of_telecom = of_telecom.await.map_err(|e| CommandError::Failed(e.to_string()))?;
        Ok(Self { mobile: of_mobile, unicom: of_unicom, telecom: of_telecom, listen })
    }

    /// The links to them; their secret is kept in a file of `dir`, as an operator would.
    pub(super) fn links(&self, grants: &[u32; 3], dir: &Path) -> Result<Vec<LinkConfig>, CommandError> {
        let secret = dir.join("gateway.secret");
        std::fs::write(&secret, SECRET).map_err(CommandError::file("write", &secret))?;
        let [mobile, unicom, telecom] = grants;
        let links = [
            json!({
                "name": "mobile", "protocol": "cmpp2", "address": self.mobile.addr().to_string(), "sp-id": MOBILE,
                "secret": { "file": secret }, "service-id": SERVICE, "src-ids": ["95598", "10657"], "grant": mobile,
                "serves": ["mobile", "broadnet"],
            }),
            json!({
                "name": "unicom", "protocol": "sgip1", "address": self.unicom.addr().to_string(), "login-name": UNICOM,
                "corp-id": "12345", "node": 3_035_112_345_u32, "listen": self.listen.to_string(), "secret": { "file": secret },
                "service-id": SERVICE, "src-ids": ["95598", "10655"], "grant": unicom, "serves": ["unicom"],
            }),
            json!({
                "name": "telecom", "protocol": "smgp3", "address": self.telecom.addr().to_string(), "client-id": TELECOM,
                "secret": { "file": secret }, "service-id": SERVICE, "src-ids": ["95598", "10659"], "grant": telecom,
                "serves": ["telecom"],
            }),
        ];
        links
            .into_iter()
            .map(|link| serde_json::from_value(link).map_err(|e| CommandError::Failed(e.to_string())))
            .collect()
    }

    /// Writes what the gateways accepted, one JSON object a line: Mobile's, then Unicom's, then Telecom's, each in its order.
    pub(super) fn write_log(&self, path: &Path) -> Result<(), CommandError> {
        let file = std::fs::File::create(path).map_err(CommandError::file("create", path))?;
        let mut out = std::io::BufWriter::new(file);
        let mut write = |line: &Line<'_>| -> Result<(), CommandError> {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n").map_err(CommandError::file("write", path))
        };
        for entry in self.mobile.log() {
            write(&Line {
                at_us: entry.at_us,
                account: &entry.sp_id,
                destination: &entry.destination,
                src_id: &entry.src_id,
                part: entry.pk_number,
                parts: entry.pk_total,
                reference: entry.reference,
                text: &entry.text,
                fate: &entry.stat,
            })?;
        }
        for entry in self.unicom.log_since(0).into_iter().chain(self.telecom.log_since(0)) {
            let (parts, part) = entry.part.unwrap_or((1, 1));
            write(&Line {
                at_us: entry.at_us,
                account: &entry.account,
                destination: bare(&entry.destination),
                src_id: &entry.src_id,
                part,
                parts,
                reference: entry.reference,
                text: &entry.text,
                fate: &entry.fate,
            })?;
        }
        out.flush().map_err(CommandError::file("write", path))
    }

    pub(super) async fn shutdown(&self) {
        self.mobile.shutdown().await;
        self.unicom.shutdown().await;
        self.telecom.shutdown().await;
    }
}

/// A terminal without the country code, which SGIP's numbers have.
fn bare(terminal: &str) -> &str {
    terminal.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(terminal)
}
