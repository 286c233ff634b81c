//! Notices for screens: published, corrected, cancelled, each with its history and the screens that said that they showed it.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridbell_model::{CivilMinute, Moment, PrefectureCode};
use gridbell_screens::{
    CancelOrder, CommunityKey, Content, Notice, NoticeId, NoticeOrder, NoticeState, Place, Revision,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::communities::prefecture_at;
use super::page::{self, Page};
use super::plugins::reason;
use super::screens::{ScreenView, view as screen_view};
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, IfMatch, Json, Query, Versioned, given, named};
use crate::problem::{Problem, ProblemBody};

/// Transformers or reading sections that an order names at most.
const MAX_NAMED: usize = 1_000;

/// A community of a notice.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NoticePlace {
    /// Which.
    community: String,
    /// What it was called then.
    name: String,
}

/// What a revision says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NoticeContent {
    /// What it is about.
    kind: WordView,
    /// How grave.
    severity: WordView,
    /// When to act.
    urgency: WordView,
    /// How sure.
    certainty: WordView,
    /// The headline.
    title: String,
    /// The text.
    body: String,
    /// When what it is about begins.
    begins: Option<String>,
    /// When it ends.
    ends: Option<String>,
    /// When it comes down by itself.
    expires: String,
}

/// A revision of a notice.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RevisionView {
    /// From 1.
    number: u32,
    /// `in-force`, `replaced`, `cancelled`, `expired`.
    state: WordView,
    /// What it says.
    content: NoticeContent,
    /// Where it is shown.
    communities: Vec<NoticePlace>,
    /// Where the one before was shown and this one is not.
    left: Vec<NoticePlace>,
    /// Who made it.
    by: String,
    /// When.
    at: String,
    /// Why.
    why: String,
}

/// How a notice was taken back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CancelledView {
    /// Who.
    by: String,
    /// When.
    at: String,
    /// Why.
    why: String,
}

/// A notice as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NoticeView {
    /// `N00000012`; empty in the answer to a dry run of a first publication.
    pub(crate) notice: String,
    /// Whose.
    prefecture: UnitRef,
    /// `in-force`, `cancelled`, `expired`.
    state: WordView,
    /// What it is about, in the words of whoever published it; may be empty.
    origin: String,
    /// Its last revision.
    latest: RevisionView,
    /// How it was taken back, if it was.
    cancelled: Option<CancelledView>,
    /// Screens in its communities.
    screens: usize,
    /// Of them, those that said that they showed the last revision.
    shown: usize,
}

/// A screen and what it said.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShownView {
    /// The screen.
    screen: ScreenView,
    /// The revisions that it showed, each with since when.
    revisions: Vec<ShownRevision>,
}

/// That a revision was shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShownRevision {
    /// Which.
    revision: u32,
    /// Since when.
    from: String,
}

/// A notice with its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NoticeStory {
    /// As it stands.
    #[serde(flatten)]
    notice: NoticeView,
    /// All revisions, the first one first.
    revisions: Vec<RevisionView>,
    /// The screens of its communities, and what each said. None for a screen that was removed.
    screens_of_it: Vec<ShownView>,
}

fn places(places: &[Place]) -> Vec<NoticePlace> {
    places.iter().map(|p| NoticePlace { community: p.community.to_string(), name: p.name.clone() }).collect()
}

fn minute(moment: Moment) -> String {
    moment.civil_minute().to_string()
}

fn revision_view(notice: &Notice, revision: &Revision, now: Moment) -> RevisionView {
    let content = &revision.content;
    RevisionView {
        number: revision.number,
        state: word!(notice.state_of(revision, now)),
        content: NoticeContent {
            kind: word!(content.kind),
            severity: word!(content.severity),
            urgency: word!(content.urgency),
            certainty: word!(content.certainty),
            title: content.title.clone(),
            body: content.body.clone(),
            begins: content.begins.map(minute),
            ends: content.ends.map(minute),
            expires: minute(content.expires),
        },
        communities: places(&revision.places),
        left: places(&revision.left),
        by: revision.by.clone(),
        at: revision.at.to_string(),
        why: revision.why.clone(),
    }
}

fn view(app: &App, notice: &Notice) -> Result<NoticeView, Problem> {
    let now = app.clock().now();
    let latest = notice.latest().ok_or_else(Problem::not_found)?;
    let screens = app.conduct.screens();
    let here: BTreeSet<_> =
        screens.book(|book| latest.places.iter().flat_map(|p| book.screens_of(&p.community)).map(|s| s.id).collect());
    let said = screens.acknowledged(notice.id);
    let shown = said.iter().filter(|a| a.revision == latest.number && here.contains(&a.screen)).count();
    let cancelled = |c: &gridbell_screens::Cancellation| CancelledView {
        by: c.by.clone(),
        at: c.at.to_string(),
        why: c.why.clone(),
    };
    Ok(NoticeView {
        notice: notice.id.to_string(),
        prefecture: UnitRef::prefecture(&app.org(), notice.prefecture),
        state: word!(notice.state(now)),
        origin: notice.origin.clone(),
        latest: revision_view(notice, latest, now),
        cancelled: notice.cancelled.as_ref().map(cancelled),
        screens: here.len(),
        shown,
    })
}

/// The notice `text`, if the caller may do `action` with it.
fn notice_at(app: &App, caller: &Caller, text: &str, action: Action) -> Result<std::sync::Arc<Notice>, Problem> {
    let id: NoticeId = named(text)?;
    let notice = app.conduct.screens().book(|book| book.notice(id).cloned()).ok_or_else(Problem::not_found)?;
    prefecture_at(app, caller, notice.prefecture, action)?;
    Ok(notice)
}

/// Which notices.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticeQuery {
    /// Only of this prefecture.
    #[serde(default)]
    prefecture: Option<u32>,
    /// Only those that are, or were, shown in this community.
    #[serde(default)]
    community: Option<String>,
    /// `in-force`, `cancelled`, `expired`; all if left out.
    #[serde(default)]
    state: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// The notices within the caller's scope, the last published first.
#[utoipa::path(get, path = "/v1/notices", tag = "screens", params(NoticeQuery),
    responses((status = 200, body = Page<NoticeView>), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_notices(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NoticeQuery>,
) -> Result<axum::Json<Page<NoticeView>>, Problem> {
    notices(&app, &caller, &query).map(axum::Json)
}

/// The notices that the caller may see, the last published first.
pub(crate) fn notices(app: &App, caller: &Caller, query: &NoticeQuery) -> Result<Page<NoticeView>, Problem> {
    caller.require(Action::ScreenRead)?;
    let (limit, before) = (page::limit(query.limit)?, page::cursor::<NoticeId>(query.cursor.as_deref())?);
    let states = [NoticeState::InForce, NoticeState::Cancelled, NoticeState::Expired];
    let state = match query.state.as_deref() {
        None => None,
        Some(word) => Some(
            states
                .into_iter()
                .find(|s| s.word() == word)
                .ok_or_else(|| Problem::field("state", "use in-force, cancelled or expired"))?,
        ),
    };
    let community: Option<CommunityKey> = query.community.as_deref().map(|c| given("community", c)).transpose()?;
    let (org, now) = (app.org(), app.clock().now());
    let wanted = |n: &&std::sync::Arc<Notice>| {
        before.is_none_or(|b| n.id < b)
            && query.prefecture.is_none_or(|p| p == n.prefecture.0)
            && state.is_none_or(|s| n.state(now) == s)
            && caller.scope.touches(&org, n.prefecture)
            && community.as_ref().is_none_or(|c| n.communities().contains(c))
    };
    let some: Vec<_> =
        app.conduct.screens().book(|book| book.notices().rev().filter(wanted).take(limit + 1).cloned().collect());
    let page = Page::cut(some, limit, |n: &std::sync::Arc<Notice>| n.id.to_string());
    let items = page.items.iter().map(|n| view(app, n)).collect::<Result<_, _>>()?;
    Ok(Page { items, next: page.next })
}

/// A notice with its history and the screens that said that they showed it. Its `ETag` is its last revision.
#[utoipa::path(get, path = "/v1/notices/{notice}", tag = "screens", params(("notice" = String, Path, description = "such as N00000012")),
    responses((status = 200, body = NoticeStory), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_notice(
    State(app): State<App>,
    caller: Caller,
    At(notice): At<String>,
) -> Result<Versioned<NoticeStory>, Problem> {
    let (revision, story) = story(&app, &caller, &notice)?;
    Ok(Versioned(u64::from(revision), story))
}

/// The notice `id` with its history, and the number of its last revision.
pub(crate) fn story(app: &App, caller: &Caller, id: &str) -> Result<(u32, NoticeStory), Problem> {
    let notice = notice_at(app, caller, id, Action::ScreenRead)?;
    let (now, screens) = (app.clock().now(), app.conduct.screens());
    let here: Vec<_> =
        screens.book(|book| notice.communities().iter().flat_map(|c| book.screens_of(c)).cloned().collect());
    let said = screens.acknowledged(notice.id);
    let of = |screen: &gridbell_screens::Screen| {
        let own = said.iter().filter(|a| a.screen == screen.id);
        let revisions = own.map(|a| ShownRevision { revision: a.revision, from: a.from.to_string() }).collect();
        ShownView { screen: screen_view(app, screen), revisions }
    };
    let story = NoticeStory {
        notice: view(app, &notice)?,
        revisions: notice.revisions.iter().map(|r| revision_view(&notice, r, now)).collect(),
        screens_of_it: here.iter().map(of).collect(),
    };
    Ok((notice.latest().map_or(0, |r| r.number), story))
}

/// What a notice is to say, and where.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoticeBody {
    /// Whose: 140100. A correction may leave it out.
    #[serde(default)]
    pub(crate) prefecture: Option<u32>,
    /// `planned-outage`, `temporary-outage`, `fault`, `rationing`, `restored`, `safety`, `service`.
    pub(crate) kind: String,
    /// `minor`, `moderate`, `severe`, `extreme`.
    pub(crate) severity: String,
    /// `past`, `future`, `expected`, `immediate`.
    pub(crate) urgency: String,
    /// `possible`, `likely`, `observed`.
    pub(crate) certainty: String,
    /// The headline: up to 40 characters.
    pub(crate) title: String,
    /// The text: up to 400 characters. No account and no telephone number but service numbers such as 95598.
    pub(crate) body: String,
    /// When what it is about begins: 2026-11-25T08:00.
    #[serde(default)]
    pub(crate) begins: Option<String>,
    /// When it ends.
    #[serde(default)]
    pub(crate) ends: Option<String>,
    /// When it comes down by itself.
    pub(crate) expires: String,
    /// Where it is shown: 140100-jinxiu. A correction that names no community, transformer or section stays where it is.
    #[serde(default)]
    pub(crate) communities: Vec<String>,
    /// And in the communities that these transformers feed.
    #[serde(default)]
    pub(crate) transformers: Vec<String>,
    /// And in those to which these reading sections belong.
    #[serde(default)]
    pub(crate) sections: Vec<u32>,
    /// What it is about (`outage/1234`): of one thing one notice is in force. May be empty.
    #[serde(default)]
    pub(crate) origin: String,
    /// Why: for a correction.
    #[serde(default)]
    pub(crate) why: String,
}

impl NoticeBody {
    fn content(&self) -> Result<Content, Problem> {
        let moment = |field: &str, text: &str| given::<CivilMinute, _>(field, text).map(CivilMinute::moment);
        Ok(Content {
            kind: given("kind", &self.kind)?,
            severity: given("severity", &self.severity)?,
            urgency: given("urgency", &self.urgency)?,
            certainty: given("certainty", &self.certainty)?,
            title: self.title.trim().to_owned(),
            body: self.body.trim().to_owned(),
            begins: self.begins.as_deref().map(|t| moment("begins", t)).transpose()?,
            ends: self.ends.as_deref().map(|t| moment("ends", t)).transpose()?,
            expires: moment("expires", &self.expires)?,
        })
    }

    fn names_a_place(&self) -> bool {
        !(self.communities.is_empty() && self.transformers.is_empty() && self.sections.is_empty())
    }

    fn order(&self, app: &App, prefecture: PrefectureCode, who: &str) -> Result<NoticeOrder, Problem> {
        if self.transformers.len() + self.sections.len() + self.communities.len() > MAX_NAMED {
            let text = format!("or transformers or sections: more than {MAX_NAMED}; publish several notices");
            return Err(Problem::field("communities", text));
        }
        let mut communities = BTreeSet::new();
        for text in &self.communities {
            communities.insert(given::<CommunityKey, _>("communities", text)?);
        }
        communities.extend(app.conduct.screens().book(|book| {
            let mut found = book.fed_by(prefecture, self.transformers.iter().map(String::as_str));
            found.extend(book.of_sections(prefecture, &self.sections));
            found
        }));
        Ok(NoticeOrder {
            prefecture,
            origin: self.origin.clone(),
            content: self.content()?,
            communities: communities.into_iter().collect(),
            by: who.to_owned(),
            why: self.why.trim().to_owned(),
            sender: String::new(),
        })
    }
}

/// Whether only to say what would be.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticeTrial {
    /// Only say what would be shown, and on how many screens.
    #[serde(default)]
    dry_run: bool,
}

/// Publishes a notice: it is on every screen of its communities when they ask next. With `dry_run=true` only says what would be (200).
#[utoipa::path(post, path = "/v1/notices", tag = "screens", params(NoticeTrial), request_body = NoticeBody,
    responses((status = 200, body = NoticeView), (status = 201, body = NoticeView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_notice(
    State(app): State<App>,
    caller: Caller,
    Query(trial): Query<NoticeTrial>,
    Json(body): Json<NoticeBody>,
) -> Result<Response, Problem> {
    let shown = publish(&app, &caller, &body, trial.dry_run).await?;
    let status = if trial.dry_run { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(shown)).into_response())
}

/// Publishes, or says what would be shown.
pub(crate) async fn publish(
    app: &App,
    caller: &Caller,
    body: &NoticeBody,
    dry_run: bool,
) -> Result<NoticeView, Problem> {
    let prefecture = body.prefecture.ok_or_else(|| Problem::field("prefecture", "is missing: 140100"))?;
    let prefecture = PrefectureCode(prefecture);
    prefecture_at(app, caller, prefecture, Action::NoticeWrite)?;
    let order = body.order(app, prefecture, &caller.name)?;
    let shown = view(app, &app.conduct.screens().publish(order, dry_run).await?)?;
    Ok(if dry_run { NoticeView { notice: String::new(), ..shown } } else { shown })
}

/// Makes a notice say something else, everywhere; `If-Match` may name the revision that was read. Says so with 200 where it says that already.
#[utoipa::path(post, path = "/v1/notices/{notice}/correct", tag = "screens",
    params(("notice" = String, Path, description = "such as N00000012"), NoticeTrial), request_body = NoticeBody,
    responses((status = 200, body = NoticeView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn correct_notice(
    State(app): State<App>,
    caller: Caller,
    At(notice): At<String>,
    Query(trial): Query<NoticeTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<NoticeBody>,
) -> Result<axum::Json<NoticeView>, Problem> {
    let expected = expected.map(|e| u32::try_from(e).unwrap_or(u32::MAX));
    correct(&app, &caller, &notice, &body, expected, trial.dry_run).await.map(axum::Json)
}

/// Makes the notice `id` say something else, or says what would be shown; `expected` is the revision that was read.
pub(crate) async fn correct(
    app: &App,
    caller: &Caller,
    id: &str,
    body: &NoticeBody,
    expected: Option<u32>,
    dry_run: bool,
) -> Result<NoticeView, Problem> {
    let notice = notice_at(app, caller, id, Action::NoticeWrite)?;
    let prefecture = body.prefecture.map_or(notice.prefecture, PrefectureCode);
    let mut order = body.order(app, prefecture, &caller.name)?;
    if let Some(latest) = notice.latest().filter(|_| !body.names_a_place()) {
        order.communities = latest.places.iter().map(|p| p.community.clone()).collect();
    }
    let corrected = app.conduct.screens().correct(notice.id, expected, order, dry_run).await?;
    view(app, corrected.as_ref().unwrap_or(&notice))
}

/// Why a notice is taken back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    /// Why: 2 to 200 characters. For the audit log; no screen shows it.
    why: String,
}

/// Takes a notice back, everywhere.
#[utoipa::path(post, path = "/v1/notices/{notice}/cancel", tag = "screens",
    params(("notice" = String, Path, description = "such as N00000012"), NoticeTrial), request_body = CancelBody,
    responses((status = 200, body = NoticeView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn cancel_notice(
    State(app): State<App>,
    caller: Caller,
    At(notice): At<String>,
    Query(trial): Query<NoticeTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<CancelBody>,
) -> Result<axum::Json<NoticeView>, Problem> {
    let expected = expected.map(|e| u32::try_from(e).unwrap_or(u32::MAX));
    cancel(&app, &caller, &notice, &body.why, expected, trial.dry_run).await.map(axum::Json)
}

/// Takes the notice `id` back, or says what would be shown no more.
pub(crate) async fn cancel(
    app: &App,
    caller: &Caller,
    id: &str,
    why: &str,
    expected: Option<u32>,
    dry_run: bool,
) -> Result<NoticeView, Problem> {
    let notice = notice_at(app, caller, id, Action::NoticeWrite)?;
    let (by, why) = (caller.name.clone(), reason(why)?);
    let order = CancelOrder { id: notice.id, expected, by, why, sender: String::new() };
    view(app, &app.conduct.screens().cancel(order, dry_run).await?)
}
