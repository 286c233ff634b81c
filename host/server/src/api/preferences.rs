//! What a customer wants to be told and what not, each entry with when and from where it was said; and what nobody can refuse.

use std::collections::BTreeMap;

use axum::extract::State;
use gridbell_model::{AccountNumber, Topic, TopicClass, Wish, WishSource};
use gridbell_state::{CustomerChange, WishEntry};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::customers::look_up;
use super::view::{WordView, word};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::extract::{At, Json, given, named};
use crate::problem::{Code, Problem, ProblemBody};

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 200;

/// One thing that a customer can ask for or refuse.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PreferenceView {
    /// What: `service-sms`, `marketing`, `bill-notice`, …
    preference: WordView,
    /// Whether the customer is told.
    on: bool,
    /// From where it was said; none where nobody said it here, or a file said otherwise since.
    source: Option<WordView>,
    /// When it was said.
    at: Option<String>,
}

/// Everything that a customer can ask for or refuse, and what cannot be refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PreferencesView {
    /// 户号
    account: String,
    /// Each as it stands.
    items: Vec<PreferenceView>,
    /// Topics that the law demands: they go on whatever is refused.
    cannot_stop: Vec<WordView>,
    /// In a sentence for whoever serves the customer: what stops, and what cannot.
    answer: String,
}

/// What the customer says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreferencesBody {
    /// From where: `counter`, `website`, `app`, `hotline`, `sms-word`, `wechat`, `alipay`.
    source: String,
    /// What, each on (the customer is told) or off: `service-sms`, `service-wechat`, `service-alipay`, `subscribed`, `marketing`, `bill-notice`,
    /// `balance-warning`, `outage-news`. What is left out stays as it is.
    preferences: BTreeMap<String, bool>,
    /// Why, for the audit log: at most 200 characters.
    #[serde(default)]
    reason: Option<String>,
}

fn view(app: &App, account: AccountNumber) -> Result<PreferencesView, Problem> {
    let (_, _, wishes) = app.state().wishes(account)?;
    let rules = app.conduct.rules();
    let class = |topic: &Topic| rules.as_ref().map_or_else(|| topic.default_class(), |r| r.topic(*topic).class);
    let cannot_stop: Vec<&Topic> = Topic::ALL.iter().filter(|t| class(t) == TopicClass::Statutory).collect();
    let stopped: Vec<&str> = wishes.iter().filter(|w| !w.on).map(|w| w.wish.chinese()).collect();
    let titles = |list: &[&str]| if list.is_empty() { "无".to_owned() } else { list.join("、") };
    let always: Vec<&str> = cannot_stop.iter().map(|t| t.chinese()).collect();
    let entry = |w: &WishEntry| PreferenceView {
        preference: word!(w.wish),
        on: w.on,
        source: w.said.map(|(source, _)| word!(source)),
        at: w.said.map(|(_, at)| at.to_string()),
    };
    Ok(PreferencesView {
        account: account.to_string(),
        items: wishes.iter().map(entry).collect(),
        answer: format!("不发送：{}；法定通知不能退订，仍会发送：{}", titles(&stopped), titles(&always)),
        cannot_stop: cannot_stop.into_iter().map(|t| word!(*t)).collect(),
    })
}

/// What the customer asked for and refused, when and from where, and what cannot be refused.
#[utoipa::path(get, path = "/v1/customers/{account}/preferences", tag = "preferences", params(("account" = String, Path, description = "户号")),
    responses((status = 200, body = PreferencesView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_preferences(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
) -> Result<axum::Json<PreferencesView>, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::CustomerRead)?;
    view(&app, account).map(axum::Json)
}

/// Takes down what the customer says. It holds at once, for what waits in the outbox too: each message is looked at again before it goes. Said again
/// from the same source it changes nothing.
#[utoipa::path(put, path = "/v1/customers/{account}/preferences", tag = "preferences", params(("account" = String, Path, description = "户号")),
    request_body = PreferencesBody, responses((status = 200, body = PreferencesView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_preferences(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Json(body): Json<PreferencesBody>,
) -> Result<axum::Json<PreferencesView>, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::PreferenceWrite)?;
    let source: WishSource = given("source", &body.source)?;
    if body.reason.as_deref().is_some_and(|r| r.chars().count() > MAX_REASON_CHARS) {
        return Err(Problem::field("reason", format!("at most {MAX_REASON_CHARS} characters are allowed")));
    }
    let mut changes = Vec::new();
    for (name, on) in &body.preferences {
        let wish: Wish = given(&format!("preferences/{name}"), name)?;
        changes.push(CustomerChange::Asked { wish, on: *on, source });
    }
    if changes.is_empty() {
        return Err(Problem::because(Code::Invalid, "nothing to change was given"));
    }
    let detail = serde_json::json!({ "preferences": body.preferences, "source": source, "reason": body.reason });
    let audit = note(&caller.name, "preference.change", account.to_string(), detail);
    app.state().change_customer(account, changes, Vec::new(), vec![audit]).await?;
    view(&app, account).map(axum::Json)
}
