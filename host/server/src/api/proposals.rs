//! Changes that wait for a second person.

use axum::extract::State;
use gridbell_conductor::{Decider, Decision, Needs, Proposal, ProposalOrder, ProposalState, SeenPreview};
use gridbell_model::{OrgCode, PrefectureCode};
use gridbell_state::RunRecord;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::plugins::{WhyBody, reason};
use super::policies::ChangeView;
use super::view::{UnitRef, WordView};
use crate::access::{Action, Caller, Role};
use crate::app::App;
use crate::extract::{At, Json, Query, named};
use crate::problem::{Problem, ProblemBody};

/// The preview that a proposal's author saw: its figures as they were then.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SeenPreviewView {
    /// SHA-256 of its answer.
    digest: String,
    /// When it was made, RFC 3339.
    at: String,
    /// The unit whose preview it was.
    office: String,
    /// Name of the policy.
    policy: String,
    /// The first minute that it looked at.
    from: String,
    /// How many days; none for one run at that minute.
    days: Option<u8>,
    /// The sequence of the state that it looked at.
    sequence: u64,
    /// Customers who would get something.
    customers: u64,
    /// Messages.
    messages: u64,
    /// Their parts.
    parts: u64,
    /// What they cost, in 1/1000 fen.
    cost_milli_fen: u64,
    /// Messages against the live policy; none where nothing was compared.
    difference: Option<SeenDifferenceView>,
    /// Runs of the policy since: what they said is not said again, so that the figures would be others now.
    runs_since: u64,
    /// By how much the sequence of the province's state went on since: bills, payments, receipts, approvals, every change counts.
    steps_since: u64,
}

/// How a candidate differed from the live policy, in messages.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SeenDifferenceView {
    /// Only the candidate's.
    added: u64,
    /// Only the live policy's.
    dropped: u64,
    /// On another channel or day.
    moved: u64,
    /// On the same.
    same: u64,
}

fn seen_view(app: &App, prefecture: Option<PrefectureCode>, p: SeenPreview) -> SeenPreviewView {
    let policy = p.policy.clone();
    let unit = p.office.parse().ok().and_then(|code| app.org().get(OrgCode(code)).map(|u| u.name.clone()));
    SeenPreviewView {
        digest: p.digest,
        at: p.at.to_string(),
        office: unit.unwrap_or_else(|| if p.office == "province" { "全省".to_owned() } else { p.office }),
        policy: p.policy,
        from: p.from.to_string(),
        days: p.days,
        sequence: p.sequence,
        customers: p.customers,
        messages: p.messages,
        parts: p.parts,
        cost_milli_fen: p.cost_milli_fen,
        difference: p.difference.map(|d| SeenDifferenceView {
            added: d.added,
            dropped: d.dropped,
            moved: d.moved,
            same: d.same,
        }),
        runs_since: prefecture.map_or(0, |code| {
            let since =
                |r: &RunRecord| r.prefecture == code && r.policy == policy && r.started > p.at && r.is_occurrence();
            app.state().runs(None, usize::MAX, since).len() as u64
        }),
        steps_since: app.state().seq().saturating_sub(p.sequence),
    }
}

/// A change that waits for a second person, or what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProposalView {
    /// Its number.
    pub(crate) id: u64,
    /// Where; none for the province.
    prefecture: Option<UnitRef>,
    /// `policies`, `parameters`, `deployment`, `rules`.
    kind: WordView,
    /// The change as it was proposed.
    #[schema(value_type = Object)]
    what: serde_json::Value,
    /// The differences.
    pub(crate) changes: Vec<ChangeView>,
    /// How many more there are than listed.
    pub(crate) more: u64,
    /// `city`: a second person of the city's or the province's approver; `province`: an approver of the province's.
    pub(crate) needs: WordView,
    /// Its author.
    by: String,
    /// Why.
    why: String,
    /// When it was made.
    at: String,
    /// When it is over.
    expires: String,
    /// What its author saw before it was proposed; none where no preview was named.
    #[serde(default)]
    pub(crate) preview: Option<SeenPreviewView>,
    /// `open`, `applied`, `refused`, `withdrawn`, `stale`, `expired`.
    pub(crate) state: WordView,
    /// Who decided.
    decided_by: Option<String>,
    /// Why.
    decided_why: Option<String>,
    /// Whether the caller may agree.
    #[serde(default)]
    pub(crate) may_decide: bool,
    /// Whether the caller may take it back.
    #[serde(default)]
    pub(crate) may_withdraw: bool,
}

fn both(word: &str, chinese: &str) -> WordView {
    WordView { word: word.to_owned(), chinese: chinese.to_owned() }
}

fn view(app: &App, caller: Option<&Caller>, p: Proposal) -> ProposalView {
    let org = app.org();
    let open = p.state == ProposalState::Open;
    let decider = caller.map(|c| decider(app, c, &p));
    let own = caller.is_some_and(|c| c.name == p.by);
    let may = decider.as_ref().is_some_and(|d| match p.needs {
        Needs::City => d.city || d.province,
        Needs::Province => d.province,
    });
    let needs = match p.needs {
        Needs::City => "city",
        Needs::Province => "province",
    };
    ProposalView {
        id: p.id,
        prefecture: p.prefecture.map(|code| UnitRef::prefecture(&org, code)),
        kind: both(p.what.word(), p.what.chinese()),
        what: p.what.shown(),
        changes: p.changes.into_iter().map(ChangeView::of).collect(),
        more: p.more,
        needs: both(needs, p.needs.chinese()),
        by: p.by,
        why: p.why,
        at: p.at.to_string(),
        expires: p.expires.to_string(),
        preview: p.preview.map(|seen| seen_view(app, p.prefecture, seen)),
        state: both(p.state.word(), p.state.chinese()),
        decided_by: p.decided.as_ref().map(|d| d.by.clone()),
        decided_why: p.decided.map(|d| d.why),
        may_decide: open && may && !own,
        may_withdraw: open && own,
    }
}

/// What role and scope let the caller agree to.
fn decider(app: &App, caller: &Caller, p: &Proposal) -> Decider {
    let org = app.org();
    let decides = caller.may(Action::ProposalDecide);
    let city = p.prefecture.is_some_and(|code| caller.scope.covers(&org, code.org()));
    let province = caller.role == Role::Approver && caller.scope.covers_province(&org);
    Decider { who: caller.name.clone(), city: decides && city, province: decides && province }
}

/// Keeps a change until another person agrees; none if nothing would change.
pub(crate) async fn propose(app: &App, order: ProposalOrder) -> Result<Option<ProposalView>, Problem> {
    let made = app.conduct.propose(order).await?;
    Ok(made.map(|p| view(app, None, p)))
}

/// Whether the caller sees it: within the scope, and of the province whoever reads policies.
fn seen(app: &App, caller: &Caller, p: &Proposal) -> bool {
    p.prefecture.is_none_or(|code| caller.scope.touches(&app.org(), code))
}

/// The proposals within the caller's sight, newest first; of one state, or all.
pub(crate) fn list(app: &App, caller: &Caller, state: Option<&str>) -> Result<Vec<ProposalView>, Problem> {
    caller.require(Action::PolicyRead)?;
    let wanted = |p: &Proposal| state.is_none_or(|s| p.state.word() == s) && seen(app, caller, p);
    Ok(app.conduct.proposals().into_iter().filter(wanted).map(|p| view(app, Some(caller), p)).collect())
}

/// Which proposals.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProposalQuery {
    /// Only those in this state, as `open`.
    #[serde(default)]
    state: Option<String>,
}

/// Changes that wait for a second person, and what became of the others; newest first.
#[utoipa::path(get, path = "/v1/proposals", tag = "proposals", params(ProposalQuery), responses((status = 200, body = Page<ProposalView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_proposals(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ProposalQuery>,
) -> Result<axum::Json<Page<ProposalView>>, Problem> {
    Ok(axum::Json(Page::whole(list(&app, &caller, query.state.as_deref())?)))
}

fn found(app: &App, caller: &Caller, id: &str, action: Action) -> Result<Proposal, Problem> {
    let proposal = app.conduct.proposal(named(id)?)?;
    if !seen(app, caller, &proposal) {
        return Err(Problem::not_found());
    }
    caller.require(action)?;
    Ok(proposal)
}

/// One proposal.
#[utoipa::path(get, path = "/v1/proposals/{id}", tag = "proposals", params(("id" = String, Path, description = "its number")),
    responses((status = 200, body = ProposalView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_proposal(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<ProposalView>, Problem> {
    let proposal = found(&app, &caller, &id, Action::PolicyRead)?;
    Ok(axum::Json(view(&app, Some(&caller), proposal)))
}

/// Agrees, refuses or takes back.
pub(crate) async fn decide(
    app: &App,
    caller: &Caller,
    id: &str,
    decision: Decision,
    why: &str,
) -> Result<ProposalView, Problem> {
    let action = if decision == Decision::Withdraw { Action::PolicyWrite } else { Action::ProposalDecide };
    let proposal = found(app, caller, id, action)?;
    let decider = decider(app, caller, &proposal);
    let decided = app.conduct.decide_proposal(proposal.id, decision, reason(why)?, decider).await?;
    Ok(view(app, Some(caller), decided))
}

/// Agrees: the change is made in the commit that says so. Nobody agrees with himself; what was proposed for another version is stale.
#[utoipa::path(post, path = "/v1/proposals/{id}/approve", tag = "proposals", params(("id" = String, Path, description = "its number")), request_body = WhyBody,
    responses((status = 200, body = ProposalView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn approve_proposal(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<ProposalView>, Problem> {
    Ok(axum::Json(decide(&app, &caller, &id, Decision::Approve, &body.why).await?))
}

/// Refuses: nothing is changed.
#[utoipa::path(post, path = "/v1/proposals/{id}/refuse", tag = "proposals", params(("id" = String, Path, description = "its number")), request_body = WhyBody,
    responses((status = 200, body = ProposalView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn refuse_proposal(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<ProposalView>, Problem> {
    Ok(axum::Json(decide(&app, &caller, &id, Decision::Refuse, &body.why).await?))
}

/// Takes one's own proposal back.
#[utoipa::path(post, path = "/v1/proposals/{id}/withdraw", tag = "proposals", params(("id" = String, Path, description = "its number")), request_body = WhyBody,
    responses((status = 200, body = ProposalView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn withdraw_proposal(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<ProposalView>, Problem> {
    Ok(axum::Json(decide(&app, &caller, &id, Decision::Withdraw, &body.why).await?))
}
