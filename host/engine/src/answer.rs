//! Whether an answer is one: every row and index in range, no row twice. Nothing of a batch is kept unless all of it is right.

use gridbell_contract::Manifest;
use gridbell_model::{CHUNK_ROWS, CivilMinute, Decision};

use crate::abi;
use crate::fault::GuestFault;

/// How long the lists of a manifest are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lists {
    notices: usize,
    reasons: usize,
    routes: usize,
}

impl Lists {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self { notices: manifest.notices().len(), reasons: manifest.reasons().len(), routes: manifest.routes().len() }
    }
}

/// The decisions about a batch of `rows` rows, sorted by row; `number` gives a row's number in the table.
pub(crate) fn decisions(
    answer: Vec<abi::Decision>,
    rows: usize,
    lists: Lists,
    number: impl Fn(u32) -> u32,
) -> Result<Vec<Decision>, GuestFault> {
    if answer.len() > rows {
        return Err(GuestFault::TooManyDecisions { got: answer.len(), rows });
    }
    let mut seen = [0_u64; CHUNK_ROWS / 64];
    let mut sorted = true;
    let mut last = 0;
    let mut decisions = Vec::with_capacity(answer.len());
    for d in answer {
        let row = d.row;
        let word = seen.get_mut(row as usize / 64).filter(|_| (row as usize) < rows);
        let Some(word) = word else { return Err(GuestFault::RowOutOfRange { row, rows }) };
        let bit = 1_u64 << (row % 64);
        if *word & bit != 0 {
            return Err(GuestFault::RowTwice { row });
        }
        *word |= bit;
        for (list, index, len) in
            [("notice", d.notice, lists.notices), ("reason", d.reason, lists.reasons), ("route", d.route, lists.routes)]
        {
            if usize::from(index) >= len {
                return Err(GuestFault::UnknownIndex { list, index, len, row });
            }
        }
        if d.step == 0 {
            return Err(GuestFault::StepZero { row });
        }
        sorted &= row >= last;
        last = row;
        decisions.push(Decision {
            row: number(row),
            notice: d.notice,
            step: d.step,
            reason: d.reason,
            route: d.route,
            arg0: d.arg0,
            arg1: d.arg1,
            not_before: CivilMinute(d.not_before),
            expires: CivilMinute(d.expires),
        });
    }
    if !sorted {
        decisions.sort_unstable_by_key(|d| d.row);
    }
    Ok(decisions)
}

/// The reasons for a batch of `rows` rows, in their order.
pub(crate) fn reasons(answer: Vec<u16>, rows: usize, lists: Lists) -> Result<Vec<u16>, GuestFault> {
    if answer.len() != rows {
        return Err(GuestFault::ExplainLength { got: answer.len(), rows });
    }
    match answer.iter().position(|reason| usize::from(*reason) >= lists.reasons) {
        Some(n) => Err(GuestFault::UnknownIndex {
            list: "reason",
            index: answer[n],
            len: lists.reasons,
            row: u32::try_from(n).unwrap_or(u32::MAX),
        }),
        None => Ok(answer),
    }
}
