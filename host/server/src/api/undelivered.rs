//! The daily list of subscriptions that were due and did not come (N32), with the reason of each.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{MAX_UNDELIVERED, Undelivered, UndeliveredQuery};
use gridbell_model::{CustomerView, Date, PrefectureCode, Topic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::{Page, Pair, cursor, limit};
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{Query, given};
use crate::problem::{Problem, ProblemBody};

/// Which list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UndeliveredParams {
    /// The prefecture's code: 140100.
    pub(crate) prefecture: u32,
    /// The day on which it was due: 2026-11-21; today if left out.
    #[serde(default)]
    pub(crate) day: Option<String>,
    /// Only of this topic: `bill-notice`, `balance-warning`.
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// `json` or `csv`. A table has at most 10 000 lines and says in its last one where the next begins.
    #[serde(default)]
    pub(crate) format: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out. Of a table all that it may have.
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

/// A subscriber who should have been told and was not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UndeliveredView {
    /// 户号
    pub(crate) account: String,
    /// The station.
    pub(crate) station: UnitRef,
    /// What was due.
    pub(crate) topic: WordView,
    /// Why it did not come: `held`, a message's state, `not-decided`, `no-policy`; in Chinese with the reason.
    pub(crate) why: WordView,
    /// The run that decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) run: Option<String>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) message: Option<String>,
}

/// One page of the list, with as many entries as `most`.
pub(crate) async fn undelivered(
    app: &App,
    caller: &Caller,
    params: &UndeliveredParams,
    most: usize,
) -> Result<Page<UndeliveredView>, Problem> {
    let day = params.day.as_deref().filter(|d| !d.is_empty());
    let day: Date = day.map_or(Ok(app.clock().today()), |d| given("day", d))?;
    let topic: Option<Topic> =
        params.topic.as_deref().filter(|t| !t.is_empty()).map(|t| given("topic", t)).transpose()?;
    let after = match cursor::<Pair>(params.cursor.as_deref())? {
        Some(Pair(row, topic)) => {
            let topic = u8::try_from(topic).ok().and_then(Topic::from_code);
            u32::try_from(row).ok().zip(topic)
        }
        None => None,
    };
    let prefecture = PrefectureCode(params.prefecture);
    caller.require(Action::MessageRead)?;
    let (who, org, tree) = (caller.clone(), app.org(), app.org());
    let covers = move |view: &CustomerView| who.at(&tree, view.station, Action::MessageRead).is_ok();
    let query = UndeliveredQuery { prefecture, day, topic, after, limit: most + 1 };
    let found = app.conduct.undelivered(query, Box::new(covers)).await?;
    let page = Page::cut(found, most, |u| Pair(u64::from(u.row), u64::from(u.topic as u8)).to_string());
    Ok(page.map(|u: Undelivered| UndeliveredView {
        account: u.account.to_string(),
        station: UnitRef::of(&org, u.view.station),
        topic: word!(u.topic),
        why: WordView { word: u.why.word().to_owned(), chinese: u.why.chinese() },
        run: u.run.map(|r| r.to_string()),
        message: u.message.map(|m| m.to_string()),
    }))
}

/// Subscribers who should have been told something on a day and were not, each with the reason: held by a check, failed, expired, cancelled, on its
/// way still, or decided by no run. `format=csv` gives a table for a spreadsheet.
#[utoipa::path(get, path = "/v1/undelivered", tag = "messages", params(UndeliveredParams),
    responses((status = 200, body = Page<UndeliveredView>), (status = 200, description = "with `format=csv`", content_type = "text/csv", body = String), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_undelivered(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query<UndeliveredParams>,
) -> Result<Response, Problem> {
    match params.format.as_deref().unwrap_or("json") {
        "json" => {
            let most = limit(params.limit)?;
            Ok(axum::Json(undelivered(&app, &caller, &params, most).await?).into_response())
        }
        "csv" => Ok(csv(&undelivered(&app, &caller, &params, MAX_UNDELIVERED - 1).await?)),
        _ => Err(Problem::field("format", "use json or csv")),
    }
}

/// The list as a table: UTF-8 with its mark, so that an office's spreadsheet shows the Chinese.
pub(crate) fn csv(page: &Page<UndeliveredView>) -> Response {
    let mut text = String::from("\u{feff}户号,供电所编码,供电所,主题,原因,说明,执行批次,消息\r\n");
    for u in &page.items {
        let cells = [
            &*u.account,
            &u.station.code.to_string(),
            &super::statistics::quoted(&u.station.name),
            &u.topic.chinese,
            &u.why.word,
            &super::statistics::quoted(&u.why.chinese),
            u.run.as_deref().unwrap_or_default(),
            u.message.as_deref().unwrap_or_default(),
        ]
        .join(",");
        text.push_str(&cells);
        text.push_str("\r\n");
    }
    if let Some(next) = &page.next {
        text.push_str(&format!("#,还有更多：请用 cursor={next} 继续\r\n"));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"gridbell-undelivered.csv\""),
    ];
    (headers, text).into_response()
}
