//! What is kept of a correction: who proposed and approved what, the list of recipients as it was shown, and the runs that told them. The list lies in
//! documents until its run is published, and with that run from then on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gridbell_model::{
    AccountNumber, Channel, HoldReason, MessageId, MessageState, Moment, PrefectureCode, RunId, Topic,
};
use gridbell_state::{DocChange, RunRecord, content_hash};
use serde::{Deserialize, Serialize};

use super::scope::CorrectionScope;
use crate::archived::hex;
use crate::basis::{basis_of, hash_of};
use crate::documents::{self, CORRECTION, CORRECTION_LIST};
use crate::error::HostError;
use crate::host::Host;

/// Customers of one correction at most: a prefecture's campaign is below it, and its list waits in memory for its approval.
pub const MAX_CORRECTED: usize = 500_000;
/// For how long a correction waits for its approval: what is wrong is put right at once or looked at anew.
pub const CORRECTION_HOURS: i64 = 24;
/// Corrections that are kept at most; of those at their end the oldest goes first, and the audit log has them.
pub const MAX_KEPT_CORRECTIONS: usize = 5_000;
/// Bytes of one document of a list; a run names at most 32 documents, and a document is bounded.
const LIST_BYTES: usize = 1_000_000;
/// The first line of each document of a list.
const LIST_HEAD: &str = "account,message,channel,state,held\n";
/// What the documents of a list are called at their run.
const LIST: &str = "recipients-";

/// One customer of a correction, as the list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// 户号
    pub account: AccountNumber,
    /// The message that is corrected: of several the one that came, or the last that may have.
    pub message: MessageId,
    /// The channel on which it went, and on which its correction goes.
    pub channel: Channel,
    /// Where it stood when the list was made.
    pub state: MessageState,
    /// Why no correction goes to this customer; none where one does.
    pub held: Option<HoldReason>,
}

impl Recipient {
    fn write(&self, out: &mut String) {
        let Self { account, message, channel, state, held } = self;
        let held = held.map_or("", HoldReason::word);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{account},{},{channel},{state},{held}", message.number());
    }

    fn read(line: &str, prefecture: PrefectureCode) -> Option<Self> {
        let [account, number, channel, state, held] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            account: account.parse().ok()?,
            message: MessageId::new(prefecture, number.parse().ok()?),
            channel: channel.parse().ok()?,
            state: state.parse().ok()?,
            held: if held.is_empty() { None } else { Some(held.parse().ok()?) },
        })
    }
}

/// How many a correction tells, and what that takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionCounts {
    /// Customers who are told, by channel.
    pub told: BTreeMap<Channel, u64>,
    /// Customers who are not, by reason.
    pub held: BTreeMap<HoldReason, u64>,
    /// Parts as carriers count them.
    pub parts: u64,
    /// What they cost, in 1/1000 fen.
    pub cost_milli_fen: u64,
}

impl CorrectionCounts {
    /// Customers who are told.
    #[must_use]
    pub fn all_told(&self) -> u64 {
        self.told.values().sum()
    }

    /// Customers who are not.
    #[must_use]
    pub fn all_held(&self) -> u64 {
        self.held.values().sum()
    }
}

/// The customers of one prefecture, policy and plugin: what one run tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionPart {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The policy whose messages were wrong.
    pub policy: String,
    /// Its plugin, its version and the SHA-256 of it.
    pub plugin: (String, String, String),
    /// Customers on the list.
    pub listed: u64,
    /// Documents of its list.
    pub chunks: u32,
    /// SHA-256 of its list, hex.
    pub list: String,
    /// What one SMS part costs, in 1/1000 fen, where the policy is gone.
    pub cost_per_part_milli_fen: u32,
    /// The runs that told them: one, and further ones where what was queued said a fact that changed before it left.
    #[serde(default)]
    pub runs: Vec<RunId>,
    /// Whether nothing more follows.
    #[serde(default)]
    pub settled: bool,
}

/// What became of the proposal of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorrectionState {
    /// It waits for another person.
    Open,
    /// Another person agreed; what it tells is being queued.
    Approved,
    /// All that it tells is queued, or held with its reason.
    Published,
    /// Somebody said no.
    Refused,
    /// Its author took it back.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
}

impl CorrectionState {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Open => "待审批",
            Self::Approved => "正在发送",
            Self::Published => "已发送",
            Self::Refused => "已驳回",
            Self::Withdrawn => "已撤回",
            Self::Expired => "已过期",
        }
    }
}

/// A correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// From 1: the number of its proposal.
    pub id: u64,
    /// Which messages.
    pub scope: CorrectionScope,
    /// What they were about.
    pub topic: Topic,
    /// What is said, by channel.
    pub texts: BTreeMap<Channel, String>,
    /// Whether a text states a fact that may change before it goes.
    pub states_fact: bool,
    /// Whether a text says anything of the account.
    pub tells_account: bool,
    /// The runs whose messages are corrected.
    pub wrong: Vec<RunId>,
    /// How many it tells, as it was shown.
    pub counts: CorrectionCounts,
    /// Messages that were taken back before the list was made: nobody got them.
    pub recalled: u64,
    /// By prefecture, policy and plugin.
    pub parts: Vec<CorrectionPart>,
    /// SHA-256 over the lists of all parts, hex: what was approved.
    pub digest: String,
    /// Who proposed it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Moment,
    /// When it is over if nobody decides.
    pub expires: Moment,
    /// What became of it: open, approved, refused or withdrawn; [`Correction::state`] says the rest.
    pub decision: CorrectionState,
    /// Who decided, when and why.
    #[serde(default)]
    pub decided: Option<crate::proposals::Decided>,
}

impl Correction {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Moment) -> CorrectionState {
        match self.decision {
            CorrectionState::Open if now >= self.expires => CorrectionState::Expired,
            CorrectionState::Approved if self.parts.iter().all(|p| !p.runs.is_empty()) => CorrectionState::Published,
            other => other,
        }
    }

    /// Its name: C12.
    #[must_use]
    pub fn name(&self) -> String {
        format!("C{}", self.id)
    }

    /// The runs that told.
    pub fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.parts.iter().flat_map(|p| p.runs.iter().copied())
    }

    pub(crate) fn key(&self) -> String {
        key(self.id)
    }

    pub(super) fn put(&self, expected: u64) -> Result<DocChange, HostError> {
        documents::put(CORRECTION, &self.key(), self, Some(expected))
    }

    /// Its end at its proposal, with the lists that nobody needs any more.
    pub(crate) fn close(
        &mut self,
        decision: CorrectionState,
        decided: crate::proposals::Decided,
        version: u64,
    ) -> Result<Vec<DocChange>, HostError> {
        (self.decision, self.decided) = (decision, Some(decided));
        let mut docs = vec![self.put(version)?];
        if decision != CorrectionState::Approved {
            docs.extend(self.parts.iter().flat_map(CorrectionPart::drop_list));
        }
        Ok(docs)
    }
}

/// Its document: numbers in order.
pub(crate) fn key(id: u64) -> String {
    format!("C{id:08}")
}

impl CorrectionPart {
    /// The documents in which the list waits. Their name is what they say: two proposals never share one that differs.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> + use<> {
        let name = format!("{}/{}", self.prefecture, self.list);
        (0..self.chunks).map(move |chunk| format!("{name}/{chunk:04}"))
    }

    pub(super) fn drop_list(&self) -> Vec<DocChange> {
        self.keys().map(|key| documents::delete(CORRECTION_LIST, &key)).collect()
    }
}

/// A list as it is kept: documents of whole lines, and the SHA-256 over them.
pub(super) fn write_list(recipients: &[Recipient]) -> (Vec<String>, String) {
    let (mut chunks, mut chunk) = (Vec::new(), LIST_HEAD.to_owned());
    for recipient in recipients {
        recipient.write(&mut chunk);
        if chunk.len() >= LIST_BYTES {
            chunks.push(std::mem::replace(&mut chunk, LIST_HEAD.to_owned()));
        }
    }
    if chunk.len() > LIST_HEAD.len() || chunks.is_empty() {
        chunks.push(chunk);
    }
    let digest = digest_of(chunks.iter().map(String::as_bytes));
    (chunks, digest)
}

/// The SHA-256 over pieces.
pub(super) fn digest_of<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> String {
    hex(&content_hash(&pieces.collect::<Vec<_>>().concat()))
}

fn read_list(chunk: &[u8], prefecture: PrefectureCode) -> Option<Vec<Recipient>> {
    let text = std::str::from_utf8(chunk).ok()?.strip_prefix(LIST_HEAD)?;
    text.lines().map(|line| Recipient::read(line, prefecture)).collect()
}

/// What a list's document is called at its run.
pub(super) fn list_name(chunk: usize) -> String {
    format!("{LIST}{chunk:04}")
}

impl Host {
    /// The list of a part as it was approved: from its documents, or from its run; none where that left for the archives.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was approved.
    pub(super) fn list_of(&self, part: &CorrectionPart) -> Result<Option<Vec<Vec<u8>>>, HostError> {
        let chunks = match part.runs.first() {
            None => {
                let doc = |key: String| self.state().doc(CORRECTION_LIST, &key).map(|d| d.value.to_vec());
                part.keys().map(doc).collect::<Option<Vec<_>>>()
            }
            Some(run) => self.kept_list(*run)?,
        };
        let Some(chunks) = chunks else { return Ok(None) };
        if digest_of(chunks.iter().map(Vec::as_slice)) != part.list {
            let text = format!("the list of recipients in {} is not the one that was shown", part.prefecture);
            return Err(HostError::Refused(text));
        }
        Ok(Some(chunks))
    }

    fn kept_list(&self, run: RunId) -> Result<Option<Vec<Vec<u8>>>, HostError> {
        let Some(kept) = self.state().kept_run(run)? else { return Ok(None) };
        let basis = basis_of(run, &kept)?;
        let hashes = basis.documents.iter().filter(|(name, _)| name.starts_with(LIST)).map(|(_, hash)| hash_of(hash));
        let mut chunks = Vec::new();
        for hash in hashes {
            let Some(chunk) = hash.map(|h| self.state().kept_document(&h)).transpose()?.flatten() else {
                return Ok(None);
            };
            chunks.push(chunk);
        }
        Ok(Some(chunks))
    }

    /// The customers on the list of `part`, in order of row.
    ///
    /// # Errors
    /// As [`Host::list_of`].
    pub(super) fn listed(&self, part: &CorrectionPart) -> Result<Option<Vec<Recipient>>, HostError> {
        let Some(chunks) = self.list_of(part)? else { return Ok(None) };
        let lists: Option<Vec<Vec<Recipient>>> = chunks.iter().map(|c| read_list(c, part.prefecture)).collect();
        let unreadable = || HostError::Refused(format!("the list of recipients in {} cannot be read", part.prefecture));
        lists.map(|lists| Some(lists.concat())).ok_or_else(unreadable)
    }
}

/// What a run of a correction says of itself, in the place of a plugin's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words {
    /// The correction's number.
    pub(crate) correction: u64,
    /// What the wrong messages were about.
    pub(crate) topic: Topic,
    /// Whether its texts state facts.
    pub(crate) states_fact: bool,
    /// Whether its texts say anything of the account.
    pub(crate) tells_account: bool,
}

impl Words {
    /// Those of `run`, where it is a correction's.
    pub(crate) fn of(run: &RunRecord) -> Option<Self> {
        run.is_correction().then(|| serde_json::from_str(&run.params).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_reads_as_it_was_written(entries in proptest::collection::vec((0_u64..10_000_000_000, 1_u32.., 0..5_usize, 0..7_usize, 0..30_usize), 0..200)) {
            let taiyuan = PrefectureCode(140_100);
            let recipients: Vec<Recipient> = entries.into_iter().map(|(account, number, channel, state, held)| Recipient {
                account: format!("{account:010}").parse().unwrap(),
                message: MessageId::new(taiyuan, number),
                channel: Channel::ALL[channel],
                state: MessageState::ALL[state],
                held: HoldReason::ALL.get(held).copied(),
            }).collect();
            let (chunks, digest) = write_list(&recipients);
            let read: Vec<Recipient> = chunks.iter().flat_map(|c| read_list(c.as_bytes(), taiyuan).unwrap()).collect();
            prop_assert_eq!(read, recipients);
            prop_assert_eq!(digest, digest_of(chunks.iter().map(String::as_bytes)));
        }
    }

    #[test]
    fn a_large_list_lies_in_documents_that_fit() {
        let one = Recipient {
            account: "0101234567".parse().unwrap(),
            message: MessageId::new(PrefectureCode(140_100), 7),
            channel: Channel::Sms,
            state: MessageState::Delivered,
            held: Some(HoldReason::SuspendedAddress),
        };
        let (chunks, _) = write_list(&vec![one; 50_000]);
        assert!(chunks.len() > 1 && chunks.iter().all(|c| c.len() <= gridbell_state::MAX_DOC_BYTES));
        // As many as a run may name beside what else it is made from.
        const { assert!(MAX_CORRECTED / (LIST_BYTES / 60) <= 30) };
    }
}
