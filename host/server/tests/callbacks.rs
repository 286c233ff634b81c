//! `/callbacks/{account}`: open to everybody, since platforms sign what they post, and bounded for everybody.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use axum::body::Body;
use axum::http::Request;
use gridbell_conductor::MAX_CALLBACK;
use support::{Desk, stand};

async fn post(desk: &Desk, path: &str, body: impl Into<Body>) -> support::Answer {
    let request = Request::builder().method("POST").uri(path).header("X-Sign", "abc").body(body.into()).unwrap();
    desk.send(request).await
}

#[tokio::test]
async fn a_platform_needs_no_token_and_gets_its_accounts_answer() {
    let stand = stand(3).await;
    let desk = Desk::of(&stand);
    let answer = desk.get("", "/callbacks/wechat?signed&echostr=1").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "GET  0"));
    let answer = post(&desk, "/callbacks/wechat?signed", "<xml/>").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "POST abc 6"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    for (path, status) in
        [("/callbacks/wechat", 403), ("/callbacks/other?signed", 404), ("/callbacks/", 404), ("/callbacks/a/b", 404)]
    {
        assert_eq!(post(&desk, path, "x").await.status, status, "{path}");
    }
    assert_eq!(desk.ask("", "PUT", "/callbacks/wechat?signed", None, &[]).await.status, 405);
    // Routes, never what they were asked with.
    let metrics = desk.get("", "/metrics").await.text;
    assert!(metrics.contains("route=\"/callbacks/{account}\",status=\"403\"") && !metrics.contains("echostr"));
    assert!(metrics.contains("gridbell_link_anomalies_total{link=\"mobile\",kind=\"call-refused\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let stand = stand(3).await;
    let desk = Desk::of(&stand);
    let answer = post(&desk, "/callbacks/wechat?signed", vec![b'x'; MAX_CALLBACK]).await;
    assert_eq!((answer.status.as_u16(), answer.text), (200, format!("POST abc {MAX_CALLBACK}")));
    // One that never ends is refused all the same.
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
    assert_eq!(post(&desk, "/callbacks/wechat?signed", Body::from_stream(endless)).await.status, 413);
}
