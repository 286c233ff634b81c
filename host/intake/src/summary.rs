//! What an import did, counted.

use serde::{Deserialize, Serialize};

use crate::codes::codes;
use crate::reject::Reason;

codes! {
    /// Something that is wrong with a row that was taken all the same.
    Warning, "Every warning.";
    /// The number cannot be one.
    BadPhone = "bad-phone", "the phone number cannot be one: the contact is flagged", "电话号码有误，已标记";
    /// SMS does not reach a landline.
    Landline = "landline", "the phone number is a landline: no SMS reaches it", "固定电话，无法接收短信";
    /// A mobile number in no known segment.
    UnknownSegment = "unknown-segment", "the mobile number lies in no known carrier segment", "手机号不在已知号段内";
    /// The contact's source or verification date was not understood.
    UnreadContact = "unread-contact", "the contact's source or verification date was not understood", "联系方式来源或核实日期无法识别";
    /// The name was not taken.
    UnreadName = "unread-name", "the name is too long or not text in the file's encoding, and was not taken", "户名过长或无法识别，未采用";
    /// The reading section was not taken.
    UnreadSection = "unread-section", "the reading section is no number below 4294967296, and was not taken", "抄表段编号无法识别，未采用";
    /// A trait was not taken.
    UnreadTrait = "unread-trait", "a category, tag or yes/no column was not understood, and was not taken", "客户类别、标签或是否项无法识别，未采用";
    /// The energy was not taken.
    UnreadEnergy = "unread-energy", "the energy is no whole number of kWh, and was not taken", "电量不是整数，未采用";
    /// The same key came before in the file; the later row counts.
    Repeated = "repeated", "the same account (and period) or code came before in the file: the later row counts", "同一户号（及账期）或编码在文件中重复，以后出现的为准";
    /// For those who apply the rows: supply over the border of a prefecture.
    OtherPrefecture = "across-prefectures", "a customer or transformer is fed from another prefecture: legitimate at borders, and worth a look", "跨地市供电：请核实";
}

const WARNINGS: usize = Warning::ALL.len();
const REASONS: usize = Reason::ALL.len();

/// How often a warning came, and where first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WarningCount {
    /// How often.
    pub count: u64,
    /// The first line (or row of the sheet); 0 for none.
    pub first_line: u64,
}

/// Warnings, counted by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Warnings([WarningCount; WARNINGS]);

impl Warnings {
    pub(crate) fn note(&mut self, warning: Warning, line: u64) {
        let w = &mut self.0[warning as usize];
        if w.count == 0 {
            w.first_line = line;
        }
        w.count += 1;
    }

    /// Adds those of a later part of the file.
    fn add(&mut self, later: &Self) {
        for (all, w) in self.0.iter_mut().zip(&later.0) {
            if all.count == 0 {
                all.first_line = w.first_line;
            }
            all.count += w.count;
        }
    }
}

/// What an import did so far; at its end, what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records seen: `accepted` + `rejected` + `blank`.
    pub records: u64,
    /// Rows handed on and not refused by whoever got them.
    pub accepted: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Rows of nothing but delimiters, passed over.
    pub blank: u64,
    /// Headers that mean nothing to us; their columns were passed over.
    pub ignored_columns: Vec<String>,
    /// Whether every row was compared with those before it. False once a file's account numbers are so scattered that remembering them would
    /// take more than [`crate::Import::MAX_SEEN_BYTES`]; then [`Warning::Repeated`] counts too few.
    pub repeats_checked: bool,
    pub(crate) warnings: Warnings,
    pub(crate) reasons: Reasons,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reasons([u64; REASONS]);

impl Default for Reasons {
    fn default() -> Self {
        Self([0; REASONS])
    }
}

impl Summary {
    /// How often `warning` came.
    #[must_use]
    pub fn warning(&self, warning: Warning) -> WarningCount {
        self.warnings.0[warning as usize]
    }

    /// The warnings that came.
    pub fn warnings(&self) -> impl Iterator<Item = (Warning, WarningCount)> + '_ {
        Warning::ALL.iter().map(|w| (*w, self.warning(*w))).filter(|(_, c)| c.count > 0)
    }

    /// The reasons for which rows were refused, with how often.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().map(|r| (*r, self.reasons.0[*r as usize])).filter(|(_, n)| *n > 0)
    }

    pub(crate) fn refused(&mut self, reason: Reason) {
        self.rejected += 1;
        self.reasons.0[reason as usize] += 1;
    }

    pub(crate) fn add_warnings(&mut self, later: &Warnings) {
        self.warnings.add(later);
    }
}
