//! Notices on community screens: a list of them, one with its history, and the form that publishes or corrects one after it was shown.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use gridbell_screens::{Certainty, Kind, Severity, Urgency};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{
    NoticeBody, NoticeQuery, ScreenQuery, cancel_notice, correct_notice, notice_story, notice_views, publish_notice,
    screen_views, visible_prefectures,
};
use crate::app::App;
use crate::extract::{At, Form, Query};
use crate::problem::{Code, Problem};

/// Communities that the form offers to tick; more are named by their reading sections or transformers.
const MAX_OFFERED: usize = 400;
/// What a ticked community's field is called, before its key.
const AT: &str = "at:";

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    Query(query): Query<NoticeQuery>,
) -> Result<Response, Problem> {
    let page = notice_views(&app, &session.caller, &query)?;
    let screens = screen_views(&app, &session.caller, &ScreenQuery::default())?;
    let more = context! {
        notices => data(&page.items), next => page.next, screens => data(&screens.items), more_screens => screens.next.is_some(),
        may => context! { write => session.caller.may(Action::NoticeWrite) },
    };
    Ok(app.pages.show(&app, &session, "notices.html", "/notices", more))
}

/// A notice as the form says it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Draft {
    #[serde(default, skip_serializing)]
    csrf: String,
    #[serde(default)]
    prefecture: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    certainty: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    begins: String,
    #[serde(default)]
    ends: String,
    #[serde(default)]
    expires: String,
    #[serde(default)]
    sections: String,
    #[serde(default)]
    transformers: String,
    #[serde(default)]
    why: String,
    /// The revision that the form showed: text, since what is flattened beside it is read as text.
    #[serde(default)]
    revision: String,
    #[serde(default, skip_serializing)]
    act: String,
    /// Ticked communities, and whatever else a browser sends.
    #[serde(flatten)]
    ticked: BTreeMap<String, String>,
}

impl Draft {
    fn body(&self) -> Result<NoticeBody, Problem> {
        let moment = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let words = |text: &str| -> Vec<String> {
            text.split([',', '，', '、', ' ', '\n', '\r']).filter(|w| !w.is_empty()).map(str::to_owned).collect()
        };
        let section = |word: String| {
            word.parse().map_err(|_| Problem::field("sections", format!("`{word}` is no reading section's number")))
        };
        Ok(NoticeBody {
            prefecture: self.prefecture.parse().ok(),
            kind: self.kind.clone(),
            severity: self.severity.clone(),
            urgency: self.urgency.clone(),
            certainty: self.certainty.clone(),
            title: self.title.clone(),
            // Browsers end lines with two characters.
            body: self.body.replace('\r', ""),
            begins: moment(&self.begins),
            ends: moment(&self.ends),
            expires: self.expires.trim().to_owned(),
            communities: self.ticked.keys().filter_map(|name| name.strip_prefix(AT)).map(str::to_owned).collect(),
            transformers: words(&self.transformers),
            sections: words(&self.sections).into_iter().map(section).collect::<Result<_, _>>()?,
            origin: String::new(),
            why: self.why.clone(),
        })
    }
}

/// What the form offers: communities and the words of a notice.
fn offered(app: &App, session: &Session, form: &Draft) -> Value {
    let org = app.org();
    let scope = session.caller.scope;
    let communities: Vec<Value> = app.conduct.screens().book(|book| {
        let seen = book.communities().filter(|c| scope.touches(&org, c.key.prefecture()));
        let entry = |c: &gridbell_screens::Community| {
            let (key, name) = (c.key.to_string(), c.name.clone());
            let ticked = form.ticked.contains_key(&format!("{AT}{key}"));
            context! { key, name, ticked, screens => book.screens_of(&c.key).count() }
        };
        seen.take(MAX_OFFERED).map(entry).collect()
    });
    macro_rules! choice {
        ($of:ty, $name:literal, $label:literal, $chosen:expr) => {{
            let words: Vec<Value> =
                <$of>::ALL.iter().map(|w| context! { word => w.word(), chinese => w.chinese() }).collect();
            context! { name => $name, label => $label, words, chosen => $chosen }
        }};
    }
    let or = |given: &str, usual: &str| if given.is_empty() { usual.to_owned() } else { given.to_owned() };
    let choices = [
        choice!(Kind, "kind", "类别", form.kind.as_str()),
        choice!(Severity, "severity", "程度", form.severity.as_str()),
        choice!(Urgency, "urgency", "时间", or(&form.urgency, Urgency::Future.word())),
        choice!(Certainty, "certainty", "确定性", or(&form.certainty, Certainty::Likely.word())),
    ];
    let prefectures: Vec<Value> = visible_prefectures(app, &session.caller)
        .into_iter()
        .map(|p| context! { code => p.prefecture.code.to_string(), name => p.prefecture.name })
        .collect();
    context! { communities, prefectures, choices, form => data(form) }
}

pub(super) async fn draft(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    form_page(&app, &session, &Draft::default(), Value::UNDEFINED)
}

fn form_page(app: &App, session: &Session, form: &Draft, more: Value) -> Result<Response, Problem> {
    session.caller.require(Action::NoticeWrite)?;
    let more = context! { ..offered(app, session, form), ..more };
    Ok(app.pages.show(app, session, "notice-form.html", "/notices", more))
}

/// Shows what would be on the screens, or publishes it.
pub(super) async fn publish(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Draft>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let trial = form.act != "publish";
    let tried = match form.body() {
        Ok(body) => publish_notice(&app, &session.caller, &body, trial).await,
        Err(problem) => Err(problem),
    };
    match tried {
        Ok(shown) if trial => form_page(&app, &session, &form, context! { would => data(&shown) }),
        Ok(shown) => Ok(Redirect::to(&format!("/notices/{}", shown.notice)).into_response()),
        Err(problem) => form_again(&app, &session, &form, problem),
    }
}

fn form_again(app: &App, session: &Session, form: &Draft, problem: Problem) -> Result<Response, Problem> {
    if matches!(problem.code, Code::NotFound | Code::Forbidden) {
        return Err(problem);
    }
    form_page(app, session, form, context! { said => data(Said::problem(&problem)) })
}

pub(super) async fn show(State(app): State<App>, session: Session, At(id): At<String>) -> Result<Response, Problem> {
    page_of(&app, &session, &id, None, Value::UNDEFINED)
}

/// One notice, with the form that corrects it: as it says now, or as somebody was about to have it say.
fn page_of(app: &App, session: &Session, id: &str, form: Option<&Draft>, more: Value) -> Result<Response, Problem> {
    let (revision, story) = notice_story(app, &session.caller, id)?;
    let mut story = serde_json::to_value(story).map_err(|_| Problem::new(Code::Internal))?;
    let now = match form {
        Some(form) => form.clone(),
        None => as_it_says(&story["latest"], revision),
    };
    // A page names what was said in the end first.
    if let Some(revisions) = story["revisions"].as_array_mut() {
        revisions.reverse();
    }
    let may = context! { write => session.caller.may(Action::NoticeWrite) };
    let own = context! { n => data(&story), may };
    let more = context! { ..own, ..offered(app, session, &now), ..more };
    Ok(app.pages.show(app, session, "notice.html", "/notices", more))
}

fn as_it_says(latest: &serde_json::Value, revision: u32) -> Draft {
    let content = &latest["content"];
    let text = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
    let word = |name: &str| content[name]["word"].as_str().unwrap_or_default().to_owned();
    let places = latest["communities"].as_array().into_iter().flatten();
    Draft {
        kind: word("kind"),
        severity: word("severity"),
        urgency: word("urgency"),
        certainty: word("certainty"),
        title: text("title"),
        body: text("body"),
        begins: text("begins"),
        ends: text("ends"),
        expires: text("expires"),
        revision: revision.to_string(),
        ticked: places
            .filter_map(|p| p["community"].as_str())
            .map(|key| (format!("{AT}{key}"), "on".to_owned()))
            .collect(),
        ..Draft::default()
    }
}

/// Shows what a correction would say, or makes it.
pub(super) async fn correct(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<Draft>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let trial = form.act != "correct";
    let tried = match form.body() {
        Ok(body) => correct_notice(&app, &session.caller, &id, &body, form.revision.parse().ok(), trial).await,
        Err(problem) => Err(problem),
    };
    match tried {
        Ok(shown) if trial => page_of(&app, &session, &id, Some(&form), context! { would => data(&shown) }),
        Ok(_) => Ok(Redirect::to(&format!("/notices/{id}")).into_response()),
        Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => Err(problem),
        Err(problem) => page_of(&app, &session, &id, Some(&form), context! { said => data(Said::problem(&problem)) }),
    }
}

/// Why a notice is taken back.
#[derive(Deserialize)]
pub(super) struct Cancel {
    csrf: String,
    why: String,
    #[serde(default)]
    revision: Option<u32>,
}

pub(super) async fn cancel(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<Cancel>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match cancel_notice(&app, &session.caller, &id, &form.why, form.revision, false).await {
        Ok(_) => Ok(Redirect::to(&format!("/notices/{id}")).into_response()),
        Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => Err(problem),
        Err(problem) => page_of(&app, &session, &id, None, context! { said => data(Said::problem(&problem)) }),
    }
}
