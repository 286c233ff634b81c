//! Outages as the API shows them, and as it is told of them.

use std::collections::BTreeSet;

use gridbell_model::{AccountNumber, CivilMinute, Moment};
use gridbell_outages::{Affected, Class, Content, Outage, Revision, Scope, ShortNotice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{UnitRef, WordView, word};
use crate::app::App;
use crate::extract::given;
use crate::problem::Problem;

/// What of the grid an outage takes: all that hangs on these, less what is excepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScopeBody {
    /// Whole lines, by their codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    /// Switches that open, with all behind them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switches: Vec<String>,
    /// Transformers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transformers: Vec<String>,
    /// Single customers, by account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    customers: Vec<String>,
    /// Transformers that keep their power.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except_transformers: Vec<String>,
    /// Customers who keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except_customers: Vec<String>,
}

impl ScopeBody {
    pub(crate) fn scope(&self) -> Result<Scope, Problem> {
        let codes = |list: &[String]| -> BTreeSet<String> { list.iter().map(|c| c.trim().to_owned()).collect() };
        let accounts = |field: &str, list: &[String]| -> Result<BTreeSet<AccountNumber>, Problem> {
            list.iter().map(|a| given::<AccountNumber, _>(field, a)).collect()
        };
        Ok(Scope {
            lines: codes(&self.lines),
            switches: codes(&self.switches),
            transformers: codes(&self.transformers),
            customers: accounts("customers", &self.customers)?,
            except_transformers: codes(&self.except_transformers),
            except_customers: accounts("except_customers", &self.except_customers)?,
        })
    }

    fn of(scope: &Scope) -> Self {
        let codes = |set: &BTreeSet<String>| set.iter().cloned().collect();
        let accounts = |set: &BTreeSet<AccountNumber>| set.iter().map(ToString::to_string).collect();
        Self {
            lines: codes(&scope.lines),
            switches: codes(&scope.switches),
            transformers: codes(&scope.transformers),
            customers: accounts(&scope.customers),
            except_transformers: codes(&scope.except_transformers),
            except_customers: accounts(&scope.except_customers),
        }
    }
}

/// An outage to enter, or a draft written anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutageBody {
    /// Whose: 140100. An edit may leave it out.
    #[serde(default)]
    pub(crate) prefecture: Option<u32>,
    /// `planned`, `temporary`, `fault`, `rationing`. An edit may leave it out.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// What of the grid it takes.
    pub(crate) scope: ScopeBody,
    /// When the power goes off: 2026-11-25T08:00.
    pub(crate) from: String,
    /// When it is expected back; a fault may be without.
    #[serde(default)]
    pub(crate) until: Option<String>,
    /// Why, for everybody: 10kV城南线检修. No account and no telephone number.
    pub(crate) reason: String,
    /// `minor`, `serious`, `major`; `minor` if left out.
    #[serde(default)]
    pub(crate) class: Option<String>,
    /// Why it is entered, for the record.
    #[serde(default)]
    pub(crate) why: String,
    /// Publish it at once: a fault only, which needs no second person.
    #[serde(default)]
    pub(crate) publish: bool,
}

fn moment(field: &str, text: &str) -> Result<Moment, Problem> {
    given::<CivilMinute, _>(field, text).map(CivilMinute::moment)
}

fn class(text: Option<&str>) -> Result<Option<Class>, Problem> {
    text.map(|c| given("class", c)).transpose()
}

impl OutageBody {
    pub(crate) fn content(&self) -> Result<Content, Problem> {
        Ok(Content {
            scope: self.scope.scope()?,
            from: moment("from", &self.from)?,
            until: self.until.as_deref().map(|u| moment("until", u)).transpose()?,
            reason: self.reason.trim().to_owned(),
            class: class(self.class.as_deref())?.unwrap_or(Class::Minor),
        })
    }
}

/// Who answers for a notice shorter than the rule asks for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShortNoticeBody {
    /// Who: another than whoever changes the outage.
    approved_by: String,
    /// Why.
    why: String,
}

impl ShortNoticeBody {
    pub(crate) fn order(&self) -> ShortNotice {
        ShortNotice { approved_by: self.approved_by.trim().to_owned(), why: self.why.trim().to_owned() }
    }
}

/// What changes of an outage; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutageChange {
    /// The whole scope from now on.
    #[serde(default)]
    scope: Option<ScopeBody>,
    /// When the power goes off.
    #[serde(default)]
    from: Option<String>,
    /// When it is expected back.
    #[serde(default)]
    until: Option<String>,
    /// Nobody knows any more when it is back: a fault only.
    #[serde(default)]
    until_unknown: bool,
    /// Why, for everybody.
    #[serde(default)]
    reason: Option<String>,
    /// How grave.
    #[serde(default)]
    class: Option<String>,
    /// Why it changes, for the record.
    pub(crate) why: String,
    /// Who answers where somebody new, or sooner, is told later than the rule asks for.
    #[serde(default)]
    pub(crate) short_notice: Option<ShortNoticeBody>,
}

impl OutageChange {
    pub(crate) fn content(&self, before: &Content) -> Result<Content, Problem> {
        let until = match (&self.until, self.until_unknown) {
            (Some(_), true) => {
                return Err(Problem::field("until_unknown", "contradicts `until`: leave one of both out"));
            }
            (Some(until), false) => Some(moment("until", until)?),
            (None, true) => None,
            (None, false) => before.until,
        };
        Ok(Content {
            scope: self.scope.as_ref().map_or_else(|| Ok(before.scope.clone()), ScopeBody::scope)?,
            from: self.from.as_deref().map_or(Ok(before.from), |f| moment("from", f))?,
            until,
            reason: self.reason.as_ref().map_or_else(|| before.reason.clone(), |r| r.trim().to_owned()),
            class: class(self.class.as_deref())?.unwrap_or(before.class),
        })
    }
}

/// By how much a publication fell short of its lead time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShortView {
    /// Minutes that the rule asked for.
    needed: u32,
    /// Minutes that there were.
    had: u32,
    /// Who answers for it.
    approved_by: String,
    /// Why.
    why: String,
}

/// A revision of an outage.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutageRevision {
    /// From 1.
    number: u32,
    /// What it changed.
    changes: Vec<WordView>,
    /// How the outage stood with it.
    phase: WordView,
    /// What of the grid it takes.
    scope: ScopeBody,
    /// The parts for which the power is back.
    back: Vec<ScopeBody>,
    /// When the power goes off.
    from: String,
    /// When it is expected back; none where nobody knows.
    until: Option<String>,
    /// When it was back for all.
    restored: Option<String>,
    /// Why, for everybody.
    reason: String,
    /// How grave.
    class: WordView,
    /// Who made it.
    by: String,
    /// When.
    at: String,
    /// Why.
    why: String,
    /// Who approved it.
    approved_by: Option<String>,
    /// By how much it fell short of its lead time.
    short: Option<ShortView>,
}

/// What a crew did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CrewView {
    /// `dispatched`, `arrived`, `repaired`.
    event: WordView,
    /// Who said so.
    by: String,
    /// When.
    at: String,
}

/// An outage as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutageView {
    /// `O00000012`; empty in the answer to a dry run of a first entry.
    pub(crate) outage: String,
    /// Whose.
    prefecture: UnitRef,
    /// What kind.
    kind: WordView,
    /// How it stands.
    phase: WordView,
    /// Rises with everything that happens to it: its `ETag`.
    edition: u32,
    /// When it was published.
    published: Option<String>,
    /// Its last revision.
    latest: OutageRevision,
    /// Whether customers have not been told of its last revision yet.
    untold: bool,
    /// Whether it goes on beyond its expected end: somebody must delay or restore it.
    overdue: bool,
    /// Customers whom its last revision concerns, those with another source of power too; of a draft, whom it would.
    customers: usize,
    /// Of them, those without any power.
    without_power: usize,
    /// Transformers without power.
    transformers: usize,
    /// Fault reports that belong to it.
    reports: usize,
    /// What the crew did.
    crew: Vec<CrewView>,
    /// What may be done with it.
    may: Vec<WordView>,
}

impl OutageView {
    /// As it is answered to a dry run, which gives no number away.
    pub(crate) fn unnumbered(self) -> Self {
        Self { outage: String::new(), ..self }
    }
}

/// An outage with its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutageStory {
    /// As it stands.
    #[serde(flatten)]
    pub(crate) outage: OutageView,
    /// All revisions, the first one first.
    pub(crate) revisions: Vec<OutageRevision>,
}

pub(crate) fn minute(moment: Moment) -> String {
    moment.civil_minute().to_string()
}

pub(crate) fn revision_view(revision: &Revision) -> OutageRevision {
    let content = &revision.content;
    let short = |s: &gridbell_outages::Shortfall| ShortView {
        needed: s.needed,
        had: s.had,
        approved_by: s.approval.approved_by.clone(),
        why: s.approval.why.clone(),
    };
    OutageRevision {
        number: revision.number,
        changes: revision.changes.iter().map(|c| word!(*c)).collect(),
        phase: word!(revision.phase),
        scope: ScopeBody::of(&content.scope),
        back: revision.back.iter().map(ScopeBody::of).collect(),
        from: minute(content.from),
        until: content.until.map(minute),
        restored: revision.restored.map(minute),
        reason: content.reason.clone(),
        class: word!(content.class),
        by: revision.by.clone(),
        at: revision.at.to_string(),
        why: revision.why.clone(),
        approved_by: revision.approved.as_ref().map(|a| a.by.clone()),
        short: revision.short.as_ref().map(short),
    }
}

pub(crate) fn view(app: &App, outage: &Outage, affected: &Affected) -> OutageView {
    let (head, now) = (&outage.head, app.clock().now());
    let latest = outage.latest();
    let off = |c: &&gridbell_outages::Concerned| u32::from(c.sources.max(1)) <= c.lost.count_ones();
    let crew =
        |e: &gridbell_outages::CrewEvent| CrewView { event: word!(e.what), by: e.by.clone(), at: e.at.to_string() };
    OutageView {
        outage: head.id.to_string(),
        prefecture: UnitRef::prefecture(&app.org(), head.prefecture),
        kind: word!(head.kind),
        phase: word!(latest.phase),
        edition: head.edition,
        published: head.published.map(|p| p.to_string()),
        latest: revision_view(latest),
        untold: outage.is_untold(),
        overdue: latest.phase.is_running() && latest.content.until.is_some_and(|until| until <= now),
        customers: affected.customers().len(),
        without_power: affected.customers().iter().filter(off).count(),
        transformers: affected.transformers().len(),
        reports: app.conduct.outages().book(|book| book.reports_of(head.id).count()),
        crew: head.events.iter().map(crew).collect(),
        may: outage.may().iter().map(|s| word!(*s)).collect(),
    }
}
