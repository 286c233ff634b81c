//! Policies, schedules, guardrails and templates: what a decision becomes. Pure: no I/O, no clock, no randomness.
//!
//! A city's [`PolicySet`] says which plugin runs when and how what it decides may be sent; [`ProvinceRules`], [`TemplateSet`] and [`Calendar`]
//! are the province's. For each run a [`Guard`] is made from them, which turns each decision of the plugin into a [`Planned`] message or a
//! reason why there is none; [`blast()`] looks at the run as a whole and [`recheck`] once more at each message before it is submitted.

mod answers;
mod blast;
mod calendar;
mod error;
mod guard;
mod load;
mod policy;
mod read;
mod rules;
mod schedule;
mod template;
mod times;

pub use answers::{
    ANSWER_VALID_MINUTES, ANSWERS, AnswerRules, MAX_ANSWERS_PER_MINUTE, answers_manifest, answers_policy,
    states_account,
};
pub use blast::{BlastReason, BlastVerdict, blast};
pub use calendar::{Calendar, DAYS_AFTER, DAYS_BEFORE};
pub use error::{Place, PlannerError, Problem, Problems};
pub use guard::{
    CorrectionSetup, Corrector, DayCaps, EXEMPTIONS, Earlier, Foreseen, Guard, GuardContext, GuardSetup, GuardVerdict,
    Judgement, Planned, QueuedFacts, RunScope, SendTimes, Told, Verdict, WrongMessage, correction_times, recheck,
    recheck_correction, recorded_verdicts,
};
pub use load::{DayLoad, HourLoad, LinkCapacity, LinkLoad, LoadForecast, Wave, forecast_load};
pub use policy::{
    Caps, Change, Event, Hop, MAX_ENTRIES, MAX_POLICIES, OnFailure, Plugins, Policy, PolicyFile, PolicySet, Schedule,
    SendDays, check as check_policy, check_set as check_policies, diff, diff_values, title_parameters,
};
pub use rules::{
    BlastRules, ClassRule, DEFAULT_SHARED_PHONE_ACCOUNTS, MAX_COUNT, MAX_DAYS, MAX_MINUTES, ParameterLimit,
    ProvinceRules, RecordKind, Senders, TopicRule,
};
pub use schedule::{CronExpr, Due, MAX_OCCURRENCES};
pub use semver::{Version, VersionReq};
pub use template::{
    CORRECTED_AMOUNT, Compiled, CorrectionText, Fact, Facts, HOST_PLACEHOLDERS, HostPlaceholder, MAX_PARTS,
    MAX_TEMPLATE_CHARS, MAX_TEMPLATES, MAX_TOGETHER, MERGED_COUNT, MergedText, PART_UNITS, PlatformText, RenderError,
    SINGLE_UNITS, Template, TemplateFile, TemplateSet, TemplateStatus, TextPlan, TextSize, corrected_topic,
    correction_notice, fact_of, parts, utf16_units,
};
pub use times::{OpenMinutes, TimeSpan};
