//! Prometheus' text exposition. Labels are routes, states, topics and link names: nothing personal, and few of each.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridbell_model::{MessageState, Topic};
use parking_lot::Mutex;

use crate::app::App;
use crate::problem::Problem;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// What the server counts itself.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<(String, String, u16), Series>>);

#[derive(Clone, Copy, Default)]
struct Series {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // Only methods of the API: anybody may invent others, and each would be a series for ever.
        let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
        let method = if known.contains(method) { method.as_str() } else { "OTHER" };
        let mut all = self.0.lock();
        let series = all.entry((method.to_owned(), route.to_owned(), status.as_u16())).or_default();
        let seconds = took.as_secs_f64();
        for (bound, count) in BUCKETS.iter().zip(&mut series.buckets) {
            *count += u64::from(seconds <= *bound);
        }
        series.count += 1;
        series.seconds += seconds;
    }

    fn write(&self, out: &mut Exposition) {
        out.family("gridbell_http_request_duration_seconds", "histogram", "Time to answer a request.");
        for ((method, route, status), s) in self.0.lock().iter() {
            let labels = format!("method=\"{method}\",route=\"{}\",status=\"{status}\"", escape(route));
            for (bound, count) in BUCKETS.iter().zip(s.buckets) {
                out.line("_bucket", &format!("{labels},le=\"{bound}\""), count);
            }
            out.line("_bucket", &format!("{labels},le=\"+Inf\""), s.count);
            out.line("_sum", &labels, s.seconds);
            out.line("_count", &labels, s.count);
        }
    }
}

#[derive(Default)]
struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, suffix: &str, labels: &str, value: impl std::fmt::Display) {
        let name = self.name;
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name}{suffix} {value}")
        } else {
            writeln!(self.text, "{name}{suffix}{{{labels}}} {value}")
        };
    }

    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.line("", "", value);
    }
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.read(|app| Ok(exposition(app))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn exposition(app: &App) -> String {
    let mut out = Exposition::default();
    let state = app.state();
    out.family("gridbell_build_info", "gauge", "The version that runs.");
    out.line("", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    out.one("gridbell_ready", "gauge", "Whether the host takes and sends.", u8::from(app.conduct.ready().is_ok()));
    out.one("gridbell_state_sequence", "counter", "Groups of changes made visible.", state.seq());
    out.one("gridbell_column_bytes", "gauge", "Memory of the customers' columns.", state.column_bytes());
    out.family("gridbell_customers", "gauge", "Customers by prefecture.");
    for (code, rows) in state.prefectures() {
        out.line("", &format!("prefecture=\"{code}\""), rows);
    }
    outbox(&mut out, app);
    today(&mut out, app);
    links(&mut out, app);
    out.one("gridbell_alarms", "gauge", "Alarms raised.", app.conduct.alarms().len());
    out.one("gridbell_stops", "gauge", "Emergency stops in force.", app.conduct.stops().len());
    ported(&mut out, app);
    archives(&mut out, app);
    history(&mut out, app);
    app.metrics.write(&mut out);
    out.text
}

fn ported(out: &mut Exposition, app: &App) {
    let ported = app.state().ported();
    out.family("gridbell_ported_numbers", "gauge", "Numbers known to be with another carrier than their segment's.");
    for count in ported.counts() {
        let carrier = count.carrier.map_or("unknown", |c| c.word());
        out.line("", &format!("carrier=\"{carrier}\",source=\"{}\"", count.source.word()), count.numbers);
    }
    out.one("gridbell_ported_bytes", "gauge", "Memory of what is known of ported numbers.", ported.bytes());
}

fn archives(out: &mut Exposition, app: &App) {
    let head = app.state().archive_head();
    out.one("gridbell_archive_files", "counter", "Archives that records left for.", head.file);
    let since = head.at.unix_ms() as f64 / 1000.0;
    out.one(
        "gridbell_archive_last_seconds",
        "gauge",
        "When records last left, seconds since 1970; 0 for never.",
        since,
    );
    out.family("gridbell_archived_records_total", "counter", "Records that left for the archives.");
    let counts =
        [("decision", head.decisions), ("run", head.runs), ("inbound", head.replies), ("audit", head.audit_entries)];
    for (kind, n) in counts {
        out.line("", &format!("kind=\"{kind}\""), n);
    }
}

fn history(out: &mut Exposition, app: &App) {
    let Some(history) = app.state().history() else { return };
    out.one(
        "gridbell_history_bytes",
        "gauge",
        "Files from which states of the past are rebuilt.",
        history.head.bytes(),
    );
    let oldest = history.head.bases.first().map_or(0, |b| b.last);
    out.one("gridbell_history_oldest_sequence", "gauge", "The first sequence that can be rebuilt.", oldest);
    let failed = u8::from(history.failure.is_some());
    out.one("gridbell_history_failing", "gauge", "Whether the last checkpoint could not write the history.", failed);
}

fn outbox(out: &mut Exposition, app: &App) {
    let depth = app.state().depth();
    out.family("gridbell_outbox_messages", "gauge", "Messages in memory by state.");
    for state in MessageState::ALL {
        let count = depth.by_state.get(state).copied().unwrap_or(0);
        out.line("", &format!("state=\"{state}\""), count);
    }
    out.family("gridbell_outbox_waiting", "gauge", "Messages waiting by queue and lane.");
    for (queue, (urgent, bulk)) in &depth.waiting {
        out.line("", &format!("queue=\"{queue}\",lane=\"urgent\""), urgent);
        out.line("", &format!("queue=\"{queue}\",lane=\"bulk\""), bulk);
    }
    let awaited = app.state().awaiting_hops();
    out.one("gridbell_hops_awaited", "gauge", "Messages whose route goes on where they do not come.", awaited);
    out.one("gridbell_parked_reports", "gauge", "Reports that wait for their answer.", depth.parked);
    out.one(
        "gridbell_parked_reports_dropped_total",
        "counter",
        "Reports dropped because too many waited.",
        depth.parked_dropped,
    );
}

fn today(out: &mut Exposition, app: &App) {
    let day = app.clock().today();
    let mut by_topic: BTreeMap<Topic, [u64; 6]> = BTreeMap::new();
    for (key, c) in app.state().stats(day, day) {
        let sum = by_topic.entry(key.topic).or_default();
        for (into, n) in sum.iter_mut().zip([c.queued, c.submitted, c.delivered, c.failed, c.expired, c.cancelled]) {
            *into += n;
        }
    }
    out.family("gridbell_messages_today", "gauge", "Messages of the civil day by topic and step.");
    for (topic, counts) in by_topic {
        for (step, n) in ["queued", "submitted", "delivered", "failed", "expired", "cancelled"].iter().zip(counts) {
            out.line("", &format!("topic=\"{topic}\",step=\"{step}\""), n);
        }
    }
}

fn links(out: &mut Exposition, app: &App) {
    let links = app.conduct.links();
    type Read = fn(&crate::conduct::LinkEntry) -> u64;
    let families: [(&'static str, &str, &str, Read); 9] = [
        ("gridbell_link_up", "gauge", "Whether the link sends.", |l| u64::from(l.state == "up")),
        ("gridbell_link_grant_parts_per_second", "gauge", "Parts granted a second, 0 for no pacing.", |l| {
            u64::from(l.grant)
        }),
        ("gridbell_link_rate_parts_per_second", "gauge", "Parts written in the last whole second.", |l| l.rate),
        ("gridbell_link_backlog_parts", "gauge", "Parts waiting in the queues that it takes from.", |l| {
            l.backlog.parts
        }),
        ("gridbell_link_window_used", "gauge", "Parts unanswered.", |l| l.window_used as u64),
        ("gridbell_link_sent_parts_total", "counter", "Parts written.", |l| l.sent),
        ("gridbell_link_accepted_parts_total", "counter", "Parts accepted.", |l| l.accepted),
        ("gridbell_link_refused_parts_total", "counter", "Parts refused.", |l| l.refused),
        ("gridbell_link_reports_total", "counter", "Reports taken.", |l| l.reports),
    ];
    for (name, kind, help, read) in families {
        out.family(name, kind, help);
        for link in &links {
            out.line("", &format!("link=\"{}\"", escape(&link.name)), read(link));
        }
    }
    out.family("gridbell_link_anomalies_total", "counter", "What the other side should not do, by kind.");
    for link in &links {
        for (kind, count) in &link.anomalies {
            out.line("", &format!("link=\"{}\",kind=\"{kind}\"", escape(&link.name)), count);
        }
    }
}
