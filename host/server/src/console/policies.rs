//! Policies and the form of their parameters: what would change is shown before it is saved.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use minijinja::context;

use super::form;
use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{ChangeAnswer, DryRun, apply_parameters, form_of, policy_of, visible_prefectures};
use crate::app::App;
use crate::extract::{At, Form};
use crate::problem::Problem;

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    session.caller.require(Action::PolicyRead)?;
    let prefectures = visible_prefectures(&app, &session.caller);
    Ok(app.pages.show(&app, &session, "policies.html", "/policies", context! { prefectures => data(&prefectures) }))
}

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    At((prefecture, policy)): At<(String, String)>,
) -> Result<Response, Problem> {
    page(&app, &session, (&prefecture, &policy), Shown::default())
}

#[derive(Default)]
struct Shown {
    /// What the form holds; the policy's own parameters when none.
    parameters: Option<serde_json::Value>,
    changes: Option<ChangeAnswer>,
    said: Option<Said>,
    /// The version that the form was made from.
    version: Option<u64>,
}

fn page(app: &App, session: &Session, at: (&str, &str), shown: Shown) -> Result<Response, Problem> {
    let (code, policy, version) = policy_of(app, &session.caller, at.0, at.1, Action::PolicyRead)?;
    let manifest = form_of(app, code, &policy);
    let present = serde_json::Value::Object(policy.parameters.clone());
    let parameters = shown.parameters.unwrap_or(present);
    let schema = manifest.as_ref().map(|m| m.parameters().clone()).unwrap_or_default();
    let org = app.org();
    let writes = session.caller.may(Action::PolicyWrite) && session.caller.scope.covers(&org, code.org());
    let windows: Vec<String> = policy.windows.iter().map(ToString::to_string).collect();
    let more = context! {
        prefecture => org.get(code.org()).map(|u| u.name.clone()),
        policy => context! { windows, ..data(&policy) },
        description => manifest.map(|m| m.description().to_owned()),
        fields => data(form::fields(&schema, &parameters)),
        pending => parameters.to_string(),
        changes => data(shown.changes.map(|c| c.changes)),
        said => data(shown.said),
        version => shown.version.unwrap_or(version),
        may => context! { write => writes },
    };
    Ok(app.pages.show(app, session, "policy.html", "/policies", more))
}

pub(super) async fn change(
    State(app): State<App>,
    session: Session,
    At((prefecture, name)): At<(String, String)>,
    Form(given): Form<BTreeMap<String, String>>,
) -> Result<Response, Problem> {
    let text = |key: &str| given.get(key).map(String::as_str).unwrap_or_default();
    session.check_csrf(text("csrf"))?;
    let at = (prefecture.as_str(), name.as_str());
    let version: Option<u64> = text("version").parse().ok();
    let (code, policy, _) = policy_of(&app, &session.caller, at.0, at.1, Action::PolicyWrite)?;
    let saves = text("act") == "save";
    let schema = form_of(&app, code, &policy).map(|m| m.parameters().clone()).unwrap_or_default();
    let present = serde_json::Value::Object(policy.parameters);
    let wanted = if saves {
        serde_json::from_str(text("json")).map_err(|e| Problem::field("json", e.to_string()))?
    } else {
        form::read(&schema, &present, &given)
    };
    let query = DryRun { dry_run: !saves, why: Some(text("why").to_owned()).filter(|w| !w.is_empty()), preview: None };
    let outcome = apply_parameters(&app, &session.caller, at, wanted.clone(), &query, version).await;
    let shown = match outcome {
        Ok(answer) if saves => {
            let said = match (answer.proposal, answer.needs) {
                (Some(id), Some(needs)) => format!("已提交审批（提案 {id}），须由{}同意后生效。", needs.chinese),
                _ => "没有变化。".to_owned(),
            };
            Shown { said: Some(Said::good(said)), ..Shown::default() }
        }
        Ok(changes) => Shown { parameters: Some(wanted), changes: Some(changes), version, ..Shown::default() },
        Err(problem) => {
            Shown { parameters: Some(wanted), said: Some(Said::problem(&problem)), version, ..Shown::default() }
        }
    };
    page(&app, &session, at, shown)
}
