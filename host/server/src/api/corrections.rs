//! Corrections: proposing to tell everybody who may have a wrong message what is right, and looking at the lists afterwards. Who agrees does so at the
//! proposal.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::{
    Correction, CorrectionChange, CorrectionCounts, CorrectionEnds, CorrectionOrder, CorrectionRow, CorrectionScope,
    RecipientSeen, Wrong,
};
use gridbell_model::{Channel, Date, Phone, PrefectureCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageQuery};
use super::stops;
use super::view::{HeldCount, UnitRef, WordView, held, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Code, Problem, ProblemBody};

/// What was wrong, and what is right.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectionBody {
    /// The run whose messages were wrong, with their next channels: R9. One of `run`, `template` and `campaign`.
    #[serde(default)]
    pub(crate) run: Option<String>,
    /// The text that was wrong: `arrears-reminder/reminder/sms@3`; without `@3` all versions.
    #[serde(default)]
    pub(crate) template: Option<String>,
    /// The policy whose messages were wrong.
    #[serde(default)]
    pub(crate) campaign: Option<String>,
    /// Only in this prefecture; left out, everywhere that the caller may correct.
    #[serde(default)]
    pub(crate) prefecture: Option<u32>,
    /// Only runs of this day and later: 2026-11-21.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// Only runs up to this day, which counts.
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// What is right, with an apology, by channel: `{"sms": "…"}`. Placeholders are filled with the facts of now. Where a channel is left out, the
    /// province's approved text of corrections about the topic.
    #[serde(default)]
    pub(crate) texts: BTreeMap<String, String>,
    /// Why: 2 to 500 characters.
    pub(crate) why: String,
    /// Only show what it would do.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// Customers by channel.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ToldCount {
    /// The channel.
    pub(crate) channel: WordView,
    /// How many.
    pub(crate) count: u64,
}

/// How many a correction tells, and what it takes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CorrectionCountsView {
    /// Customers who are told.
    pub(crate) customers: u64,
    /// The same by channel.
    pub(crate) told: Vec<ToldCount>,
    /// Customers who are not, by reason, most frequent first.
    pub(crate) held: Vec<HeldCount>,
    /// Parts as carriers count them.
    pub(crate) parts: u64,
    /// What they cost, in 1/1000 fen.
    pub(crate) cost_milli_fen: u64,
}

impl CorrectionCountsView {
    fn of(counts: &CorrectionCounts) -> Self {
        Self {
            customers: counts.all_told(),
            told: counts.told.iter().map(|(c, n)| ToldCount { channel: word!(*c), count: *n }).collect(),
            held: held(&counts.held),
            parts: counts.parts,
            cost_milli_fen: counts.cost_milli_fen,
        }
    }
}

/// A customer of a correction's list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecipientView {
    /// 户号
    pub(crate) account: String,
    /// The channel on which the wrong message went, and on which its correction goes.
    pub(crate) channel: WordView,
    /// The number that it went to, masked; empty where there is none or it left for the archives.
    pub(crate) phone: String,
    /// The message that is corrected.
    pub(crate) corrects: String,
    /// Where that stood when the list was made.
    pub(crate) was: WordView,
    /// The message that corrects it; none before it is queued, and where it is held.
    pub(crate) message: Option<String>,
    /// Where that stands.
    pub(crate) state: Option<WordView>,
    /// Why there is none, or why it was taken back.
    pub(crate) held: Option<WordView>,
    /// What would be said; of a dry run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) text: Option<String>,
}

fn masked(phone: Phone) -> String {
    if phone.number() == 0 { String::new() } else { phone.to_string() }
}

impl RecipientView {
    fn would(row: &CorrectionRow) -> Self {
        let seen = RecipientSeen {
            recipient: row.recipient,
            phone: row.phone,
            correction: None,
            state: None,
            held: row.recipient.held,
        };
        Self { text: row.text.as_ref().map(|t| t.text.clone()), ..Self::of(&seen) }
    }

    fn of(seen: &RecipientSeen) -> Self {
        let r = &seen.recipient;
        Self {
            account: r.account.to_string(),
            channel: word!(r.channel),
            phone: masked(if r.channel == Channel::Sms { seen.phone } else { Phone::NONE }),
            corrects: r.message.to_string(),
            was: word!(r.state),
            message: seen.correction.map(|id| id.to_string()),
            state: seen.state.map(|s| word!(s)),
            held: seen.held.map(|h| word!(h)),
            text: None,
        }
    }
}

/// What a correction would do, or what was proposed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CorrectionAnswer {
    /// Whether nothing was changed.
    pub(crate) dry_run: bool,
    /// The correction that was proposed: C12. Its proposal has the same number.
    pub(crate) id: Option<String>,
    /// What was wrong: `run:R9`.
    pub(crate) wrong: String,
    /// What that was about.
    pub(crate) topic: WordView,
    /// What is said, by channel.
    pub(crate) texts: BTreeMap<String, String>,
    /// How many it tells.
    pub(crate) counts: CorrectionCountsView,
    /// Messages that have not left: they are taken back for good. Of a dry run those that would be.
    pub(crate) taken_back: u64,
    /// When the proposal is over if nobody decides, RFC 3339.
    pub(crate) expires: Option<String>,
    /// The first customers of the list.
    pub(crate) first: Vec<RecipientView>,
}

/// What is otherwise than when it was proposed. None of it changes the list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CorrectionChangeView {
    /// Customers on the list whose wrong message turned out not to have come: they are not told.
    pub(crate) never_came: u64,
    /// Customers who were to be told and are held by now, by reason.
    pub(crate) held: Vec<HeldCount>,
    /// Customers who may have the wrong message and are not on the list: they are not told; correct again for them.
    pub(crate) not_listed: u64,
}

/// Messages by state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StateCount {
    /// The state.
    pub(crate) state: WordView,
    /// How many.
    pub(crate) count: u64,
}

/// A correction.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CorrectionView {
    /// C12.
    pub(crate) id: String,
    /// The number of its proposal, at which another person decides.
    pub(crate) proposal: u64,
    /// `open`, `approved`, `published`, `refused`, `withdrawn`, `expired`.
    pub(crate) state: WordView,
    /// What was wrong: `run:R9`.
    pub(crate) wrong: String,
    /// The runs whose messages were looked at.
    pub(crate) wrong_runs: Vec<String>,
    /// What they were about.
    pub(crate) topic: WordView,
    /// Where.
    pub(crate) prefectures: Vec<UnitRef>,
    /// What is said, by channel.
    pub(crate) texts: BTreeMap<String, String>,
    /// How many it tells, as it was shown.
    pub(crate) counts: CorrectionCountsView,
    /// Messages that were taken back before.
    pub(crate) taken_back: u64,
    /// SHA-256 over the lists of recipients: what was approved.
    pub(crate) list: String,
    /// The runs that told.
    pub(crate) runs: Vec<String>,
    /// Who proposed it.
    pub(crate) by: String,
    /// Why.
    pub(crate) why: String,
    /// When.
    pub(crate) at: String,
    /// When it is over if nobody decides.
    pub(crate) expires: String,
    /// Who decided.
    pub(crate) decided_by: Option<String>,
    /// Why.
    pub(crate) decided_why: Option<String>,
    /// When.
    pub(crate) decided_at: Option<String>,
    /// Of one that waits, asked for by itself: what changed since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) change: Option<CorrectionChangeView>,
    /// Of one that was told, asked for by itself: how its messages stand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ends: Option<Vec<StateCount>>,
    /// The same: customers held when they were to be queued, by reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) held_at_last: Option<Vec<HeldCount>>,
}

impl CorrectionView {
    fn of(app: &App, c: &Correction) -> Self {
        let org = app.org();
        let mut prefectures: Vec<PrefectureCode> = c.parts.iter().map(|p| p.prefecture).collect();
        prefectures.dedup();
        Self {
            id: c.name(),
            proposal: c.id,
            state: {
                let state = c.state(app.conduct.clock().now());
                WordView { word: state.word().to_owned(), chinese: state.chinese().to_owned() }
            },
            wrong: c.scope.wrong.to_string(),
            wrong_runs: c.wrong.iter().map(ToString::to_string).collect(),
            topic: word!(c.topic),
            prefectures: prefectures.into_iter().map(|code| UnitRef::prefecture(&org, code)).collect(),
            texts: c.texts.iter().map(|(channel, text)| (channel.to_string(), text.clone())).collect(),
            counts: CorrectionCountsView::of(&c.counts),
            taken_back: c.recalled,
            list: c.digest.clone(),
            runs: c.runs().map(|r| r.to_string()).collect(),
            by: c.by.clone(),
            why: c.why.clone(),
            at: c.at.to_string(),
            expires: c.expires.to_string(),
            decided_by: c.decided.as_ref().map(|d| d.by.clone()),
            decided_why: c.decided.as_ref().map(|d| d.why.clone()),
            decided_at: c.decided.as_ref().map(|d| d.at.to_string()),
            change: None,
            ends: None,
            held_at_last: None,
        }
    }

    fn with_change(self, change: &CorrectionChange) -> Self {
        let change = CorrectionChangeView {
            never_came: change.never_came,
            held: held(&change.held),
            not_listed: change.not_listed,
        };
        Self { change: Some(change), ..self }
    }

    fn with_ends(self, ends: &CorrectionEnds) -> Self {
        let states = ends.states.iter().map(|(s, n)| StateCount { state: word!(*s), count: *n }).collect();
        Self { ends: Some(states), held_at_last: Some(held(&ends.held)), ..self }
    }
}

/// What was wrong, in the words of the body.
fn wrong_of(body: &CorrectionBody) -> Result<Wrong, Problem> {
    let given = [("run", &body.run), ("template", &body.template), ("campaign", &body.campaign)];
    let named: Vec<(&str, &String)> = given.into_iter().filter_map(|(k, v)| Some((k, v.as_ref()?))).collect();
    match named.as_slice() {
        [(field, value)] => {
            let scope: Result<Wrong, _> = format!("{field}:{}", value.trim()).parse();
            scope.map_err(|e| Problem::field(*field, e.to_string()))
        }
        _ => Err(Problem::field("run", "say what was wrong: one of `run`, `template` and `campaign` (三选一)")),
    }
}

/// The prefectures in which the caller may correct what is asked for; all of the province's if empty. Scope before right.
fn within(app: &App, caller: &Caller, wrong: &Wrong, asked: Option<u32>) -> Result<Vec<PrefectureCode>, Problem> {
    let org = app.org();
    if let Wrong::Run(run) = wrong {
        let code = app.state().run(*run).map(|r| r.prefecture);
        let code = code.filter(|c| asked.is_none_or(|a| a == c.0)).ok_or_else(Problem::not_found)?;
        caller.at(&org, code.org(), Action::Correct)?;
        return Ok(vec![code]);
    }
    if let Some(code) = asked.map(PrefectureCode) {
        org.get(code.org()).ok_or_else(Problem::not_found)?;
        caller.at(&org, code.org(), Action::Correct)?;
        return Ok(vec![code]);
    }
    caller.require(Action::Correct)?;
    if caller.scope.covers_province(&org) {
        return Ok(Vec::new());
    }
    let all = app.state().prefectures().into_keys();
    let mine: Vec<PrefectureCode> = all.filter(|code| caller.scope.covers(&org, code.org())).collect();
    if mine.is_empty() { Err(Problem::new(Code::Forbidden)) } else { Ok(mine) }
}

fn order(app: &App, caller: &Caller, body: &CorrectionBody) -> Result<CorrectionOrder, Problem> {
    let wrong = wrong_of(body)?;
    let within = within(app, caller, &wrong, body.prefecture)?;
    let day =
        |field: &'static str, text: &Option<String>| text.as_deref().map(|t| given::<Date, _>(field, t)).transpose();
    let mut texts = BTreeMap::new();
    for (channel, text) in &body.texts {
        texts.insert(given::<Channel, _>("texts", channel)?, text.clone());
    }
    Ok(CorrectionOrder {
        scope: CorrectionScope {
            wrong,
            prefecture: body.prefecture.map(PrefectureCode),
            from: day("from", &body.from)?,
            to: day("to", &body.to)?,
        },
        texts,
        within,
        why: stops::why(&body.why)?,
        who: caller.name.clone(),
    })
}

/// Shows what a correction would do, or takes back what has not left and proposes it.
pub(crate) async fn correct(app: &App, caller: &Caller, body: CorrectionBody) -> Result<CorrectionAnswer, Problem> {
    let order = order(app, caller, &body)?;
    if body.dry_run {
        let wrong = order.scope.wrong.to_string();
        let would = app.conduct.preview_correction(order).await?;
        return Ok(CorrectionAnswer {
            dry_run: true,
            id: None,
            wrong,
            topic: word!(would.topic),
            texts: would.texts.iter().map(|(channel, text)| (channel.to_string(), text.clone())).collect(),
            counts: CorrectionCountsView::of(&would.counts),
            taken_back: would.waiting,
            expires: None,
            first: would.first.iter().map(RecipientView::would).collect(),
        });
    }
    let made = app.conduct.propose_correction(order).await?;
    let (first, _) = app.conduct.correction_recipients(made.clone(), 0, FIRST).await?;
    Ok(CorrectionAnswer {
        dry_run: false,
        id: Some(made.name()),
        wrong: made.scope.wrong.to_string(),
        topic: word!(made.topic),
        texts: made.texts.iter().map(|(channel, text)| (channel.to_string(), text.clone())).collect(),
        counts: CorrectionCountsView::of(&made.counts),
        taken_back: made.recalled,
        expires: Some(made.expires.to_string()),
        first: first.iter().map(RecipientView::of).collect(),
    })
}

/// Customers that an answer shows one by one.
const FIRST: usize = 20;

/// A correction is seen by whoever sees all of where it is.
fn sees(app: &App, caller: &Caller, correction: &Correction) -> bool {
    let org = app.org();
    correction.parts.iter().all(|p| caller.scope.covers(&org, p.prefecture.org()))
}

/// Corrections within the caller's sight, newest first.
pub(crate) fn list(app: &App, caller: &Caller) -> Result<Vec<CorrectionView>, Problem> {
    caller.require(Action::RunRead)?;
    let all = app.conduct.corrections().into_iter().filter(|c| sees(app, caller, c));
    Ok(all.map(|c| CorrectionView::of(app, &c)).collect())
}

fn found(app: &App, caller: &Caller, id: &str, action: Action) -> Result<Correction, Problem> {
    let number = named(id.strip_prefix('C').unwrap_or(id))?;
    let correction = app.conduct.correction(number)?;
    if !sees(app, caller, &correction) {
        return Err(Problem::not_found());
    }
    caller.require(action)?;
    Ok(correction)
}

/// One correction, with what changed since it was proposed, or how its messages stand.
pub(crate) async fn one(app: &App, caller: &Caller, id: &str) -> Result<CorrectionView, Problem> {
    let correction = found(app, caller, id, Action::RunRead)?;
    let view = CorrectionView::of(app, &correction);
    match view.state.word.as_str() {
        "open" => Ok(view.with_change(&app.conduct.correction_change(correction).await?)),
        "approved" | "published" => Ok(view.with_ends(&app.conduct.correction_ends(correction).await?)),
        _ => Ok(view),
    }
}

/// Its list, with what became of each customer.
pub(crate) async fn recipients(
    app: &App,
    caller: &Caller,
    id: &str,
    page: &PageQuery,
) -> Result<Page<RecipientView>, Problem> {
    let correction = found(app, caller, id, Action::MessageRead)?;
    let (from, limit) = (page.cursor::<usize>()?.unwrap_or(0), page.limit()?);
    let (seen, more) = app.conduct.correction_recipients(correction, from, limit).await?;
    let next = more.then(|| (from + seen.len()).to_string());
    Ok(Page { items: seen.iter().map(RecipientView::of).collect(), next })
}

/// Corrections, newest first.
#[utoipa::path(get, path = "/v1/corrections", tag = "corrections", responses((status = 200, body = Page<CorrectionView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_corrections(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<CorrectionView>>, Problem> {
    Ok(axum::Json(Page::whole(list(&app, &caller)?)))
}

/// Proposes to tell everybody who may have a wrong message what is right. What has not left is taken back at once, for good; the others are told when another
/// person agreed, exactly those on the list. Ask with `dry_run` first.
#[utoipa::path(post, path = "/v1/corrections", tag = "corrections", request_body = CorrectionBody,
    responses((status = 200, body = CorrectionAnswer, description = "of a dry run"), (status = 201, body = CorrectionAnswer), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_correction(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CorrectionBody>,
) -> Result<(StatusCode, axum::Json<CorrectionAnswer>), Problem> {
    let status = if body.dry_run { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(correct(&app, &caller, body).await?)))
}

/// One correction: as it was proposed, who decided, and how its messages stand; of one that waits, what changed since.
#[utoipa::path(get, path = "/v1/corrections/{id}", tag = "corrections", params(("id" = String, Path, description = "such as C12")),
    responses((status = 200, body = CorrectionView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_correction(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<CorrectionView>, Problem> {
    one(&app, &caller, &id).await.map(axum::Json)
}

/// The list of a correction as it was approved, with what became of each customer; numbers masked.
#[utoipa::path(get, path = "/v1/corrections/{id}/recipients", tag = "corrections", params(("id" = String, Path, description = "such as C12"), PageQuery),
    responses((status = 200, body = Page<RecipientView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn get_recipients(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<RecipientView>>, Problem> {
    recipients(&app, &caller, &id, &page).await.map(axum::Json)
}
