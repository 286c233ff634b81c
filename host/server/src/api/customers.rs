//! Customers: look-up, upsert, contact, traits, preferences, erasure, and why they were told nothing.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_intake::CustomerInput;
use gridbell_model::{
    AccountNumber, ContactSource, CustomerView as Row, Date, OrgCode, PrefectureCode, Preferences, Traits,
};
use gridbell_state::{CustomerChange, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::facts::{FactAnswer, take};
use super::messages::reason_titles;
use super::page::{Page, Pair, cursor, limit};
use super::view::{CustomerView, WordView, word};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::conduct::Rows;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Code, Problem, ProblemBody};

/// Accounts of one phone that a look-up shows at most: a landlord's, not a community's.
pub(crate) const MAX_BY_PHONE: usize = 50;
/// Latest runs of a prefecture in which held decisions are looked for.
pub(crate) const MAX_RUNS_LOOKED: usize = 60;
/// Longest reason for unmasking, in characters.
const MAX_REASON_CHARS: usize = 200;

/// Whether to unmask, and why.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Unmask {
    /// Name and number in the clear; needs the right and a reason, and is audited.
    #[serde(default)]
    pub(crate) unmask: bool,
    /// Why: 2 to 200 characters.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl Unmask {
    /// Checks the right and writes the audit entry before anything is shown.
    pub(crate) async fn granted(
        &self,
        app: &App,
        caller: &Caller,
        what: &str,
        subject: String,
    ) -> Result<bool, Problem> {
        if !self.unmask {
            return Ok(false);
        }
        caller.require(Action::Unmask)?;
        let reason = self.reason.as_deref().unwrap_or_default().trim();
        if !(2..=MAX_REASON_CHARS).contains(&reason.chars().count()) {
            return Err(Problem::field("reason", "unmasking needs a reason of 2 to 200 characters (须填写查看原因)"));
        }
        let audit = note(&caller.name, what, subject, serde_json::json!({ "reason": reason }));
        app.state().put_docs(Vec::new(), vec![audit]).await?;
        Ok(true)
    }
}

/// The customer `account`, if the caller may do `action` with it.
pub(crate) fn look_up(
    app: &App,
    caller: &Caller,
    account: AccountNumber,
    action: Action,
) -> Result<(PrefectureCode, Row), Problem> {
    let (prefecture, row) = app.state().customer(account).ok_or_else(Problem::not_found)?;
    caller.at(&app.org(), row.station, action)?;
    Ok((prefecture, row))
}

/// Which customers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomerQuery {
    /// A phone number: the accounts that it serves.
    #[serde(default)]
    phone: Option<String>,
    /// An org unit: the customers under it.
    #[serde(default)]
    org: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// Customers by phone number, or of an org unit in pages. Numbers are masked, names left out.
#[utoipa::path(get, path = "/v1/customers", tag = "customers", params(CustomerQuery),
    responses((status = 200, body = Page<CustomerView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_customers(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CustomerQuery>,
) -> Result<axum::Json<Page<CustomerView>>, Problem> {
    let org = app.org();
    if let Some(phone) = query.phone {
        caller.require(Action::CustomerRead)?;
        let found = by_phone(&app, &caller, &phone).await?;
        let items = found.iter().map(|(p, row)| CustomerView::of(&org, *p, row, None, false)).collect();
        return Ok(axum::Json(Page::whole(items)));
    }
    let unit: Option<OrgCode> = match (&query.org, caller.scope.into()) {
        (Some(code), _) => Some(OrgCode(named(code)?)),
        (None, scope) => scope,
    };
    if let Some(unit) = unit {
        caller.at(&org, unit, Action::CustomerRead)?;
        org.get(unit).ok_or_else(Problem::not_found)?;
    }
    caller.require(Action::CustomerRead)?;
    let (limit, from) = (limit(query.limit)?, cursor::<Pair>(query.cursor.as_deref())?);
    let page = app.read(move |app| Ok(page_of(app, unit, from, limit))).await?;
    Ok(axum::Json(page))
}

fn page_of(app: &App, unit: Option<OrgCode>, from: Option<Pair>, limit: usize) -> Page<CustomerView> {
    let org = app.org();
    let after = from.unwrap_or(Pair(0, 0));
    let within = |code: OrgCode| unit.is_none_or(|u| org.is_within(code, u));
    let (mut rows, mut next) = (Vec::new(), None);
    'page: for code in app.state().prefectures().into_keys() {
        let touches = unit.is_none_or(|u| org.is_within(code.org(), u) || org.prefecture_of(u) == Some(code));
        if u64::from(code.0) < after.0 || !touches {
            continue;
        }
        let Some(snapshot) = app.state().snapshot(code) else { continue };
        // A cursor names the first row of its page.
        let first = if u64::from(code.0) == after.0 { after.1 } else { 0 };
        for row in snapshot.select(|station, _| within(station)) {
            if u64::from(row) < first {
                continue;
            }
            if rows.len() == limit {
                next = Some(Pair(u64::from(code.0), u64::from(row)).to_string());
                break 'page;
            }
            rows.extend(snapshot.view(row).map(|v| (code, v)));
        }
    }
    app.mark_shared(rows.iter_mut().map(|(_, row)| row));
    Page { items: rows.iter().map(|(code, row)| CustomerView::of(&org, *code, row, None, false)).collect(), next }
}

/// The customers within the caller's scope that `phone` serves.
pub(crate) async fn by_phone(app: &App, caller: &Caller, phone: &str) -> Result<Vec<(PrefectureCode, Row)>, Problem> {
    let number = gridbell_model::Phone::from_text(phone).number();
    if number == 0 {
        return Err(Problem::field("phone", "this is not a phone number (不是有效的电话号码)"));
    }
    let found = move |app: &App| {
        let mut found = app.state().by_phone(number, MAX_BY_PHONE);
        app.mark_shared(found.iter_mut().map(|(_, row)| row));
        Ok(found)
    };
    let mut found = app.read(found).await?;
    let org = app.org();
    found.retain(|(_, row)| caller.scope.covers(&org, row.station));
    Ok(found)
}

/// The customers within the caller's scope that `phone` served when they were told something, and does not serve any more.
pub(crate) async fn formerly_by_phone(
    app: &App,
    caller: &Caller,
    phone: &str,
) -> Result<Vec<(PrefectureCode, Row)>, Problem> {
    let number = gridbell_model::Phone::from_text(phone).number();
    let mut found = app.read(move |app| Ok(app.state().formerly_by_phone(number, MAX_BY_PHONE))).await?;
    let org = app.org();
    found.retain(|(_, row)| caller.scope.covers(&org, row.station));
    Ok(found)
}

/// One customer. With `unmask=true` and a reason name and number are in the clear, and the audit log says so.
#[utoipa::path(get, path = "/v1/customers/{account}", tag = "customers", params(("account" = String, Path, description = "户号"), Unmask),
    responses((status = 200, body = CustomerView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_customer(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Query(unmask): Query<Unmask>,
) -> Result<axum::Json<CustomerView>, Problem> {
    one(&app, &caller, &account, &unmask).await.map(axum::Json)
}

/// One customer as the caller may see it.
pub(crate) async fn one(app: &App, caller: &Caller, account: &str, unmask: &Unmask) -> Result<CustomerView, Problem> {
    let account: AccountNumber = named(account)?;
    let (prefecture, mut row) = look_up(app, caller, account, Action::CustomerRead)?;
    let clear = unmask.granted(app, caller, "customer.unmask", account.to_string()).await?;
    let read = move |app: &App| {
        app.mark_shared([&mut row]);
        Ok((app.state().name(account)?, row))
    };
    let (name, row) = app.read(read).await?;
    Ok(CustomerView::of(&app.org(), prefecture, &row, Some(name), clear))
}

/// A customer as the archive knows it. What is left out stays as it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomerBody {
    /// 户号, 10 to 13 digits as text; may be left out, else the same as in the path.
    account: Option<String>,
    /// The station's code.
    station: u32,
    /// Reading section (抄表段).
    section: Option<u32>,
    /// 户名. Personal.
    name: Option<String>,
    /// Phone number; "" takes the known one away. Personal.
    phone: Option<String>,
    /// `archive`, `counter`, `online`, `hotline`, `field`, `carrier`, `unknown`.
    contact_source: Option<String>,
    /// When the number was last verified: 2026-11-21.
    verified: Option<String>,
    /// Traits by their word, true or false.
    traits: Option<BTreeMap<String, bool>>,
    /// The customer's own warning threshold in fen.
    threshold_fen: Option<u32>,
}

/// Puts a customer: makes it, or replaces what is given. The same rules as for a row of an import.
#[utoipa::path(put, path = "/v1/customers/{account}", tag = "customers", params(("account" = String, Path, description = "户号")),
    request_body = CustomerBody, responses((status = 200, body = FactAnswer), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_customer(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Json(mut body): Json<serde_json::Value>,
) -> Result<axum::Json<FactAnswer>, Problem> {
    let account: AccountNumber = named(&account)?;
    if let Some(map) = body.as_object_mut() {
        let inside = map.entry("account").or_insert_with(|| account.to_string().into());
        if inside.as_str() != Some(account.to_string().as_str()) {
            return Err(Problem::field("account", "the account in the body is another than in the path"));
        }
    }
    let input: CustomerInput = crate::extract::parse_json(body.to_string().as_bytes())?;
    let org = app.org();
    if let Some((_, row)) = app.state().customer(account) {
        caller.at(&org, row.station, Action::CustomerWrite)?;
    }
    caller.at(&org, input.station, Action::CustomerWrite)?;
    let read = input.into_row(&*app.conduct.segments()?, app.clock().today());
    let (row, warnings) = read.map_err(|r| Problem::field(r.field, r.reason.to_string()))?;
    let audit = vec![note(&caller.name, "customer.put", account.to_string(), serde_json::Value::Null)];
    let mut answer = take(&app, Rows::Customers(vec![row]), audit).await?;
    answer.warnings = warnings.iter().map(|w| format!("{w:?}")).collect();
    answer.refuse_if_nothing()
}

/// A change of one customer: what is left out stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CustomerPatch {
    /// A corrected number; "" takes the known one away. Personal.
    pub(crate) phone: Option<String>,
    /// Who says so: `counter`, `online`, `hotline`, `field`, `carrier`, `archive`.
    pub(crate) contact_source: Option<String>,
    /// When it was verified: 2026-11-21.
    pub(crate) verified: Option<String>,
    /// Holds the contact (a wrong number was reported), or confirms it.
    pub(crate) suspended: Option<bool>,
    /// Traits by their word: what silences reminders (`disputed`, `paused`, `do-not-remind`, …) and subscriptions.
    pub(crate) traits: BTreeMap<String, bool>,
    /// Preferences by their word.
    pub(crate) preferences: BTreeMap<String, bool>,
    /// Why; required for `do-not-remind`, `disputed` and `paused`.
    pub(crate) reason: Option<String>,
}

/// Corrects a contact, sets traits and preferences.
#[utoipa::path(patch, path = "/v1/customers/{account}", tag = "customers", params(("account" = String, Path, description = "户号")),
    request_body = CustomerPatch, responses((status = 200, body = CustomerView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn patch_customer(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Json(body): Json<CustomerPatch>,
) -> Result<axum::Json<CustomerView>, Problem> {
    patch(&app, &caller, &account, body).await?;
    one(&app, &caller, &account, &Unmask::default()).await.map(axum::Json)
}

/// Subscriptions are the customer's own wish: whoever takes preferences takes them, too.
const SUBSCRIPTIONS: Traits = Traits(Traits::SUBSCRIBES_BILL.0 | Traits::SUBSCRIBES_BALANCE.0);
/// Traits that a person sets here; the rest is the archive's.
const SETTABLE: Traits = Traits(
    SUBSCRIPTIONS.0
        | Traits::DISPUTED.0
        | Traits::DEBIT_PENDING.0
        | Traits::PAUSED.0
        | Traits::DO_NOT_REMIND.0
        | Traits::CLOSED.0
        | Traits::ELDERLY.0
        | Traits::IMPORTANT.0,
);

/// Applies `body` to `account`: scope, then each right that it takes, then one commit with its audit note.
pub(crate) async fn patch(app: &App, caller: &Caller, account: &str, body: CustomerPatch) -> Result<(), Problem> {
    let account: AccountNumber = named(account)?;
    let (_, row) = look_up(app, caller, account, Action::CustomerRead)?;
    let mut changes = Vec::new();
    let mut done = Vec::new();
    if let Some(text) = &body.phone {
        caller.require(Action::ContactWrite)?;
        changes.push(phone_change(app, account, row.station, text, &body)?);
        done.push("phone".to_owned());
    }
    if let Some(suspended) = body.suspended {
        caller.require(Action::ContactWrite)?;
        changes.push(CustomerChange::Suspend(suspended));
        done.push(format!("suspended={suspended}"));
    }
    for (word, on) in &body.traits {
        let bits = Traits::from_word(word).filter(|b| SETTABLE.has(*b));
        let bits =
            bits.ok_or_else(|| Problem::field(format!("traits/{word}"), "there is no such trait that a person sets"))?;
        caller.require(if SUBSCRIPTIONS.has(bits) { Action::PreferenceWrite } else { Action::TraitWrite })?;
        changes.push(CustomerChange::Traits { bits, on: *on });
        done.push(format!("{word}={on}"));
        let silences = Traits::DO_NOT_REMIND | Traits::DISPUTED | Traits::PAUSED;
        if *on && silences.has(bits) && body.reason.as_deref().unwrap_or_default().trim().is_empty() {
            return Err(Problem::field("reason", format!("`{word}` silences reminders: say why (须填写原因)")));
        }
    }
    for (word, on) in &body.preferences {
        let bits = Preferences::from_word(word);
        let bits = bits.ok_or_else(|| Problem::field(format!("preferences/{word}"), "there is no such preference"))?;
        caller.require(Action::PreferenceWrite)?;
        changes.push(CustomerChange::Preferences { bits, on: *on });
        done.push(format!("{word}={on}"));
    }
    if changes.is_empty() {
        return Err(Problem::because(Code::Invalid, "nothing to change was given"));
    }
    let detail = serde_json::json!({ "changes": done, "reason": body.reason });
    let audit = note(&caller.name, "customer.change", account.to_string(), detail);
    app.state().change_customer(account, changes, Vec::new(), vec![audit]).await?;
    Ok(())
}

fn phone_change(
    app: &App,
    account: AccountNumber,
    station: OrgCode,
    text: &str,
    body: &CustomerPatch,
) -> Result<CustomerChange, Problem> {
    let source: ContactSource = match &body.contact_source {
        Some(word) => given("contact_source", word)?,
        None => {
            return Err(Problem::field("contact_source", "say who says so: counter, online, hotline, field, carrier"));
        }
    };
    let verified: Date = body.verified.as_deref().map(|d| given("verified", d)).transpose()?.unwrap_or(Date::NONE);
    // The same reading of numbers, segments and dates as for a row of the archive.
    let input = CustomerInput {
        account,
        station,
        section: None,
        name: None,
        phone: Some(text.to_owned()),
        contact_source: source,
        verified,
        traits: BTreeMap::new(),
        threshold_fen: None,
    };
    let read = input.into_row(&*app.conduct.segments()?, app.clock().today());
    let (row, _) = read.map_err(|r| Problem::field(r.field, r.reason.to_string()))?;
    let phone = row.phone.unwrap_or_default();
    if phone.class() == gridbell_model::PhoneClass::Bad {
        return Err(Problem::field("phone", "this is not a phone number (不是有效的电话号码)"));
    }
    Ok(CustomerChange::Phone { phone, source, verified_on: verified })
}

/// Erases name and numbers on the customer's demand. Account, money and what was said stay.
#[utoipa::path(delete, path = "/v1/customers/{account}/contact", tag = "customers", params(("account" = String, Path, description = "户号")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn erase_contact(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
) -> Result<StatusCode, Problem> {
    let account: AccountNumber = named(&account)?;
    look_up(&app, &caller, account, Action::Erase)?;
    let audit = note(&caller.name, "customer.erase", account.to_string(), serde_json::Value::Null);
    app.state().change_customer(account, vec![CustomerChange::Erase], Vec::new(), vec![audit]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A decision that became no message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct HeldView {
    /// The run.
    pub(crate) run: String,
    /// The policy.
    pub(crate) policy: String,
    /// What it was about.
    pub(crate) topic: WordView,
    /// When the run began.
    pub(crate) at: String,
    /// What the policy had decided, in the plugin's words.
    pub(crate) decided: Option<String>,
    /// Which guardrail held it.
    pub(crate) held: WordView,
}

/// Why this customer was told nothing: decisions about it that guardrails held, in the latest runs of its prefecture, newest first.
#[utoipa::path(get, path = "/v1/customers/{account}/held", tag = "customers", params(("account" = String, Path, description = "户号")),
    responses((status = 200, body = Page<HeldView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn held_decisions(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
) -> Result<axum::Json<Page<HeldView>>, Problem> {
    let (prefecture, row) = look_up(&app, &caller, named(&account)?, Action::CustomerRead)?;
    let items = held_of(&app, prefecture, row.row).await?;
    Ok(axum::Json(Page::whole(items)))
}

/// Held decisions about `row` in the latest [`MAX_RUNS_LOOKED`] runs: each costs one segment's read.
pub(crate) async fn held_of(app: &App, prefecture: PrefectureCode, row: u32) -> Result<Vec<HeldView>, Problem> {
    app.read(move |app| {
        let mut items = Vec::new();
        for run in app
            .state()
            .runs(None, MAX_RUNS_LOOKED, |r| r.prefecture == prefecture && !r.segments.is_empty() && r.is_occurrence())
        {
            // A customer with several payments has a decision for each, which may go on in the next segment.
            let (first, end) = (
                run.segments.partition_point(|s| s.first_row < row).saturating_sub(1),
                run.segments.partition_point(|s| s.first_row <= row),
            );
            let mut decisions = Vec::new();
            for segment in first..end {
                decisions.extend(app.state().decisions(run.id, u32::try_from(segment).unwrap_or(u32::MAX))?);
            }
            for decision in decisions.iter().filter(|d| d.row == row) {
                let Outcome::Held(reason) = decision.outcome else { continue };
                items.push(HeldView {
                    run: run.id.to_string(),
                    policy: run.policy.clone(),
                    topic: word!(run.topic),
                    at: run.started.to_string(),
                    decided: reason_titles(app, &run).get(usize::from(decision.reason)).cloned(),
                    held: word!(reason),
                });
            }
        }
        Ok(items)
    })
    .await
}
