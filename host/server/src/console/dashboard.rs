//! Today at a glance, kept up to date over server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use gridbell_model::{PrefectureCode, RunId};
use minijinja::{Value, context};

use super::page::data;
use crate::access::{Action, Caller, Session};
use crate::api::{RunView, link_views, visible_prefectures, visible_stops};
use crate::app::App;
use crate::problem::{Code, Problem};

/// The shortest time between two updates of a live view.
pub(super) const LIVE_PACE: Duration = Duration::from_secs(1);
/// The longest: links change without a change of the state.
const LIVE_IDLE: Duration = Duration::from_secs(3);
/// Runs of a day that are shown at most.
const MAX_RUNS: usize = 500;

pub(super) async fn show(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    if !session.caller.may(Action::RunRead) {
        // 95598 agents have no dashboard: their work begins with a customer.
        return Ok(Redirect::to("/lookup").into_response());
    }
    let today = app.clock().today();
    const WEEKDAYS: [&str; 7] = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"];
    let weekday = WEEKDAYS.get(today.weekday() as usize).copied().unwrap_or_default();
    let body = body_of(&app, session.caller.clone()).await?;
    let more = context! { today => today.to_string(), weekday, ..body };
    Ok(app.pages.show(&app, &session, "dashboard.html", "/", more))
}

async fn body_of(app: &App, caller: Caller) -> Result<Value, Problem> {
    app.read(move |app| Ok(body(app, &caller))).await
}

fn body(app: &App, caller: &Caller) -> Value {
    let org = app.org();
    let today = app.clock().today();
    let sees = |p: PrefectureCode| caller.scope.covers(&org, p.org());
    let runs = app.state().runs(None::<RunId>, MAX_RUNS, |r| r.started.date() == today && sees(r.prefecture));
    let visible = visible_prefectures(app, caller);
    let prefectures: Vec<Value> = visible
        .iter()
        .map(|p| {
            let mut of_it: Vec<_> = runs.iter().filter(|r| r.prefecture.0 == p.prefecture.code).collect();
            of_it.reverse();
            let lines = of_it.into_iter().map(|r| {
                let title = p
                    .policies
                    .iter()
                    .find(|l| l.name == r.policy)
                    .map_or_else(|| r.policy.clone(), |l| l.title.clone());
                let view = RunView::of(&org, r);
                context! { policy_title => title, ..data(view) }
            });
            context! { name => p.prefecture.name.clone(), customers => p.customers, runs => lines.collect::<Vec<_>>() }
        })
        .collect();
    context! {
        prefectures,
        tiles => tiles(app, caller),
        links => data(link_views(app, caller).ok()),
        stops => data(visible_stops(app, caller).unwrap_or_default()),
        alarms => alarms(app, caller),
    }
}

fn tiles(app: &App, caller: &Caller) -> Vec<Value> {
    let (org, day) = (app.org(), app.clock().today());
    let mut sum = [0u64; 6];
    for (key, c) in app.state().stats(day, day) {
        if caller.scope.covers(&org, key.station) {
            for (into, n) in sum.iter_mut().zip([c.queued, c.submitted, c.delivered, c.failed, c.expired, c.cancelled])
            {
                *into += n;
            }
        }
    }
    let [queued, submitted, delivered, failed, expired, cancelled] = sum;
    // Those that were accepted and those that ended otherwise no longer wait.
    let waiting = queued.saturating_sub(submitted.max(delivered + failed) + expired + cancelled);
    let tile = |title, count: u64, kind| context! { title, count, kind => if count > 0 { kind } else { "" } };
    vec![
        tile("生成", queued, ""),
        tile("待发", waiting, ""),
        tile("已提交", submitted, ""),
        tile("已送达", delivered, "good"),
        tile("失败", failed, "bad"),
        tile("过期", expired, "warn"),
        tile("取消", cancelled, "warn"),
    ]
}

fn alarms(app: &App, caller: &Caller) -> Vec<Value> {
    if caller.at_province(&app.org(), Action::LinkRead).is_err() {
        return Vec::new();
    }
    let view = |a: crate::conduct::AlarmEntry| context! { subject => a.subject, text => a.text, since => a.since.to_string(), count => a.count };
    app.conduct.alarms().into_iter().map(view).collect()
}

/// The dashboard's body again and again: at once, then when something changed, at most once in [`LIVE_PACE`].
pub(super) async fn live(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    session.caller.require(Action::RunRead)?;
    let Ok(slot) = app.live_views.clone().try_acquire_owned() else {
        return Err(Problem { retry_after_s: Some(30), ..Problem::new(Code::Busy) });
    };
    let start = (app.clone(), session.caller, app.state().changed(), slot, String::new(), true);
    let events = stream::unfold(start, |(app, caller, mut changed, slot, mut last, mut first)| async move {
        loop {
            if !first {
                let clock = app.clock().clone();
                let wait = async {
                    clock.sleep(LIVE_PACE).await;
                    tokio::select! {
                        _ = changed.changed() => {}
                        () = clock.sleep(LIVE_IDLE) => {}
                    }
                };
                tokio::select! {
                    () = wait => {}
                    () = app.closing.cancelled() => return None,
                }
            }
            first = false;
            let body = body_of(&app, caller.clone()).await.ok()?;
            let html = app.pages.piece("dashboard-body.html", body).ok()?;
            // Nothing new is not sent: a quiet night costs nothing but the look.
            if html != last {
                last.clone_from(&html);
                let event = Event::default().event("dashboard").data(html);
                return Some((Ok::<_, Infallible>(event), (app, caller, changed, slot, last, false)));
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}
