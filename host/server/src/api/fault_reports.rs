//! Fault reports (报修), what crews do about them, the rules of a prefecture for outages, and the answer to one customer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::OutageRules;
use gridbell_model::{AccountNumber, CivilMinute, Moment, PrefectureCode};
use gridbell_outages::{Crew, LeadRule, LeadRules, OutageId, ProposalRule, Report, ReportId, ReportOrder, Via};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::communities::prefecture_at;
use super::customers::look_up;
use super::outage_views::{OutageView, minute};
use super::outages::{as_it_stands, outage_at};
use super::page::{self, Page};
use super::view::{WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// A fault report.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReportView {
    /// `F00000012`
    report: String,
    /// Where.
    prefecture: u32,
    /// Whose power; none where nobody knows.
    account: Option<String>,
    /// Behind which transformer.
    transformer: Option<String>,
    /// By which way it came.
    via: WordView,
    /// When.
    at: String,
    /// What it says.
    what: String,
    /// The outage that explains it.
    outage: Option<String>,
}

fn report_view(report: &Report) -> ReportView {
    ReportView {
        report: report.id.to_string(),
        prefecture: report.prefecture.0,
        account: report.account.map(|a| a.to_string()),
        transformer: report.transformer.clone(),
        via: word!(report.via),
        at: report.at.to_string(),
        what: report.what.clone(),
        outage: report.outage.map(|o| o.to_string()),
    }
}

/// Which reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportQuery {
    /// Only of this prefecture.
    #[serde(default)]
    prefecture: Option<u32>,
    /// Only those that this outage explains.
    #[serde(default)]
    outage: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// Fault reports within the caller's scope, the last first.
#[utoipa::path(get, path = "/v1/fault-reports", tag = "outages", params(ReportQuery),
    responses((status = 200, body = Page<ReportView>), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_reports(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReportQuery>,
) -> Result<axum::Json<Page<ReportView>>, Problem> {
    caller.require(Action::OutageRead)?;
    let (limit, before) = (page::limit(query.limit)?, page::cursor::<ReportId>(query.cursor.as_deref())?);
    let outage: Option<OutageId> = query.outage.as_deref().map(|o| given("outage", o)).transpose()?;
    let org = app.org();
    let wanted = |r: &&Arc<Report>| {
        before.is_none_or(|b| r.id < b)
            && query.prefecture.is_none_or(|p| p == r.prefecture.0)
            && (outage.is_none() || r.outage == outage)
            && caller.scope.touches(&org, r.prefecture)
    };
    let some: Vec<_> =
        app.conduct.outages().book(|book| book.reports().rev().filter(wanted).take(limit + 1).cloned().collect());
    let page = Page::cut(some, limit, |r: &Arc<Report>| r.id.to_string());
    Ok(axum::Json(Page { items: page.items.iter().map(|r| report_view(r)).collect(), next: page.next }))
}

/// That somebody has no power.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportBody {
    /// Where: 140100; may be left out with an account.
    #[serde(default)]
    prefecture: Option<u32>,
    /// Whose power.
    #[serde(default)]
    account: Option<String>,
    /// Behind which transformer; the one that feeds the account if left out.
    #[serde(default)]
    transformer: Option<String>,
    /// `customer`, `agent`, `sms`; `agent` if left out.
    #[serde(default)]
    via: Option<String>,
    /// What it says; no names and no telephone numbers.
    #[serde(default)]
    what: String,
}

/// What a report came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReportAnswer {
    /// The report.
    #[serde(flatten)]
    report: ReportView,
    /// The fault that reports propose by now: a draft, for a person to publish.
    proposed: Option<String>,
}

/// Enters a fault report; it is attached to the outage that explains it. Enough of them at one transformer propose a fault.
#[utoipa::path(post, path = "/v1/fault-reports", tag = "outages", request_body = ReportBody,
    responses((status = 201, body = ReportAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_report(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ReportBody>,
) -> Result<(StatusCode, axum::Json<ReportAnswer>), Problem> {
    let account: Option<AccountNumber> = body.account.as_deref().map(|a| given("account", a)).transpose()?;
    let prefecture = match (account, body.prefecture) {
        (Some(account), _) => look_up(&app, &caller, account, Action::FaultReport)?.0,
        (None, Some(prefecture)) => {
            prefecture_at(&app, &caller, PrefectureCode(prefecture), Action::FaultReport)?;
            PrefectureCode(prefecture)
        }
        (None, None) => {
            caller.require(Action::FaultReport)?;
            return Err(Problem::field("prefecture", "is missing: 140100, or name an account"));
        }
    };
    let via = body.via.as_deref().map(|v| given::<Via, _>("via", v)).transpose()?.unwrap_or(Via::Agent);
    let order = ReportOrder {
        prefecture,
        account,
        transformer: body.transformer.map(|t| t.trim().to_owned()),
        via,
        what: body.what.trim().to_owned(),
    };
    let (report, proposed) = app.conduct.outages().report(order, &caller.name).await?;
    let answer = ReportAnswer { report: report_view(&report), proposed: proposed.map(|o| o.id().to_string()) };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// What a crew did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrewBody {
    /// `dispatched`, `arrived`, `repaired`.
    event: String,
}

/// Keeps what the crew of an outage did.
#[utoipa::path(post, path = "/v1/outages/{outage}/crew", tag = "outages", params(("outage" = String, Path, description = "such as O00000012")), request_body = CrewBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_crew(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Json(body): Json<CrewBody>,
) -> Result<axum::Json<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let what: Crew = given("event", &body.event)?;
    let made = app.conduct.outages().crew(outage.id(), what, &caller.name).await?;
    Ok(axum::Json(as_it_stands(&app, &made.outage)))
}

/// One lead time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeadBody {
    /// For outages of this kind: `planned`, `temporary`, `fault`, `rationing`.
    kind: String,
    /// Minutes between publication and beginning.
    minutes: u32,
    /// The date from which it holds: 2026-01-01. Of those that hold the newest counts.
    from: String,
}

/// When fault reports propose a fault.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalBody {
    /// So many customers at one transformer; 0 for never.
    reports: u32,
    /// Within so many minutes.
    minutes: u32,
}

/// What a prefecture asks of outages.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutageRulesBody {
    /// How long ahead they are announced.
    lead: Vec<LeadBody>,
    /// When fault reports propose a fault.
    proposal: ProposalBody,
}

fn rules_view(rules: &OutageRules) -> OutageRulesBody {
    let lead = |r: &LeadRule| LeadBody { kind: r.kind.word().to_owned(), minutes: r.minutes, from: r.from.to_string() };
    let ProposalRule { reports, minutes } = rules.proposal;
    OutageRulesBody { lead: rules.lead.rules().iter().map(lead).collect(), proposal: ProposalBody { reports, minutes } }
}

/// What a prefecture asks of outages: lead times, and when reports propose a fault.
#[utoipa::path(get, path = "/v1/outage-rules/{prefecture}", tag = "outages", params(("prefecture" = u32, Path, description = "such as 140100")),
    responses((status = 200, body = OutageRulesBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_outage_rules(
    State(app): State<App>,
    caller: Caller,
    At(prefecture): At<String>,
) -> Result<axum::Json<OutageRulesBody>, Problem> {
    let prefecture = PrefectureCode(named(&prefecture)?);
    prefecture_at(&app, &caller, prefecture, Action::OutageRead)?;
    Ok(axum::Json(rules_view(&app.conduct.outages().rules(prefecture))))
}

/// Replaces what a prefecture asks of outages.
#[utoipa::path(put, path = "/v1/outage-rules/{prefecture}", tag = "outages", params(("prefecture" = u32, Path, description = "such as 140100")),
    request_body = OutageRulesBody,
    responses((status = 200, body = OutageRulesBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_outage_rules(
    State(app): State<App>,
    caller: Caller,
    At(prefecture): At<String>,
    Json(body): Json<OutageRulesBody>,
) -> Result<axum::Json<OutageRulesBody>, Problem> {
    let prefecture = PrefectureCode(named(&prefecture)?);
    prefecture_at(&app, &caller, prefecture, Action::OutageWrite)?;
    let rule = |b: &LeadBody| -> Result<LeadRule, Problem> {
        Ok(LeadRule { kind: given("kind", &b.kind)?, minutes: b.minutes, from: given("from", &b.from)? })
    };
    let lead = body.lead.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let lead = LeadRules::try_from(lead).map_err(|e| Problem::field("lead", e.to_string()))?;
    let proposal = ProposalRule { reports: body.proposal.reports, minutes: body.proposal.minutes };
    let rules = OutageRules { lead, proposal };
    app.conduct.outages().set_rules(prefecture, rules.clone(), &caller.name).await?;
    Ok(axum::Json(rules_view(&rules)))
}

/// For which time is asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AnswerQuery {
    /// 2026-11-25T08:00; now if left out.
    #[serde(default)]
    time: Option<String>,
}

/// An outage as one customer is answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AboutView {
    /// Which.
    outage: String,
    /// Its revision.
    revision: u32,
    /// What kind.
    kind: WordView,
    /// Why.
    reason: String,
    /// Since when.
    from: String,
    /// Until when; none where nobody knows.
    until: Option<String>,
    /// Whether it goes on at the time that was asked for.
    now: bool,
    /// How the power is with it.
    level: WordView,
    /// What changed since it was published.
    changes: Vec<WordView>,
}

/// The answer to one customer: is my power off, why, since when, until when, what changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutageAnswer {
    /// How the power is by all that is known.
    level: WordView,
    /// The outages that are and that come.
    outages: Vec<AboutView>,
    /// The same in words, for an SMS or an agent.
    text: String,
}

/// What a customer who asks about the power is answered.
#[utoipa::path(get, path = "/v1/customers/{account}/outages", tag = "outages",
    params(("account" = String, Path, description = "户号, 10 to 13 digits"), AnswerQuery),
    responses((status = 200, body = OutageAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn customer_outages(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Query(query): Query<AnswerQuery>,
) -> Result<axum::Json<OutageAnswer>, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::OutageRead)?;
    let time = query.time.as_deref().map(|t| given::<CivilMinute, _>("time", t)).transpose()?;
    let at: Moment = time.map_or_else(|| app.clock().now(), CivilMinute::moment);
    let answer = app.conduct.outages().book(|book| book.answer(account, &[], at));
    let about = |a: &gridbell_outages::About| AboutView {
        outage: a.outage.to_string(),
        revision: a.revision,
        kind: word!(a.kind),
        reason: a.reason.clone(),
        from: minute(a.from),
        until: a.until.map(minute),
        now: a.now,
        level: word!(a.level),
        changes: a.changes.iter().map(|c| word!(*c)).collect(),
    };
    let outages = answer.outages.iter().map(about).collect();
    Ok(axum::Json(OutageAnswer { level: word!(answer.level), outages, text: answer.chinese() }))
}
