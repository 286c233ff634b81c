//! Changes of the state. Everything that ever changes customers or messages is an [`Op`] in the journal; replaying the journal rebuilds both.

use gridbell_model::{AccountNumber, CarrierKey, MessageId, Moment, OrgTree, PrefectureCode, RunId, Sharing};
use gridbell_topology::GridFact;
use serde::{Deserialize, Serialize};

use crate::contacts::ContactFact;
use crate::facts::{BalanceFact, BillFact, CustomerChange, CustomerFact, FactOutcome, PaymentFact};
use crate::grid::GridOutcome;
use crate::hops::Hopped;
use crate::outbox::MessageEvent;
use crate::ported::PortedFact;
use crate::runs::{Publication, RunRecord, RunStatus};
use crate::supply::SupplyFact;
use crate::together::Telling;

/// Rows of facts in one op at most: larger imports are many ops. The importer's batches, half a megabyte of short rows, fit.
pub const MAX_FACTS_PER_OP: usize = 49_152;

/// One change. Variants are appended, never reordered: the journal holds their numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Op {
    Org(OrgTree),
    Customers(Vec<CustomerFact>),
    Bills(Vec<BillFact>),
    Balances(Vec<BalanceFact>),
    Payments(Vec<PaymentFact>),
    Change(AccountNumber, CustomerChange),
    Publish(Box<RunRecord>, Vec<Publication>),
    RunStatus(RunId, RunStatus),
    Messages(Vec<(MessageId, MessageEvent)>),
    Reports(String, Vec<(u64, String)>),
    /// Records left for an archive: runs whose decisions did, and runs that did as a whole.
    Archived {
        decisions: Vec<RunId>,
        runs: Vec<RunId>,
    },
    /// As [`Op::Reports`] where the carrier's numbers are none of 64 bits.
    ReportsAs(String, Vec<(String, String)>),
    /// Addresses at platforms, bound and ended.
    Contacts(Vec<ContactFact>),
    /// Of these customers everything is voided that was the holder's own.
    Void(Vec<AccountNumber>),
    /// Samples of a pilot: messages to test numbers, which say nothing to the customers that they are about.
    PublishSamples(Box<RunRecord>, Vec<Publication>),
    /// Messages of this run, with the minutes after which the next hop of their route is due where no report came.
    Await(RunId, PrefectureCode, Vec<(u32, u32)>),
    /// The next hops of messages: published, or held.
    PublishHops(Box<RunRecord>, Vec<Publication>, Vec<Hopped>),
    /// No further hop follows messages of these runs.
    EndHops(Vec<RunId>),
    /// What is said of the carriers of numbers.
    Ported(Vec<PortedFact>),
    /// Which messages of the publication behind it may leave together with others of their number.
    Share(PrefectureCode, Vec<(u32, Sharing)>),
    /// Messages that leave as one.
    Tell(Vec<Telling>),
    /// What is said of the grid.
    Grid(Vec<GridFact>),
    /// Which transformers customers hang on, by their numbers in the grid.
    Supply(Vec<SupplyFact>),
}

/// A group of ops as the journal keeps it: all or none, at one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) at: Moment,
    pub(crate) ops: Vec<Vec<u8>>,
}

impl Op {
    /// Reports on `link`, in the order in which they came; one op for each row of one kind of key, in practice one for all.
    pub(crate) fn reports(link: &str, reports: Vec<(CarrierKey, String)>) -> Vec<Self> {
        let mut ops: Vec<Self> = Vec::new();
        for (key, stat) in reports {
            match (ops.last_mut(), key) {
                (Some(Self::Reports(_, some)), CarrierKey::Number(number)) => some.push((number, stat)),
                (Some(Self::ReportsAs(_, some)), CarrierKey::Text(text)) => some.push((text.to_string(), stat)),
                (_, CarrierKey::Number(number)) => ops.push(Self::Reports(link.to_owned(), vec![(number, stat)])),
                (_, CarrierKey::Text(text)) => {
                    ops.push(Self::ReportsAs(link.to_owned(), vec![(text.to_string(), stat)]))
                }
            }
        }
        ops
    }

    /// The number of [`Op::Customers`], with which its bytes begin.
    pub(crate) const CUSTOMERS: u8 = 1;

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Serialising to a growing vector cannot fail: every type here is plain data.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// Facts to take in, all of one kind, at most [`MAX_FACTS_PER_OP`].
#[derive(Clone, PartialEq, Debug)]
pub enum Facts {
    /// Customers of the archive.
    Customers(Vec<CustomerFact>),
    /// Bills.
    Bills(Vec<BillFact>),
    /// Prepaid balances.
    Balances(Vec<BalanceFact>),
    /// Payments and reversals.
    Payments(Vec<PaymentFact>),
    /// Addresses at platforms.
    Contacts(Vec<ContactFact>),
    /// Whose numbers are that are not their segment's.
    Ported(Vec<PortedFact>),
    /// The grid.
    Grid(Vec<GridFact>),
    /// Which transformers customers hang on.
    Supply(Vec<SupplyFact>),
}

impl Facts {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Customers(v) => v.len(),
            Self::Bills(v) => v.len(),
            Self::Balances(v) => v.len(),
            Self::Payments(v) => v.len(),
            Self::Contacts(v) => v.len(),
            Self::Ported(v) => v.len(),
            Self::Grid(v) => v.len(),
            Self::Supply(v) => v.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn into_op(self) -> Op {
        match self {
            Self::Customers(v) => Op::Customers(v),
            Self::Bills(v) => Op::Bills(v),
            Self::Balances(v) => Op::Balances(v),
            Self::Payments(v) => Op::Payments(v),
            Self::Contacts(v) => Op::Contacts(v),
            Self::Ported(v) => Op::Ported(v),
            Self::Grid(v) => Op::Grid(v),
            Self::Supply(v) => Op::Supply(v),
        }
    }
}

/// A document to store or delete: policies, templates, rules, users, tokens and the like. The state does not know what it means.
#[derive(Clone, PartialEq, Debug)]
pub struct DocChange {
    /// What kind of document; ASCII, at most [`crate::MAX_DOC_NAME`] bytes.
    pub kind: String,
    /// Its name within the kind; at most [`crate::MAX_DOC_NAME`] bytes.
    pub key: String,
    /// The new content, usually JSON; none deletes it.
    pub value: Option<Vec<u8>>,
    /// The version that must be there (0: must be absent); none for any.
    pub expected: Option<u64>,
}

/// An entry for the audit log, written in the same group as the change that it tells of. Never holds personal data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuditNote {
    /// User name, `system`, or the name of a token.
    pub who: String,
    /// What was done, dotted: `policy.apply`, `customer.unmask`.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// More, as JSON text.
    pub detail: String,
}

/// What became of a change.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Applied {
    /// Rows of facts, if it held any.
    pub facts: FactOutcome,
    /// Facts about the grid, if it held any.
    pub grid: GridOutcome,
    /// Message events that did not fit the message's state and changed nothing.
    pub stale_events: u64,
    /// The sequence at which it became visible.
    pub seq: u64,
}
