//! Links to carriers and alarms: the province's own, seen by whoever sees the province.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::view::WordView;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::At;
use crate::problem::{Problem, ProblemBody};

/// A link as of now; rates and counts are in parts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinkView {
    /// Its name.
    pub(crate) name: String,
    /// What offices call it.
    pub(crate) title: String,
    /// What is spoken on it: `cmpp2`, `cmpp3`, `smgp3`, `sgip1`, or `http` for a platform.
    pub(crate) protocol: String,
    /// `connecting`, `up`, `held`, `stopped`, `draining`, `closed`.
    pub(crate) state: String,
    /// Connections that are up.
    pub(crate) connections: usize,
    /// The connections that its gateway opens to us, where its protocol has them (SGIP).
    pub(crate) reverse: Option<ReverseView>,
    /// Parts granted a second; 0 for no pacing.
    pub(crate) grant: u32,
    /// Parts written in the last whole second.
    pub(crate) rate: u64,
    /// What waits for it.
    pub(crate) backlog: BacklogView,
    /// Parts unanswered.
    pub(crate) window_used: usize,
    /// Parts that may be.
    pub(crate) window: usize,
    /// Parts written since it started.
    pub(crate) sent: u64,
    /// Parts accepted.
    pub(crate) accepted: u64,
    /// Parts refused.
    pub(crate) refused: u64,
    /// Reports taken.
    pub(crate) reports: u64,
    /// Inbound messages taken.
    pub(crate) inbound: u64,
    /// How often the other side did what it should not since it started, by kind; `call-refused` are callbacks that proved nothing.
    pub(crate) anomalies: BTreeMap<String, u64>,
    /// The last failure in a sentence.
    pub(crate) last_error: Option<String>,
    /// What a person should know of it, oldest first; cleared by what it is about coming right, or by letting the link go on.
    pub(crate) alarms: Vec<LinkAlarmView>,
}

/// What waits in the queues that a link takes from; links of one carrier share it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BacklogView {
    /// Urgent messages.
    pub(crate) urgent: u64,
    /// All others, those whose time has not come too.
    pub(crate) bulk: u64,
    /// Parts of all of them.
    pub(crate) parts: u64,
    /// When the last of them will have left at what is granted, or without a grant at the present rate; none where nothing waits, or nothing goes.
    /// Hours in which nothing may be sent are not counted.
    pub(crate) clears_at: Option<String>,
}

/// Connections that a gateway opens to bring reports and inbound messages.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReverseView {
    /// Those that are up; it closes them when it has nothing to bring.
    pub(crate) connections: usize,
    /// How often it called and was let in since the link started.
    pub(crate) calls: u64,
    /// When it was last let in.
    pub(crate) last: Option<String>,
}

/// Something that a person should know of a link.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinkAlarmView {
    /// `login-refused`, `gateway-not-genuine`, `submits-refused`, `our-fault`, `unreachable`, `not-called`, `quota-used`, `outbox-failing`, `defect`.
    pub(crate) kind: WordView,
    /// The gateway's status or result, where it gave one.
    pub(crate) code: Option<u32>,
    /// Since when.
    pub(crate) since: String,
    /// How often since.
    pub(crate) count: u64,
}

fn alarm(a: crate::conduct::LinkAlarm) -> LinkAlarmView {
    let chinese = match a.kind.as_str() {
        "login-refused" => "网关拒绝登录",
        "gateway-not-genuine" => "网关身份不实",
        "submits-refused" => "网关拒绝提交",
        "our-fault" => "网关认为我方报文有误",
        "unreachable" => "无法连接网关",
        "not-called" => "网关未回连，收不到回执",
        "quota-used" => "当日额度已用完，改走下一通道",
        "outbox-failing" => "无法落盘，已停止发送",
        "defect" => "程序缺陷，已重新连接",
        _ => "未知",
    };
    let kind = WordView { word: a.kind, chinese: chinese.to_owned() };
    LinkAlarmView { kind, code: a.code, since: a.since.to_string(), count: a.count }
}

/// The links, for whoever may see them.
pub(crate) fn links(app: &App, caller: &Caller) -> Result<Vec<LinkView>, Problem> {
    caller.at_province(&app.org(), Action::LinkRead)?;
    let view = |l: crate::conduct::LinkEntry| LinkView {
        name: l.name,
        title: l.title,
        protocol: l.protocol,
        state: l.state,
        connections: l.connections,
        reverse: l.reverse.map(|r| ReverseView {
            connections: r.connections,
            calls: r.calls,
            last: r.last.map(|at| at.to_string()),
        }),
        grant: l.grant,
        rate: l.rate,
        backlog: BacklogView {
            urgent: l.backlog.urgent,
            bulk: l.backlog.bulk,
            parts: l.backlog.parts,
            clears_at: l.backlog.clears_at.map(|at| at.to_string()),
        },
        window_used: l.window_used,
        window: l.window,
        sent: l.sent,
        accepted: l.accepted,
        refused: l.refused,
        reports: l.reports,
        inbound: l.inbound,
        anomalies: l.anomalies.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
        last_error: l.last_error,
        alarms: l.alarms.into_iter().map(alarm).collect(),
    };
    Ok(app.conduct.links().into_iter().map(view).collect())
}

/// The links with their pace against their grant.
#[utoipa::path(get, path = "/v1/links", tag = "links", responses((status = 200, body = Page<LinkView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_links(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page<LinkView>>, Problem> {
    Ok(axum::Json(Page::whole(links(&app, &caller)?)))
}

async fn hold(app: &App, caller: &Caller, link: String, held: bool) -> Result<StatusCode, Problem> {
    caller.at_province(&app.org(), Action::LinkControl)?;
    app.conduct.hold_link(link, held, caller.name.clone()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Holds a link: it stays connected and takes reports, and sends nothing.
#[utoipa::path(put, path = "/v1/links/{link}/hold", tag = "links", params(("link" = String, Path, description = "its name")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn hold_link(
    State(app): State<App>,
    caller: Caller,
    At(link): At<String>,
) -> Result<StatusCode, Problem> {
    hold(&app, &caller, link, true).await
}

/// Lets a held or stopped link go on, and clears its alarms.
#[utoipa::path(delete, path = "/v1/links/{link}/hold", tag = "links", params(("link" = String, Path, description = "its name")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn resume_link(
    State(app): State<App>,
    caller: Caller,
    At(link): At<String>,
) -> Result<StatusCode, Problem> {
    hold(&app, &caller, link, false).await
}

/// Something that a person should know of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AlarmView {
    /// Stable word, dotted.
    pub(crate) code: String,
    /// What it is about.
    pub(crate) subject: String,
    /// What happened and what to do.
    pub(crate) text: String,
    /// Since when.
    pub(crate) since: String,
    /// How often since.
    pub(crate) count: u64,
}

/// What a person should know of, oldest first.
#[utoipa::path(get, path = "/v1/alarms", tag = "links", responses((status = 200, body = Page<AlarmView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_alarms(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<AlarmView>>, Problem> {
    caller.at_province(&app.org(), Action::LinkRead)?;
    let view = |a: crate::conduct::AlarmEntry| AlarmView {
        code: a.code,
        subject: a.subject,
        text: a.text,
        since: a.since.to_string(),
        count: a.count,
    };
    Ok(axum::Json(Page::whole(app.conduct.alarms().into_iter().map(view).collect())))
}
