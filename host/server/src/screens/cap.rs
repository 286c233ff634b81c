//! The feed of a community and the alerts that it names, for a television station's player: public, bounded, and cheap to ask again.

use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridbell_cap::{ALERT_TYPE, Entry, FEED_TYPE, Feed};
use gridbell_model::Moment;
use gridbell_screens::{AlertName, CommunityKey, Notice, Said};

use super::{address, has};
use crate::access::fingerprint;
use crate::app::App;
use crate::extract::{At, named};
use crate::problem::Problem;

/// How long a feed may be kept on the way, in seconds: a correction must not wait for a cache.
const FEED_AGE: &str = "public, max-age=15";
/// An alert never changes.
const ALERT_AGE: &str = "public, max-age=3600";

/// `GET /cap/140100-jinxiu.atom`
pub(super) async fn feed(
    State(app): State<App>,
    headers: HeaderMap,
    At(file): At<String>,
) -> Result<Response, Problem> {
    let key: CommunityKey = named(file.strip_suffix(".atom").ok_or_else(Problem::not_found)?)?;
    let screens = app.conduct.screens();
    let now = app.clock().now();
    let author = screens.author(key.prefecture());
    let entry = |n: &std::sync::Arc<Notice>| {
        let said = n.last_said(&key, now)?;
        let path = format!("/cap/alerts/{}.xml", n.alert_name(said));
        Some(Entry { alert: n.alert(said, &author)?, address: address(&app, &headers, &path) })
    };
    let read = screens.book(|book| {
        let community = book.community(&key)?;
        let changes = book.said_in(&key).map(|n| n.changed_at().max(ended(n, now)));
        Some((community.name.clone(), changes.max(), book.said_in(&key).filter_map(entry).collect()))
    });
    let (name, changed, entries) = read.ok_or_else(Problem::not_found)?;
    let updated = changed.unwrap_or_default();
    let feed = Feed {
        address: address(&app, &headers, &format!("/cap/{key}.atom")),
        title: format!("{name} 用电公告"),
        author,
        updated,
        entries,
    };
    let xml = feed.xml(now).map_err(|e| Problem::internal(&e))?;
    Ok(document(&headers, xml, FEED_TYPE, FEED_AGE, updated))
}

/// When a notice came down, if it has.
fn ended(notice: &Notice, now: Moment) -> Moment {
    Some(notice.ended_at()).filter(|at| *at <= now).unwrap_or_default()
}

/// `GET /cap/alerts/140100-N00000012-r3.xml`
pub(super) async fn alert(
    State(app): State<App>,
    headers: HeaderMap,
    At(file): At<String>,
) -> Result<Response, Problem> {
    let name: AlertName = named(file.strip_suffix(".xml").ok_or_else(Problem::not_found)?)?;
    let screens = app.conduct.screens();
    let notice = screens.book(|book| book.notice(name.notice).cloned());
    let notice = notice.filter(|n| n.prefecture == name.prefecture).ok_or_else(Problem::not_found)?;
    let now = app.clock().now();
    let over = name.said != Said::Over || notice.ended_at() <= now;
    let alert = notice.alert(name.said, &screens.author(name.prefecture)).filter(|_| over);
    let alert = alert.ok_or_else(Problem::not_found)?;
    let xml = alert.xml().map_err(|e| Problem::internal(&e))?;
    Ok(document(&headers, xml, ALERT_TYPE, ALERT_AGE, alert.reference.sent))
}

/// A document with what its reader needs to ask again cheaply, or that it has it.
fn document(headers: &HeaderMap, xml: String, media: &'static str, age: &'static str, changed: Moment) -> Response {
    let etag = format!("\"{}\"", &fingerprint(&xml)[..32]);
    let modified = http_date(changed);
    let known = match headers.get(header::IF_NONE_MATCH) {
        Some(_) => has(headers, &etag),
        None => headers.get(header::IF_MODIFIED_SINCE).is_some_and(|v| v.as_bytes() == modified.as_bytes()),
    };
    let about = [(header::ETAG, etag), (header::LAST_MODIFIED, modified), (header::CACHE_CONTROL, age.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let media = format!("{media}; charset=utf-8");
    let media = HeaderValue::from_str(&media).unwrap_or(HeaderValue::from_static("application/xml"));
    (about, [(header::CONTENT_TYPE, media)], xml).into_response()
}

/// `Sun, 22 Nov 2026 09:30:00 GMT` (RFC 9110, 5.6.7); the epoch for a moment before it.
fn http_date(moment: Moment) -> String {
    let since = Duration::from_millis(u64::try_from(moment.unix_ms()).unwrap_or(0));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        for (ms, text) in [
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_795_305_600_999, "Sun, 22 Nov 2026 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(Moment::from_unix_ms(ms)), text);
        }
    }
}
