//! Texts: all versions, a form with a live preview, approval by a second person.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use gridbell_contract::Notice;
use gridbell_model::{Channel, Topic};
use gridbell_planner::{HOST_PLACEHOLDERS, Template, TemplateStatus};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{ApprovalBody, TemplateBody, approve_template, preview_template, save_template};
use crate::app::App;
use crate::extract::{Form, Query, given, named};
use crate::problem::Problem;

fn notice_of(app: &App, topic: Topic, name: &str) -> Option<Notice> {
    let manifests = app.conduct.usable_manifests();
    let notices = manifests.iter().filter(|m| m.topic() == topic).flat_map(|m| m.notices());
    notices.into_iter().find(|n| n.name == name).cloned()
}

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    session.caller.require(Action::TemplateRead)?;
    Ok(list_page(&app, &session, None))
}

fn list_page(app: &App, session: &Session, said: Option<Said>) -> Response {
    let (set, _) = app.conduct.templates();
    let mut groups: BTreeMap<(Topic, &str, Channel), Vec<&Template>> = BTreeMap::new();
    for manifest in app.conduct.usable_manifests() {
        // A notice without a text is shown, too: somebody must write it.
        for notice in manifest.notices() {
            let known = set.templates.iter().find(|t| t.topic == manifest.topic() && t.notice == notice.name);
            if let Some(t) = known {
                groups.entry((t.topic, t.notice.as_str(), t.channel)).or_default();
            }
        }
    }
    for t in &set.templates {
        groups.entry((t.topic, t.notice.as_str(), t.channel)).or_default().push(t);
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|((topic, notice, channel), mut versions)| {
            versions.sort_by_key(|t| std::cmp::Reverse(t.version));
            let in_use = set.approved(topic, notice, channel).map(|t| t.version);
            let version = |t: &&Template| {
                let parts = app.conduct.preview(t).ok().map(|p| p.parts);
                context! { version => t.version, text => t.text.clone(), merged => t.merged.clone(), parts, approved => t.status == TemplateStatus::Approved, in_use => in_use == Some(t.version) }
            };
            let title = notice_of(app, topic, notice).map_or_else(|| notice.to_owned(), |n| n.title);
            context! {
                topic => topic.chinese(), topic_word => topic.word(), notice, notice_title => title,
                channel => channel.chinese(), channel_word => channel.word(),
                versions => versions.iter().map(version).collect::<Vec<_>>(),
            }
        })
        .collect();
    let may = context! { write => session.caller.may(Action::TemplateWrite), approve => session.caller.may(Action::TemplateApprove) };
    app.pages.show(app, session, "templates.html", "/templates", context! { groups, may, said => data(said) })
}

/// The form as it comes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Draft {
    #[serde(default, skip_serializing)]
    csrf: String,
    topic: String,
    notice: String,
    channel: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    omits: String,
    #[serde(default)]
    merged: String,
    #[serde(default, skip_serializing)]
    version: Option<u64>,
}

impl Draft {
    fn body(&self) -> TemplateBody {
        let cut = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、');
        TemplateBody {
            topic: self.topic.clone(),
            notice: self.notice.clone(),
            channel: self.channel.clone(),
            text: self.text.clone(),
            omits: self.omits.split(cut).filter(|w| !w.is_empty()).map(str::to_owned).collect(),
            merged: Some(self.merged.clone()),
        }
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    session: Session,
    Query(mut draft): Query<Draft>,
) -> Result<Response, Problem> {
    session.caller.require(Action::TemplateWrite)?;
    let (topic, channel): (Topic, Channel) = (named(&draft.topic)?, named(&draft.channel)?);
    let (set, _) = app.conduct.templates();
    let latest = set
        .templates
        .iter()
        .filter(|t| (t.topic, t.notice.as_str(), t.channel) == (topic, draft.notice.as_str(), channel));
    if let Some(latest) = latest.max_by_key(|t| t.version) {
        draft.text.clone_from(&latest.text);
        draft.omits = latest.omits.join("、");
        draft.merged = latest.merged.clone().unwrap_or_default();
    }
    edit_page(&app, &session, &draft, None)
}

fn edit_page(app: &App, session: &Session, draft: &Draft, said: Option<Said>) -> Result<Response, Problem> {
    let (topic, channel): (Topic, Channel) = (named(&draft.topic)?, named(&draft.channel)?);
    let notice = notice_of(app, topic, &draft.notice).ok_or_else(Problem::not_found)?;
    let unit_word = |unit: gridbell_contract::Unit| match unit {
        gridbell_contract::Unit::Fen => "金额（元）",
        gridbell_contract::Unit::Date => "日期",
        gridbell_contract::Unit::CivilMinute => "时间",
        gridbell_contract::Unit::Kwh => "电量（千瓦时）",
        gridbell_contract::Unit::Days => "天数",
        gridbell_contract::Unit::Count => "个数",
    };
    let own_names: Vec<&str> = [&notice.arg0, &notice.arg1].into_iter().flatten().map(|a| a.name.as_str()).collect();
    let own = [&notice.arg0, &notice.arg1]
        .into_iter()
        .flatten()
        .map(|a| context! { name => a.name.clone(), title => unit_word(a.unit) });
    let house = HOST_PLACEHOLDERS
        .iter()
        .filter(|p| p.is_for(topic) && !own_names.contains(&p.name))
        .map(|p| context! { name => p.name, title => p.title });
    let preview = preview_template(app, &session.caller, draft.body()).ok();
    let more = context! {
        topic => topic.chinese(), channel => channel.chinese(), notice_title => notice.title, form => data(draft), preview => data(preview), said => data(said),
        version => app.conduct.templates().1, may_merge => channel == Channel::Sms,
        placeholders => own.chain(house).collect::<Vec<Value>>(),
    };
    Ok(app.pages.show(app, session, "template-edit.html", "/templates", more))
}

pub(super) async fn save(
    State(app): State<App>,
    session: Session,
    Form(draft): Form<Draft>,
) -> Result<Response, Problem> {
    session.check_csrf(&draft.csrf)?;
    match save_template(&app, &session.caller, draft.body(), draft.version).await {
        Ok(_) => Ok(Redirect::to("/templates").into_response()),
        Err(problem) => edit_page(&app, &session, &draft, Some(Said::problem(&problem))),
    }
}

/// What the script asks while somebody types.
pub(super) async fn preview(
    State(app): State<App>,
    session: Session,
    Form(draft): Form<Draft>,
) -> Result<Response, Problem> {
    session.check_csrf(&draft.csrf)?;
    Ok(axum::Json(preview_template(&app, &session.caller, draft.body())?).into_response())
}

#[derive(Deserialize)]
pub(super) struct Approval {
    csrf: String,
    topic: String,
    notice: String,
    channel: String,
    version: String,
}

pub(super) async fn approve(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Approval>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let version = given("version", &form.version)?;
    let body = ApprovalBody { topic: form.topic, notice: form.notice, channel: form.channel, version };
    match approve_template(&app, &session.caller, body).await {
        Ok(()) => Ok(list_page(&app, &session, Some(Said::good("已审批启用。")))),
        Err(problem) => Ok(list_page(&app, &session, Some(Said::problem(&problem)))),
    }
}
