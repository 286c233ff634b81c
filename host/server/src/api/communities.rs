//! Communities: what of the grid they consist of, and whom to turn to there. Numbers are masked as customers' are.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_model::PrefectureCode;
use gridbell_screens::{Community, CommunityKey, Contact, ContactRole, Private};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::customers::Unmask;
use super::page::{self, Page};
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// Whom to turn to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ScreenContactView {
    /// 物业, 电视台, 台区经理, 居委会
    role: WordView,
    /// The firm's or office's name.
    title: String,
    /// Where it is reached; empty for nowhere.
    address: String,
    /// Its number, masked unless unmasked.
    phone: Option<String>,
}

/// A community.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CommunityView {
    /// `140100-jinxiu`
    community: String,
    /// Where it lies.
    prefecture: UnitRef,
    /// 锦绣花园
    name: String,
    /// The transformers that feed it.
    transformers: Vec<String>,
    /// The reading sections that it consists of.
    sections: Vec<u32>,
    /// Whom to turn to.
    contacts: Vec<ScreenContactView>,
    /// Screens that hang there.
    screens: usize,
    /// Notices that are shown there.
    in_force: usize,
    /// The path of its CAP feed.
    feed: String,
}

fn view(app: &App, community: &Community, clear: bool) -> CommunityView {
    let contact = |c: &Contact| ScreenContactView {
        role: word!(c.role),
        title: c.title.clone(),
        address: c.address.clone(),
        phone: c.phone.as_ref().map(|p| if clear { p.expose().to_owned() } else { p.to_string() }),
    };
    let (key, now) = (&community.key, app.clock().now());
    let (screens, in_force) =
        app.conduct.screens().book(|book| (book.screens_of(key).count(), book.shown(key, now).len()));
    CommunityView {
        community: key.to_string(),
        prefecture: UnitRef::prefecture(&app.org(), key.prefecture()),
        name: community.name.clone(),
        transformers: community.transformers.iter().cloned().collect(),
        sections: community.sections.iter().copied().collect(),
        contacts: community.contacts.iter().map(contact).collect(),
        screens,
        in_force,
        feed: format!("/cap/{key}.atom"),
    }
}

/// The prefecture `code`, to do `action` with what hangs there.
pub(super) fn prefecture_at(app: &App, caller: &Caller, code: PrefectureCode, action: Action) -> Result<(), Problem> {
    let org = app.org();
    org.get(code.org()).ok_or_else(Problem::not_found)?;
    caller.at_prefecture(&org, code, action)
}

/// The community that `text` names, if the caller may do `action` with it.
pub(super) fn community_at(app: &App, caller: &Caller, text: &str, action: Action) -> Result<Community, Problem> {
    let key: CommunityKey = named(text)?;
    prefecture_at(app, caller, key.prefecture(), action)?;
    app.conduct.screens().book(|book| book.community(&key).cloned()).ok_or_else(Problem::not_found)
}

/// Which communities.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CommunityQuery {
    /// Only of this prefecture.
    #[serde(default)]
    prefecture: Option<u32>,
    /// Only those that this transformer feeds.
    #[serde(default)]
    transformer: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// The communities within the caller's scope.
#[utoipa::path(get, path = "/v1/communities", tag = "screens", params(CommunityQuery),
    responses((status = 200, body = Page<CommunityView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_communities(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CommunityQuery>,
) -> Result<axum::Json<Page<CommunityView>>, Problem> {
    caller.require(Action::ScreenRead)?;
    let (limit, after) = (page::limit(query.limit)?, page::cursor::<CommunityKey>(query.cursor.as_deref())?);
    let org = app.org();
    let wanted = |c: &&Community| {
        let prefecture = c.key.prefecture();
        after.as_ref().is_none_or(|a| c.key > *a)
            && query.prefecture.is_none_or(|p| p == prefecture.0)
            && query.transformer.as_ref().is_none_or(|t| c.transformers.contains(t))
            && caller.scope.touches(&org, prefecture)
    };
    let some: Vec<Community> =
        app.conduct.screens().book(|book| book.communities().filter(wanted).take(limit + 1).cloned().collect());
    Ok(axum::Json(Page::cut(some, limit, |c| c.key.to_string()).map(|c| view(&app, &c, false))))
}

/// One community. With `unmask=true` and a reason its contacts' numbers are in the clear, and the audit log says so.
#[utoipa::path(get, path = "/v1/communities/{community}", tag = "screens",
    params(("community" = String, Path, description = "such as 140100-jinxiu"), Unmask),
    responses((status = 200, body = CommunityView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_community(
    State(app): State<App>,
    caller: Caller,
    At(community): At<String>,
    Query(unmask): Query<Unmask>,
) -> Result<axum::Json<CommunityView>, Problem> {
    let community = community_at(&app, &caller, &community, Action::ScreenRead)?;
    let clear = unmask.granted(&app, &caller, "community.unmask", community.key.to_string()).await?;
    Ok(axum::Json(view(&app, &community, clear)))
}

/// Whom to turn to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScreenContactBody {
    /// `property-manager`, `tv-station`, `district-manager`, `committee`.
    role: String,
    /// The firm's or office's name.
    title: String,
    /// Where it is reached; may be left out.
    #[serde(default)]
    address: String,
    /// Its number; may be left out. Never shown on a screen.
    #[serde(default)]
    phone: Option<String>,
}

/// A community as it is to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommunityBody {
    /// 锦绣花园
    name: String,
    /// The transformers that feed it.
    #[serde(default)]
    transformers: Vec<String>,
    /// The reading sections that it consists of.
    #[serde(default)]
    sections: Vec<u32>,
    /// Whom to turn to; left out, those that are entered stay.
    #[serde(default)]
    contacts: Option<Vec<ScreenContactBody>>,
}

fn contact(body: ScreenContactBody) -> Result<Contact, Problem> {
    let role: ContactRole = given("contacts", &body.role)?;
    let phone = body.phone.map(Private::try_from).transpose();
    let phone = phone.map_err(|e| Problem::field("contacts", e.to_string()))?;
    Ok(Contact { role, title: body.title, address: body.address, phone })
}

/// Enters a community, or changes it.
#[utoipa::path(put, path = "/v1/communities/{community}", tag = "screens",
    params(("community" = String, Path, description = "the prefecture's code, a hyphen and its own: 140100-jinxiu")), request_body = CommunityBody,
    responses((status = 200, body = CommunityView), (status = 201, body = CommunityView), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_community(
    State(app): State<App>,
    caller: Caller,
    At(community): At<String>,
    Json(body): Json<CommunityBody>,
) -> Result<(StatusCode, axum::Json<CommunityView>), Problem> {
    let key: CommunityKey = given("community", &community)?;
    prefecture_at(&app, &caller, key.prefecture(), Action::ScreenWrite)?;
    let screens = app.conduct.screens();
    let contacts = match body.contacts {
        Some(contacts) => contacts.into_iter().map(contact).collect::<Result<_, _>>()?,
        None => screens.book(|book| book.community(&key).map(|c| c.contacts.clone())).unwrap_or_default(),
    };
    let community = Community {
        key,
        name: body.name,
        transformers: body.transformers.into_iter().collect(),
        sections: body.sections.into_iter().collect(),
        contacts,
    };
    let new = screens.put_community(community.clone(), &caller.name).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(view(&app, &community, false))))
}

/// Removes a community in which there is no screen and no notice.
#[utoipa::path(delete, path = "/v1/communities/{community}", tag = "screens", params(("community" = String, Path, description = "such as 140100-jinxiu")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn delete_community(
    State(app): State<App>,
    caller: Caller,
    At(community): At<String>,
) -> Result<StatusCode, Problem> {
    let community = community_at(&app, &caller, &community, Action::ScreenWrite)?;
    app.conduct.screens().remove_community(&community.key, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
