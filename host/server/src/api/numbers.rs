//! Whose a number is: its segment's carrier, and the one to which it was taken (携号转网), from the operator's file or learned from carriers' answers.
//! Numbers are personal: one is looked up by whoever knows it, and none is listed.

use axum::extract::State;
use gridbell_model::Phone;
use gridbell_state::{Carriers, MAX_PORTED, PortedFact, PortedNumber, PortedSaid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{WordView, word};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::conduct::ConductError;
use crate::extract::{Json, Query};
use crate::problem::{Problem, ProblemBody};

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 200;

/// How many numbers are known to be with a carrier.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PortedCountView {
    /// With which: `mobile`, `unicom`, `telecom`, `broadnet`; none where only refusals are known.
    carrier: Option<WordView>,
    /// From where: `file`, `learned`.
    source: WordView,
    /// How many.
    numbers: u64,
}

/// How many numbers are known to be with another carrier than their segment's.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PortedView {
    /// All of them.
    numbers: u64,
    /// As many as there is room for.
    bound: u64,
    /// By carrier and source.
    counts: Vec<PortedCountView>,
}

/// Which number.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NumberQuery {
    /// A mobile number. Personal.
    number: String,
}

/// Whose a number is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NumberView {
    /// Masked.
    number: String,
    /// The carrier to which its segment was given; none where the segment is in no list.
    segment: Option<WordView>,
    /// The carrier to which it was taken; none where that is not known.
    carrier: Option<WordView>,
    /// From where that is known: `file`, `learned`; none where nothing but the segment is.
    source: Option<WordView>,
    /// Since when, as the file says, or the day on which it was learned.
    since: Option<String>,
    /// Carriers that refused a message because the number is not theirs, while nobody has taken one.
    refused_by: Vec<WordView>,
}

/// A number of which nothing but its segment shall be known.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetNumberBody {
    /// A mobile number. Personal.
    number: String,
    /// Why, for the audit log: 2 to 200 characters.
    why: String,
}

fn read(text: &str) -> Result<Phone, Problem> {
    let phone = Phone::from_text(text);
    let is_mobile = (13_000_000_000..20_000_000_000).contains(&phone.number());
    if is_mobile {
        Ok(phone)
    } else {
        Err(Problem::field("number", "a mobile number has 11 digits (应为 11 位手机号码)"))
    }
}

fn view(app: &App, phone: Phone) -> Result<NumberView, Problem> {
    let segment = app.conduct.segments()?.carrier_of(phone.number());
    let known = app.state().ported().get(phone.number());
    let refused = known.map_or_else(Carriers::default, |k| k.not);
    let all = gridbell_model::Carrier::ALL.iter();
    Ok(NumberView {
        number: phone.to_string(),
        segment: segment.map(|c| word!(c)),
        carrier: known.and_then(|k| k.carrier).map(|c| word!(c)),
        source: known.map(|k: PortedNumber| word!(k.source)),
        since: known.and_then(|k| k.on).map(|d| d.to_string()),
        refused_by: all.filter(|c| refused.has(**c)).map(|c| word!(*c)).collect(),
    })
}

/// How many numbers are known to be with another carrier than the one to which their segment was given.
#[utoipa::path(get, path = "/v1/ported", tag = "province", responses((status = 200, body = PortedView), (status = 403, body = ProblemBody)))]
pub(crate) async fn ported(State(app): State<App>, caller: Caller) -> Result<axum::Json<PortedView>, Problem> {
    caller.require(Action::PolicyRead)?;
    let ported = app.state().ported();
    let count = |c: gridbell_state::PortedCount| PortedCountView {
        carrier: c.carrier.map(|c| word!(c)),
        source: word!(c.source),
        numbers: c.numbers,
    };
    Ok(axum::Json(PortedView {
        numbers: ported.len() as u64,
        bound: MAX_PORTED as u64,
        counts: ported.counts().into_iter().map(count).collect(),
    }))
}

/// Whose one number is, and from where that is known.
#[utoipa::path(get, path = "/v1/ported/number", tag = "province", params(NumberQuery),
    responses((status = 200, body = NumberView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn number(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NumberQuery>,
) -> Result<axum::Json<NumberView>, Problem> {
    caller.at_province(&app.org(), Action::CustomerRead)?;
    view(&app, read(&query.number)?).map(axum::Json)
}

/// Forgets what is known of a number beside its segment: messages to it go to its segment's carrier again, until a file or an answer says otherwise.
#[utoipa::path(post, path = "/v1/ported/forget", tag = "province", request_body = ForgetNumberBody,
    responses((status = 200, body = NumberView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn forget_number(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ForgetNumberBody>,
) -> Result<axum::Json<NumberView>, Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let phone = read(&body.number)?;
    let why = body.why.trim();
    if !(2..=MAX_REASON_CHARS).contains(&why.chars().count()) {
        return Err(Problem::field("why", format!("say why in 2 to {MAX_REASON_CHARS} characters (请填写原因)")));
    }
    let fact = PortedFact { number: phone.number(), said: PortedSaid::Own(None) };
    let audit = note(&caller.name, "ported.forget", phone.to_string(), serde_json::json!({ "why": why }));
    app.state().say_carriers(vec![fact], vec![audit]).await.map_err(ConductError::from)?;
    view(&app, phone).map(axum::Json)
}
