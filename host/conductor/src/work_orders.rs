//! Work orders (工单) for what only a person can put right. One is opened by a wrong-number reply and has a deadline; it closes by itself when the archive
//! says something else: the number was corrected, confirmed, or taken away. Nothing else closes it.

use gridbell_model::{AccountNumber, CustomerView, Date, Moment, OrgCode, Phone, PrefectureCode};
use gridbell_state::{DocChange, State};
use serde::{Deserialize, Serialize};

use crate::documents::{self, WORK_ORDER};
use crate::error::HostError;
use crate::host::Host;

/// Working days within which the office puts a wrong number right.
pub const WRONG_NUMBER_DAYS: u32 = 3;
/// For so many days a work order is kept after it was closed: a quarter, in which whoever counts them counts them.
pub const KEPT_CLOSED_DAYS: i32 = 90;
/// Days that the calendar is asked for them: the longest holidays and more.
const LOOKED_DAYS: i32 = 30;

/// A work order as it is kept. Sealed with everything else in the store; the number is shown masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// The account whose number is somebody else's.
    pub account: AccountNumber,
    /// Its prefecture.
    pub prefecture: PrefectureCode,
    /// Its station, whose office it is.
    pub station: OrgCode,
    /// The number; personal.
    phone: u64,
    /// Further accounts of that number, which the same message told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<AccountNumber>,
    /// When it was opened.
    pub opened: Moment,
    /// The last day on which it is in time.
    pub due: Date,
    /// When it was first seen closed by the day's look; none while it is open. One that opens again loses it.
    #[serde(default)]
    closed: Option<Moment>,
}

/// How a work order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkOrderState {
    /// The number is suspended and nobody has looked.
    Open,
    /// The archive has another number.
    Corrected,
    /// Somebody confirmed the number.
    Confirmed,
    /// The account has no number or is gone.
    Gone,
}

/// A work order with how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkOrderEntry {
    /// The number of the reply that opened it.
    pub number: u64,
    /// What it is about.
    pub order: WorkOrder,
    /// How it stands.
    pub state: WorkOrderState,
}

impl WorkOrder {
    /// The number, masked when it is printed.
    #[must_use]
    pub fn phone(&self) -> Phone {
        Phone::from_packed(self.phone)
    }

    /// As the document that the reply with this number opens.
    pub(crate) fn doc(&self, number: u64) -> Result<DocChange, HostError> {
        documents::put(WORK_ORDER, &format!("{number:012}"), self, None)
    }

    /// Open as long as it is of any of its accounts; else as it is of the first.
    fn state(&self, state: &State) -> WorkOrderState {
        let open = self.others.iter().any(|account| self.state_of(*account, state) == WorkOrderState::Open);
        if open { WorkOrderState::Open } else { self.state_of(self.account, state) }
    }

    fn state_of(&self, account: AccountNumber, state: &State) -> WorkOrderState {
        let Some((_, view)) = state.customer(account) else { return WorkOrderState::Gone };
        if view.phone.number() == 0 {
            WorkOrderState::Gone
        } else if view.phone.number() != self.phone().number() {
            WorkOrderState::Corrected
        } else if view.phone.is_suspended() {
            WorkOrderState::Open
        } else {
            WorkOrderState::Confirmed
        }
    }
}

impl Host {
    /// A work order about the number of `view`, and of `others` who were told by the same message, opened now.
    pub(crate) fn work_order(
        &self,
        prefecture: PrefectureCode,
        view: &CustomerView,
        others: Vec<AccountNumber>,
    ) -> Result<WorkOrder, HostError> {
        let (calendar, today) = (self.settings()?.calendar, self.clock().today());
        let days = (1..=LOOKED_DAYS).map(|n| today.plus_days(n)).filter(|day| calendar.is_working(*day));
        let due = days.take(WRONG_NUMBER_DAYS as usize).last().unwrap_or_else(|| today.plus_days(LOOKED_DAYS));
        Ok(WorkOrder {
            account: view.account,
            prefecture,
            station: view.station,
            phone: view.phone.packed(),
            others,
            opened: self.clock().now(),
            due,
            closed: None,
        })
    }
}

/// What changes of work orders at the day's look: of those that closed since, when; and those that are closed for [`KEPT_CLOSED_DAYS`] are no more.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn tidied(state: &State, now: Moment) -> Result<Vec<DocChange>, HostError> {
    let mut changes = Vec::new();
    for (key, doc) in state.docs(WORK_ORDER) {
        let order: WorkOrder = documents::parse(WORK_ORDER, &key, &doc.value)?;
        let open = order.state(state) == WorkOrderState::Open;
        let closed = match (open, order.closed) {
            (true, None) => continue,
            (true, Some(_)) => None,
            (false, None) => Some(now),
            (false, Some(at)) if at.date().plus_days(KEPT_CLOSED_DAYS) <= now.date() => {
                changes.push(DocChange { expected: Some(doc.version), ..documents::delete(WORK_ORDER, &key) });
                continue;
            }
            (false, Some(_)) => continue,
        };
        changes.push(documents::put(WORK_ORDER, &key, &WorkOrder { closed, ..order }, Some(doc.version))?);
    }
    Ok(changes)
}

/// Work orders that `wanted` takes, the newest first, before the one with the number `before`, up to `limit`.
///
/// # Errors
/// When one cannot be read.
pub fn work_orders(
    state: &State,
    before: Option<u64>,
    limit: usize,
    wanted: impl Fn(&WorkOrderEntry) -> bool,
) -> Result<Vec<WorkOrderEntry>, HostError> {
    let mut found = Vec::new();
    for (key, doc) in state.docs(WORK_ORDER).into_iter().rev() {
        if found.len() >= limit {
            break;
        }
        let Ok(number) = key.parse::<u64>() else { continue };
        if before.is_some_and(|before| number >= before) {
            continue;
        }
        let order: WorkOrder = documents::parse(WORK_ORDER, &key, &doc.value)?;
        let entry = WorkOrderEntry { number, state: order.state(state), order };
        if wanted(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}
