//! What a certification found. It carries no time of its own and no name: who stamps it says when and by whom.

use std::fmt;
use std::time::Duration;

use gridbell_engine::{Digest, Plugin};
use serde::{Deserialize, Serialize};

/// One thing that the contract asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Ordinary customers are decided about without failing, and every decision is in range: row, notice, step, reason, route.
    Decisions,
    /// The same input twice gives the same answer: in other instances, in both kinds of machine code, and twice within one batch.
    SameTwice,
    /// Splitting and merging batches changes nothing.
    BatchSize,
    /// Reordering rows changes nothing.
    RowOrder,
    /// No customer's decision depends on its neighbours.
    Neighbours,
    /// `interest` leaves out nobody whom `decide` chooses.
    Interest,
    /// `explain` gives a valid reason for all, and the decision's own where there is one.
    Explain,
    /// A batch without rows.
    EmptyBatch,
    /// Month ends, 29 February, moved working weekends, days beyond the calendar.
    Days,
    /// Amounts, dates and counts at the ends of what a column can hold.
    Extremes,
    /// "None" in every column, and what stands for nothing.
    NoneValues,
    /// A gap of days in the schedule: afterwards at most one decision, none that was said already, and what was missed is caught up.
    Gap,
    /// Every trigger that the manifest names, with and without its facts.
    Triggers,
    /// The defaults, and valid values that the schema allows: its bounds and what lies between.
    Parameters,
    /// The dearest customer is within the budget of fuel.
    Fuel,
    /// Full batches are within the guest's memory.
    Memory,
}

impl Check {
    /// All, in the order in which they are done.
    pub const ALL: [Self; 16] = [
        Self::Decisions,
        Self::Explain,
        Self::Interest,
        Self::SameTwice,
        Self::BatchSize,
        Self::RowOrder,
        Self::Neighbours,
        Self::EmptyBatch,
        Self::Days,
        Self::Extremes,
        Self::NoneValues,
        Self::Triggers,
        Self::Parameters,
        Self::Gap,
        Self::Memory,
        Self::Fuel,
    ];

    /// Its stable name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::SameTwice => "same-twice",
            Self::BatchSize => "batch-size",
            Self::RowOrder => "row-order",
            Self::Neighbours => "neighbours",
            Self::Interest => "interest",
            Self::Explain => "explain",
            Self::EmptyBatch => "empty-batch",
            Self::Days => "days",
            Self::Extremes => "extremes",
            Self::NoneValues => "none-values",
            Self::Gap => "gap",
            Self::Triggers => "triggers",
            Self::Parameters => "parameters",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Decisions => "决定有效，不出错",
            Self::SameTwice => "同样的输入，同样的结果",
            Self::BatchSize => "批次大小不影响决定",
            Self::RowOrder => "客户顺序不影响决定",
            Self::Neighbours => "决定与同批其他客户无关",
            Self::Interest => "候选范围没有漏掉该通知的客户",
            Self::Explain => "理由与决定一致",
            Self::EmptyBatch => "空批次",
            Self::Days => "月末、2 月 29 日、调休",
            Self::Extremes => "极端金额、日期和次数",
            Self::NoneValues => "各项数据缺失",
            Self::Gap => "漏跑几天：不重复、能补上",
            Self::Triggers => "各种触发方式",
            Self::Parameters => "参数的默认值和允许的取值",
            Self::Fuel => "单个客户的计算量",
            Self::Memory => "内存",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How one check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub name: Check,
    /// What an office reads.
    pub title: String,
    /// Whether it was done and found nothing.
    pub passed: bool,
    /// Inputs tried: customers, each counted as often as it was asked about.
    pub tried: u64,
    /// What was covered, or what is wrong, in one sentence.
    pub detail: String,
}

/// The smallest input found that shows a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterexample {
    /// The check that it fails.
    pub check: Check,
    /// What happens with it, and what should.
    pub explanation: String,
    /// A case for `gridbell plugin test`, with what it cannot express as comments.
    pub case_toml: String,
}

/// What a certification found about one upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// SHA-256 of the upload.
    pub digest: Digest,
    /// Name from the manifest.
    pub plugin: String,
    /// Version from the manifest.
    pub version: String,
    /// Whether every check was done and passed.
    pub passed: bool,
    /// Every check, in the order in which they were done.
    pub checks: Vec<CheckResult>,
    /// The smallest inputs that show what is wrong, one for each check that failed.
    pub failures: Vec<Counterexample>,
    /// Units of fuel of the dearest customer found, rounded up, in a full batch of such customers.
    pub fuel_per_customer: u64,
    /// Units that it may cost.
    pub fuel_budget: u64,
    /// Certified cost of a full batch, in microseconds: its dearest fuel at this machine's pace. See [`Certificate::on`].
    pub batch_cost_us: u64,
    /// CPU time that an ordinary full batch took, in microseconds: context only.
    pub batch_cpu_us: u64,
    /// Bytes of memory of the instance that needed most.
    pub memory_bytes: u64,
    /// Different customers made up.
    pub generated: u64,
    /// Real customers tried.
    pub real: u64,
    /// Whether time ran out and a check had to stop at its minimum.
    pub cut_short: bool,
    /// From which everything was drawn.
    pub seed: u64,
    /// The engine whose code was tried: version and compatibility of its counted variant.
    pub engine: String,
}

impl Certificate {
    /// What a full batch is certified to cost.
    #[must_use]
    pub fn batch_cost(&self) -> Duration {
        Duration::from_micros(self.batch_cost_us)
    }

    /// `plugin` with the certified cost, which its deadlines come from: the host does this whenever it loads a plugin that has a certificate.
    /// A certificate of another upload changes nothing.
    #[must_use]
    pub fn on(&self, plugin: &Plugin) -> Plugin {
        if plugin.digest() == self.digest { plugin.with_cost(self.batch_cost()) } else { plugin.clone() }
    }

    /// The first fault.
    #[must_use]
    pub fn failure(&self) -> Option<&Counterexample> {
        self.failures.first()
    }
}
