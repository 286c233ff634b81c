//! Customers' addresses at platforms (WeChat, Alipay): what is bound, binding, and ending it. Ids are masked as numbers are.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_intake::ContactRow;
use gridbell_model::{AccountNumber, BindingSource, Channel, CivilMinute, PlatformId};
use gridbell_state::{Contact, ContactFact, Facts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::customers::{Unmask, look_up};
use super::facts::{FactAnswer, take};
use super::view::{WordView, word};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::conduct::Rows;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// An address at a platform.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ContactView {
    /// The platform.
    channel: WordView,
    /// The province's account there to which the id belongs; empty where there is but one.
    app: String,
    /// The customer's id there, masked unless unmasked.
    id: String,
    /// Where the binding came from.
    source: WordView,
    /// When the customer was bound, as the source says.
    bound_at: String,
    /// Since when the id is this one here.
    since: String,
}

impl ContactView {
    fn of(contact: &Contact, clear: bool) -> Self {
        Self {
            channel: word!(contact.channel),
            app: contact.app.clone(),
            id: if clear { contact.id.expose().to_owned() } else { contact.id.to_string() },
            source: word!(contact.source),
            bound_at: contact.bound.to_string(),
            since: contact.since.to_string(),
        }
    }
}

/// What is bound.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ContactList {
    /// At most one for each platform.
    items: Vec<ContactView>,
}

/// The customer's addresses at platforms. With `unmask=true` and a reason the ids are in the clear, and the audit log says so.
#[utoipa::path(get, path = "/v1/customers/{account}/contacts", tag = "customers", params(("account" = String, Path, description = "户号"), Unmask),
    responses((status = 200, body = ContactList), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_contacts(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Query(unmask): Query<Unmask>,
) -> Result<axum::Json<ContactList>, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::CustomerRead)?;
    let clear = unmask.granted(&app, &caller, "contact.unmask", account.to_string()).await?;
    let contacts = app.read(move |app| Ok(app.state().contacts(account)?)).await?;
    Ok(axum::Json(ContactList { items: contacts.iter().map(|c| ContactView::of(c, clear)).collect() }))
}

/// An address to bind.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactBody {
    /// The customer's id at the platform: a WeChat openid, an Alipay user or open id. Personal.
    id: String,
    /// The province's account there to which the id belongs; may be left out where there is but one.
    #[serde(default)]
    app: String,
    /// `counter`, `website`, `app`, `sms-word`, `import`, `platform`.
    source: String,
    /// When the customer was bound: 2026-11-21T09:30; now if left out.
    #[serde(default)]
    bound_at: Option<String>,
}

/// Binds an address at `wechat` or `alipay`; another that was bound there is replaced. The same rules as for a row of an import.
#[utoipa::path(put, path = "/v1/customers/{account}/contacts/{channel}", tag = "customers",
    params(("account" = String, Path, description = "户号"), ("channel" = String, Path, description = "wechat or alipay")), request_body = ContactBody,
    responses((status = 200, body = FactAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_contact(
    State(app): State<App>,
    caller: Caller,
    At((account, channel)): At<(String, String)>,
    Json(body): Json<ContactBody>,
) -> Result<axum::Json<FactAnswer>, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::ContactWrite)?;
    let channel: Channel = given("channel", &channel)?;
    let id: PlatformId = given("id", &body.id)?;
    let source: BindingSource = given("source", &body.source)?;
    let bound: Option<CivilMinute> = body.bound_at.as_deref().map(|at| given("bound_at", at)).transpose()?;
    let bound_at = bound.unwrap_or_else(|| app.clock().civil_minute());
    let row = ContactRow { account, channel, id, app: body.app, source, bound_at };
    row.check(app.clock().today()).map_err(|r| Problem::field(r.field.replace('-', "_"), r.reason.to_string()))?;
    let detail = serde_json::json!({ "channel": channel, "source": source });
    let audit = vec![note(&caller.name, "contact.bind", account.to_string(), detail)];
    take(&app, Rows::Contacts(vec![row]), audit).await?.refuse_if_nothing()
}

/// Who ends a binding.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndQuery {
    /// Who says so: `counter`, `website`, `app`, `sms-word`, `import`, `platform`; `counter` if left out. It is in the audit log.
    #[serde(default)]
    source: Option<String>,
}

/// Ends a binding: what waits for that address is cancelled before it leaves, and its route goes on.
#[utoipa::path(delete, path = "/v1/customers/{account}/contacts/{channel}", tag = "customers",
    params(("account" = String, Path, description = "户号"), ("channel" = String, Path, description = "wechat or alipay"), EndQuery),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn delete_contact(
    State(app): State<App>,
    caller: Caller,
    At((account, channel)): At<(String, String)>,
    Query(query): Query<EndQuery>,
) -> Result<StatusCode, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::ContactWrite)?;
    let channel: Channel = given("channel", &channel)?;
    if !channel.is_platform() {
        return Err(Problem::field("channel", gridbell_state::FactReject::NoPlatform.reason()));
    }
    let source = query.source.as_deref().map_or(Ok(BindingSource::Counter), |s| given("source", s))?;
    let detail = serde_json::json!({ "channel": channel, "source": source });
    let audit = vec![note(&caller.name, "contact.unbind", account.to_string(), detail)];
    let end = ContactFact { account, channel, address: None };
    app.state().facts(Facts::Contacts(vec![end]), false, audit).await?;
    Ok(StatusCode::NO_CONTENT)
}
