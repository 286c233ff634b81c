//! A link's configuration as operators write it (TOML), and the checks that say in their words what is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridbell_model::Served;
use gridbell_wire::Octets;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ChannelError;
use crate::pacer::MAX_GRANT;
use crate::secret::{Secret, SecretRef};

/// The most octets of a link's name.
const MAX_NAME: usize = 40;
/// The most unanswered submits of one connection. The specification says 16; gateways that grant more exist.
const MAX_WINDOW: usize = 4096;
/// The most connections of one link.
const MAX_CONNECTIONS: usize = 16;
/// Octets of SGIP's password.
const MAX_PASSWORD: usize = 16;
/// Nodes of companies, which begin with 3.
const NODES: (u32, u32) = (3_000_000_000, 3_999_999_999);
/// What to do with a field of another protocol's.
const FOREIGN: &str = "another protocol's links have it: remove it";
/// The most parts in one commit group.
const MAX_GROUP: usize = 16_384;

/// A link's name: lower case, digits, `-`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LinkName(Arc<str>);

impl LinkName {
    /// Reads a name.
    ///
    /// # Errors
    /// Where it is empty, longer than 40, or has other characters than a–z, 0–9 and `-`.
    pub fn new(name: &str) -> Result<Self, ChannelError> {
        let fits = !name.is_empty() && name.len() <= MAX_NAME;
        if fits && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Ok(Self(name.into()));
        }
        let why = format!("use 1 to {MAX_NAME} of a–z, 0–9 and `-`");
        let shown: String = name.chars().take(MAX_NAME).collect();
        Err(ChannelError::Config { link: shown.clone(), field: "name", value: shown, why })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LinkName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// The most that a link may weigh.
pub(crate) const MAX_WEIGHT: u32 = 1000;

/// What the configurations of all links say.
pub trait Terms: Send + Sync + 'static {
    /// The link's name.
    fn name(&self) -> &LinkName;
    /// Parts a second that were granted, 0 for no pacing.
    fn grant(&self) -> u32;
    /// Parts that may be unanswered, all connections together.
    fn window(&self) -> usize;
    /// Parts whose intent may be durable ahead of the window.
    fn commit_group(&self) -> usize;
    /// The same, and no more than half a second's worth of the grant: the facts of what is intended are not looked at again.
    fn ahead(&self) -> usize {
        let pace = if self.grant() == 0 { usize::MAX } else { (self.grant() as usize / 2).max(1) };
        self.commit_group().min(pace)
    }
    /// What is spoken, as the API names it.
    fn protocol(&self) -> &'static str {
        "http"
    }
    /// Whether the other side opens connections to us.
    fn is_called(&self) -> bool {
        false
    }
}

/// What is spoken on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// CMPP 2.0.
    Cmpp2,
    /// CMPP 3.0; falls back to 2.0 where the gateway says that it speaks no more.
    Cmpp3,
    /// SMGP 3.0.
    Smgp3,
    /// SGIP 1.2.
    Sgip1,
}

impl Protocol {
    /// The word for it in configurations and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cmpp2 => "cmpp2",
            Self::Cmpp3 => "cmpp3",
            Self::Smgp3 => "smgp3",
            Self::Sgip1 => "sgip1",
        }
    }

    /// Unanswered submits that the specification lets a connection have.
    const fn window(self) -> usize {
        match self {
            Self::Cmpp2 | Self::Cmpp3 | Self::Smgp3 => 16,
            Self::Sgip1 => 32,
        }
    }

    /// Seconds within which the specification has an answer come.
    const fn answer_s(self) -> u64 {
        match self {
            Self::Cmpp2 | Self::Cmpp3 | Self::Smgp3 => 60,
            Self::Sgip1 => 30,
        }
    }
}

/// What a result code means on this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeAction {
    /// Slow down and try again soon.
    Retry,
    /// Try again in an hour (forbidden hours).
    DeferHour,
    /// Try again in a day (a daily quota).
    DeferDay,
    /// The message fails.
    GiveUp,
    /// The number is bad for good.
    BadNumber,
    /// Nothing will go through: stop the link, raise an alarm.
    Stop,
    /// The number is another carrier's (携号转网): another one is asked, and what that teaches is kept.
    OtherCarrier,
}

/// What a word in a report means on this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportAction {
    /// As [`CodeAction::OtherCarrier`].
    OtherCarrier,
}

/// Every time that a link waits for something. The first three are the specification's C, T and N.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Timers {
    /// Seconds of silence after which a heartbeat goes out.
    pub heartbeat_s: u64,
    /// Seconds within which an answer must come; without it as the protocol's specification says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_s: Option<u64>,
    /// How often a heartbeat is tried before the connection counts as dead.
    pub heartbeat_tries: u32,
    /// Seconds of silence after which a connection with nothing to say is closed, where the protocol has no heartbeat (SGIP).
    pub idle_s: u64,
    /// Seconds within which a connection must open.
    pub connect_s: u64,
    /// Milliseconds before the first reconnect.
    pub reconnect_min_ms: u64,
    /// Seconds that reconnects are at most apart.
    pub reconnect_max_s: u64,
    /// Milliseconds to wait after a flow control refusal; doubles while they go on.
    pub throttle_min_ms: u64,
    /// Seconds to wait at most after flow control refusals and before retries of single messages.
    pub throttle_max_s: u64,
    /// Seconds for which the carrier's other links must have been unable to send before a standby link does: one that is opened again is no
    /// failure.
    pub standby_s: u64,
    /// Seconds that a drain may take before what is unanswered is left as it is.
    pub drain_s: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            heartbeat_s: 180,
            answer_s: None,
            heartbeat_tries: 3,
            idle_s: 50,
            connect_s: 10,
            reconnect_min_ms: 500,
            reconnect_max_s: 60,
            throttle_min_ms: 1000,
            throttle_max_s: 60,
            standby_s: 30,
            drain_s: 70,
        }
    }
}

impl Timers {
    pub(crate) const fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_s)
    }
    pub(crate) const fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s)
    }
    pub(crate) const fn connect(&self) -> Duration {
        Duration::from_secs(self.connect_s)
    }
    /// For how long the others must have been unable to send before a standby link does.
    #[must_use]
    pub const fn standby(&self) -> Duration {
        Duration::from_secs(self.standby_s)
    }
    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }
    pub(crate) const fn throttle_min(&self) -> Duration {
        Duration::from_millis(self.throttle_min_ms)
    }
    pub(crate) const fn throttle_max(&self) -> Duration {
        Duration::from_secs(self.throttle_max_s)
    }
}

/// A node that is not given.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(node: &u32) -> bool {
    *node == 0
}

const fn default_connections() -> usize {
    1
}
const fn default_group() -> usize {
    512
}
const fn default_attempts() -> u8 {
    8
}
const fn default_enabled() -> bool {
    true
}

/// A link to one carrier's gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkConfig {
    /// Its name, for people, metrics and the outbox.
    pub name: LinkName,
    /// What is spoken.
    pub protocol: Protocol,
    /// The gateway's host and port.
    pub address: String,
    /// CMPP: the enterprise code that the carrier gave, `SP_Id`, six digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sp_id: String,
    /// SMGP: the account that the carrier gave, `ClientID`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// SGIP: the account that the carrier gave, `Login Name`; its gateway calls us under the same name and secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub login_name: String,
    /// SGIP: the company's code, `CorpId`, five digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub corp_id: String,
    /// SGIP: the number of our node that the carrier gave, ten digits: 3, the area code in four, the company's code in five.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub node: u32,
    /// SGIP: the address at which we listen for the gateway's calls, on which reports and inbound messages come. Several links may share one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub listen: String,
    /// Where the shared secret is kept.
    pub secret: SecretRef,
    /// The service that the carrier bills, `Service_Id`; SGIP's `ServiceType`.
    pub service_id: String,
    /// The sender numbers that the carrier granted. A message's sender must be one of them or begin with one.
    pub src_ids: Vec<String>,
    /// Parts a second that the carrier granted to the link, all connections together; 0 for no pacing.
    pub grant: u32,
    /// Unanswered submits that a connection may have; without it as the protocol's specification says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Connections kept open.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// Parts that may be intended ahead of the windows, all connections together: what a crash exposes besides the windows.
    #[serde(default = "default_group")]
    pub commit_group: usize,
    /// How often one message is tried before it is given up.
    #[serde(default = "default_attempts")]
    pub attempts: u8,
    /// What result codes mean here, such as `101 = "retry"`. One that is not listed means what the specification says, and one that is
    /// not there either is retried.
    #[serde(default, deserialize_with = "codes")]
    pub codes: BTreeMap<u32, CodeAction>,
    /// What words of failed reports mean here, as the link shows them: `"MK:0045" = "other-carrier"` (CMPP), `"UNDELIV 054"` (SMGP), `"error 36"` (SGIP). One
    /// that is not listed means what the specification says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub report_codes: BTreeMap<String, ReportAction>,
    /// Whose customers it reaches: carriers, or a channel whose addresses are no numbers.
    pub serves: Vec<Served>,
    /// Whether it sends only while no other link of the carrier has been able to for some time, see [`Timers::standby_s`].
    #[serde(default)]
    pub standby: bool,
    /// What part of the messages it takes beside other links with a weight, as long as none waits for more than a second; without it as many as it
    /// has room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Whether it is used.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// Its timers.
    #[serde(default)]
    pub timers: Timers,
}

/// TOML's keys are text.
fn codes<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<u32, CodeAction>, D::Error> {
    let bad = |key: &str| serde::de::Error::custom(format!("`{key}` is not a result code: write a whole number"));
    BTreeMap::<String, CodeAction>::deserialize(d)?
        .into_iter()
        .map(|(key, action)| key.parse().map(|code| (code, action)).map_err(|_| bad(&key)))
        .collect()
}

impl Terms for LinkConfig {
    fn name(&self) -> &LinkName {
        &self.name
    }
    fn grant(&self) -> u32 {
        self.grant
    }
    fn window(&self) -> usize {
        Self::window(self) * self.connections
    }
    fn commit_group(&self) -> usize {
        self.commit_group
    }
    fn protocol(&self) -> &'static str {
        self.protocol.word()
    }
    fn is_called(&self) -> bool {
        self.protocol == Protocol::Sgip1
    }
}

impl LinkConfig {
    /// Whether a report with the word `stat` says that the number is another carrier's.
    #[must_use]
    pub fn sends_on(&self, stat: &str) -> bool {
        self.report_codes.get(stat) == Some(&ReportAction::OtherCarrier)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that cannot be, with what to write.
    pub fn check(&self) -> Result<(), ChannelError> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let graphic = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let (host, port) = self.address.rsplit_once(':').unwrap_or_default();
        self.must("address", &self.address, !host.is_empty() && port.parse::<u16>().is_ok(), "write host:port")?;
        self.check_login()?;
        let service = graphic(&self.service_id) && self.service_id.len() <= 10;
        self.must("service-id", &self.service_id, service, "it has at most 10 characters")?;
        self.must("src-ids", "", !self.src_ids.is_empty(), "name at least one sender number")?;
        for src_id in &self.src_ids {
            self.must("src-ids", src_id, digits(src_id) && src_id.len() <= 20, "write at most 20 digits")?;
        }
        self.within("grant", u64::from(self.grant), 0, u64::from(MAX_GRANT))?;
        self.within("window", self.window() as u64, 1, MAX_WINDOW as u64)?;
        self.within("connections", self.connections as u64, 1, MAX_CONNECTIONS as u64)?;
        self.within("commit-group", self.commit_group as u64, 1, MAX_GROUP as u64)?;
        self.within("attempts", u64::from(self.attempts), 1, 255)?;
        self.must("serves", "", !self.serves.is_empty(), "name at least one carrier or channel")?;
        for served in &self.serves {
            let carrier = matches!(served, Served::Carrier(_));
            self.must(
                "serves",
                served.word(),
                carrier,
                "a link of SMS serves carriers; a platform has a link of its own",
            )?;
        }
        self.within("weight", u64::from(self.weight.unwrap_or(1)), 1, u64::from(MAX_WEIGHT))?;
        let timers = &self.timers;
        self.within("timers.heartbeat-s", timers.heartbeat_s, 1, 3600)?;
        self.within("timers.answer-s", self.answer().as_secs(), 1, 600)?;
        self.within("timers.heartbeat-tries", u64::from(timers.heartbeat_tries), 1, 10)?;
        self.within("timers.idle-s", timers.idle_s, 1, 3600)?;
        self.within("timers.connect-s", timers.connect_s, 1, 600)?;
        self.within("timers.reconnect-min-ms", timers.reconnect_min_ms, 1, 600_000)?;
        self.within("timers.reconnect-max-s", timers.reconnect_max_s, 1, 3600)?;
        self.within("timers.throttle-min-ms", timers.throttle_min_ms, 1, 600_000)?;
        self.within("timers.throttle-max-s", timers.throttle_max_s, 1, 86_400)?;
        self.within("timers.standby-s", timers.standby_s, 1, 86_400)?;
        self.within("timers.drain-s", timers.drain_s, 1, 3600)
    }

    /// SGIP's password is a field of its login.
    pub(crate) fn check_secret(&self, secret: &Secret) -> Result<(), ChannelError> {
        let fits = self.protocol != Protocol::Sgip1 || secret.expose().len() <= MAX_PASSWORD;
        self.must("secret", "***", fits, "SGIP's password has at most 16 octets: ask the carrier for one")
    }

    /// Each protocol's account has fields of its own; those of another are a mistake.
    fn check_login(&self) -> Result<(), ChannelError> {
        let cmpp = matches!(self.protocol, Protocol::Cmpp2 | Protocol::Cmpp3);
        self.own("sp-id", &self.sp_id, cmpp, 6)?;
        self.own("client-id", &self.client_id, self.protocol == Protocol::Smgp3, 8)?;
        let sgip = self.protocol == Protocol::Sgip1;
        self.own("login-name", &self.login_name, sgip, 16)?;
        self.own("corp-id", &self.corp_id, sgip, 5)?;
        let corp_id = self.corp_id.bytes().all(|b| b.is_ascii_digit());
        self.must("corp-id", &self.corp_id, corp_id, "write its digits")?;
        let node = if sgip { (NODES.0..=NODES.1).contains(&self.node) } else { self.node == 0 };
        let why = if sgip { "write ten digits: 3, the area code in four, the company's code in five" } else { FOREIGN };
        self.must("node", &self.node.to_string(), node, why)?;
        let listen = if sgip { self.listen.parse::<SocketAddr>().is_ok() } else { self.listen.is_empty() };
        let why = if sgip {
            "write the address and port at which the gateway is to call, such as 0.0.0.0:8801"
        } else {
            FOREIGN
        };
        self.must("listen", &self.listen, listen, why)
    }

    /// A field that must be there if it is this protocol's, with at most `longest` characters, and must not otherwise.
    fn own(&self, field: &'static str, value: &str, ours: bool, longest: usize) -> Result<(), ChannelError> {
        let graphic = value.bytes().all(|b| b.is_ascii_graphic());
        let why = match ours {
            true if value.is_empty() => "write what the carrier gave".to_owned(),
            true => format!("it has at most {longest} characters"),
            false => FOREIGN.to_owned(),
        };
        let fits = if ours { graphic && (1..=longest).contains(&value.len()) } else { value.is_empty() };
        self.must(field, value, fits, &why)
    }

    fn must(&self, field: &'static str, value: &str, holds: bool, why: &str) -> Result<(), ChannelError> {
        if holds {
            return Ok(());
        }
        let (link, value) = (self.name.to_string(), value.to_owned());
        Err(ChannelError::Config { link, field, value, why: why.to_owned() })
    }

    fn within(&self, field: &'static str, value: u64, min: u64, max: u64) -> Result<(), ChannelError> {
        self.must(field, &value.to_string(), (min..=max).contains(&value), &format!("write {min} to {max}"))
    }

    /// Unanswered submits that a connection may have.
    #[must_use]
    pub const fn window(&self) -> usize {
        match self.window {
            Some(window) => window,
            None => self.protocol.window(),
        }
    }

    /// How long an answer may take.
    pub(crate) const fn answer(&self) -> Duration {
        match self.timers.answer_s {
            Some(seconds) => Duration::from_secs(seconds),
            None => Duration::from_secs(self.protocol.answer_s()),
        }
    }

    /// The sender as it goes on the wire, or none where the carrier has not granted it: it would stop the whole link.
    pub(crate) fn sender(&self, asked: &str) -> Option<Octets<21>> {
        let sender = match asked {
            "" => self.src_ids.first()?,
            _ => asked,
        };
        let granted = self.src_ids.iter().any(|granted| sender.starts_with(granted.as_str()));
        let digits = sender.bytes().all(|b| b.is_ascii_digit());
        (granted && digits).then(|| Octets::new("Src_Id", sender).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use gridbell_model::{Carrier, Channel};

    use super::*;

    const EXAMPLE: &str = r#"
        name = "mobile"
        protocol = "cmpp3"
        address = "10.1.2.3:7890"
        sp-id = "901234"
        secret = { env = "MOBILE_SECRET" }
        service-id = "DLFW"
        src-ids = ["95598", "1065712"]
        grant = 100
        serves = ["mobile", "broadnet"]
        codes = { 101 = "defer-day", 102 = "stop" }
        timers = { answer-s = 30 }
    "#;

    #[test]
    fn a_link_is_read_with_the_specifications_defaults() {
        let link: LinkConfig = toml::from_str(EXAMPLE).unwrap();
        link.check().unwrap();
        assert_eq!((link.window(), link.connections, link.commit_group, link.enabled), (16, 1, 512, true));
        assert_eq!((link.timers.heartbeat_s, link.answer().as_secs(), link.timers.heartbeat_tries), (180, 30, 3));
        assert_eq!(link.codes[&101], CodeAction::DeferDay);
        assert_eq!(link.serves, [Served::Carrier(Carrier::Mobile), Served::Carrier(Carrier::Broadnet)]);
        let platform: LinkConfig = toml::from_str(&EXAMPLE.replace("\"mobile\", \"broadnet\"", "\"wechat\"")).unwrap();
        assert_eq!(platform.serves, [Served::Channel(Channel::Wechat)]);
        let refused = platform.check().unwrap_err().to_string();
        assert!(refused.contains("field `serves` is `wechat`: a link of SMS serves carriers"), "{refused}");
        assert_eq!(link.sender("").unwrap().as_bytes(), b"95598");
        assert_eq!(link.sender("106571299").unwrap().as_bytes(), b"106571299");
        for refused in ["10086", "95598x", "955981234567890123456789"] {
            assert!(link.sender(refused).is_none(), "{refused}");
        }
    }

    #[test]
    fn what_cannot_be_is_named_with_its_field() {
        let with = |from: &str, to: &str| toml::from_str::<LinkConfig>(&EXAMPLE.replace(from, to)).map(|l| l.check());
        let message = |from: &str, to: &str| match with(from, to) {
            Ok(checked) => checked.unwrap_err().to_string(),
            Err(read) => read.to_string(),
        };
        for (from, to, expected) in [
            ("10.1.2.3:7890", "10.1.2.3", "link `mobile`: field `address` is `10.1.2.3`: write host:port"),
            ("901234", "9012345", "field `sp-id` is `9012345`: it has at most 6 characters"),
            ("grant = 100", "grant = 100000000", "field `grant` is `100000000`: write 0 to 100000"),
            ("answer-s = 30", "answer-s = 0", "field `timers.answer-s` is `0`: write 1 to 600"),
            ("\"mobile\"\n", "\"Mobile 1\"\n", "use 1 to 40 of a–z, 0–9 and `-`"),
            ("101 =", "x =", "`x` is not a result code"),
            ("grant", "grunt", "unknown field `grunt`"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{message}");
        }
    }
}
