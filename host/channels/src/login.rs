//! CONNECT: both sides prove that they know the secret, and agree on a version.

use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_cmpp::{self as cmpp, Connect, ConnectResp, Decoder, Disposition, Octets, Pdu, Stamp, Version, auth};
use gridbell_model::Moment;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::config::LinkConfig;
use crate::secret::Secret;

/// PDUs other than the answer that a gateway may send first.
const MAX_BEFORE_ANSWER: usize = 16;
/// The sequence number of the CONNECT.
const SEQUENCE: u32 = 1;

/// A connection that is logged in.
pub(crate) struct Login {
    /// The version in force.
    pub(crate) version: Version,
    /// Octets that came after the answer.
    pub(crate) input: BytesMut,
}

/// Why a login failed. Messages carry nothing secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The connection.
    #[error("the gateway at `{address}` cannot be reached: {why}")]
    Connection { address: String, why: String },
    /// No answer.
    #[error("the gateway did not answer the login within {}s", .0.as_secs())]
    NoAnswer(Duration),
    /// Not a gateway, or not one of ours.
    #[error("the gateway answered the login with something else: {0}")]
    Nonsense(String),
    /// A status other than 0.
    #[error("the gateway refused the login with status {status}{}", explain(*.status))]
    Refused { status: u32 },
    /// It only speaks an older version.
    #[error("the gateway speaks CMPP {0} only")]
    Older(Version),
    /// Its authenticator is wrong.
    #[error("the gateway could not prove that it knows the secret: check the address and the secret")]
    NotGenuine,
}

impl LoginError {
    /// Whether trying again cannot help.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::NotGenuine => true,
            Self::Refused { status } => {
                !matches!(cmpp::connect_disposition(*status), Err(Disposition::BackOffRetry | Disposition::Vendor(_)))
            }
            Self::Connection { .. } | Self::NoAnswer(_) | Self::Nonsense(_) | Self::Older(_) => false,
        }
    }
}

const fn explain(status: u32) -> &'static str {
    match status {
        1 => " (structure)",
        2 => " (`sp-id` unknown or address not allowed)",
        3 => " (authentication: check the secret and the clock)",
        4 => " (version too high)",
        _ => "",
    }
}

/// Logs in on a fresh connection.
pub(crate) async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: &LinkConfig,
    secret: &Secret,
    version: Version,
    clock: &Clock,
) -> Result<Login, LoginError> {
    let limit = config.timers.answer();
    tokio::select! {
        biased;
        login = exchange(stream, config, secret, version, clock) => login,
        () = clock.sleep(limit) => Err(LoginError::NoAnswer(limit)),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: &LinkConfig,
    secret: &Secret,
    version: Version,
    clock: &Clock,
) -> Result<Login, LoginError> {
    let lost = |why: String| LoginError::Connection { address: config.address.clone(), why };
    let stamp = stamp(clock.now()).ok_or_else(|| lost("the clock shows no date".to_owned()))?;
    let authenticator = auth::source(config.sp_id.as_bytes(), secret.expose(), stamp);
    let connect = Connect {
        sp_id: Octets::new("Source_Addr", &config.sp_id).map_err(|e| lost(e.to_string()))?,
        authenticator,
        version: version.octet(),
        timestamp: stamp.number(),
    };
    let mut output = BytesMut::new();
    Pdu::Connect(connect).encode(SEQUENCE, version, &mut output).map_err(|e| lost(e.to_string()))?;
    stream.write_all(&output).await.map_err(|e| lost(e.to_string()))?;

    let mut input = BytesMut::with_capacity(4096);
    let resp = answer(stream, version, &mut input, &lost).await?;
    let theirs = Version::from_octet(resp.version);
    if resp.status == 4 && theirs.is_some_and(|theirs| theirs < version) {
        return Err(LoginError::Older(Version::V2_0));
    }
    if resp.status != 0 {
        return Err(LoginError::Refused { status: resp.status });
    }
    // A gateway that speaks less than we offered has hashed the status in its own width.
    let genuine =
        |version| auth::matches(&auth::ismg(0, &authenticator, secret.expose(), version), &resp.authenticator);
    if !(genuine(version) || genuine(Version::V2_0) || genuine(Version::V3_0)) {
        return Err(LoginError::NotGenuine);
    }
    Ok(Login { version: theirs.map_or(version, |theirs| theirs.min(version)), input })
}

async fn answer<S: AsyncRead + Unpin>(
    stream: &mut S,
    version: Version,
    input: &mut BytesMut,
    lost: &impl Fn(String) -> LoginError,
) -> Result<ConnectResp, LoginError> {
    let decoder = Decoder::new(version);
    for _ in 0..MAX_BEFORE_ANSWER {
        let frame = loop {
            match decoder.decode(input) {
                Ok(Some(frame)) => break frame,
                Ok(None) => {}
                Err(error) => return Err(LoginError::Nonsense(error.to_string())),
            }
            match stream.read_buf(input).await {
                Ok(0) => return Err(lost("it closed the connection".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(lost(error.to_string())),
            }
        };
        match frame.pdu {
            Pdu::ConnectResp(resp) if frame.sequence == SEQUENCE => return Ok(resp),
            Pdu::Terminate => return Err(lost("it ended the connection".to_owned())),
            _ => {}
        }
    }
    Err(LoginError::Nonsense(format!("{MAX_BEFORE_ANSWER} other PDUs")))
}

/// MMDDHHMMSS of the login, in the carriers' time.
fn stamp(now: Moment) -> Option<Stamp> {
    let minute = now.civil_minute();
    let (_, month, day) = minute.date().ymd();
    let of_day = minute.minute_of_day();
    let second = now.unix_ms().rem_euclid(60_000) / 1000;
    let octet = |part: u32| u8::try_from(part).ok();
    Stamp::new(octet(month)?, octet(day)?, octet(of_day / 60)?, octet(of_day % 60)?, u8::try_from(second).ok()?)
}
