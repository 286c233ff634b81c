//! The conductor's host as the server's [`Conduct`]: words change here, nothing else does.

use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_conductor::{
    ArchiveKind, ArchiveSearch, ArchivedRecord, BackupFile, Backups, Extent, Host, HostError, Imports,
    IncomingCallback, IntoFact, LinkBacklog, LinkState, LinkStatus, Outages, PolicyPreview, PreviewProgress,
    PreviewRequest, ProvinceOutcome, ProvinceProposal, RunRequest, RunSummary, Screens, StopMode,
};
use gridbell_model::{Channel, HoldReason, PrefectureCode, RunId, Segments, Topic};
use gridbell_planner::{
    PlannerError, PolicyFile, PolicySet, Problems, ProvinceRules, RunScope, Template, TemplateSet, TextPlan,
};
use gridbell_state::{AuditNote, FactOutcome, Facts, Outcome, RunStatus, State, StateError};

use crate::conduct::{
    AlarmEntry, Answering, ArchiveHit, ArchiveQuery, Backlog, Conduct, ConductError, LinkAlarm, LinkEntry,
    ParameterChange, Pending, PolicyOutcome, PolicyProposal, Recalled, ReverseEntry, Rows, RunOrder, RunReport, Stop,
};

/// Accounts that a run's report names as examples.
const MAX_SAMPLE: usize = 10;
/// Where the conductor keeps the province's texts; their document's version is what a writer must have read.
const TEMPLATES: (&str, &str) = (gridbell_conductor::PROVINCE, "templates");

impl From<HostError> for ConductError {
    fn from(e: HostError) -> Self {
        let one = |field: &str, message: String| Self::Invalid(vec![(field.to_owned(), message)]);
        match e {
            HostError::State(StateError::Conflict { .. }) => Self::Changed(e.to_string()),
            HostError::State(e) => Self::State(e),
            HostError::Problems(problems) | HostError::Planner(PlannerError::Document(problems)) => invalid(&problems),
            HostError::Planner(e) => one("text", e.to_string()),
            HostError::NoPolicies(code) => Self::NotFound(code.to_string()),
            HostError::NoPolicy { policy, .. } => Self::NotFound(policy),
            HostError::NoLink { name, .. } => Self::NotFound(name),
            HostError::NoPlugin { .. } => one("plugin", e.to_string()),
            HostError::NotWaiting(_) => Self::Conflict(e.to_string()),
            HostError::NoVersion(name) => Self::NotFound(name),
            HostError::NoProposal(id) => Self::NotFound(id.to_string()),
            HostError::NoCorrection(id) => Self::NotFound(format!("C{id}")),
            HostError::OwnChange { .. }
            | HostError::OwnText { .. }
            | HostError::OwnWork { .. }
            | HostError::NotYours(_) => Self::NotYou(e.to_string()),
            HostError::NotUsable { .. } | HostError::Broken { .. } => Self::Conflict(e.to_string()),
            HostError::Invalid(why) => one("", why),
            // What the machine lacks or lost is no mistake of whoever uploads.
            HostError::Engine(e) if e.is_of_the_upload() => Self::Upload {
                causes: std::iter::once(e.code()).chain(e.cause()).map(|c| c.word()).collect(),
                message: e.to_string(),
            },
            HostError::Engine(e) => Self::Defect(with_causes(&e)),
            HostError::Intake(e) => one("file", e.to_string()),
            HostError::TooLarge { .. } => Self::TooLarge(e.to_string()),
            HostError::Screens(e) => of_screens(e),
            HostError::Outages(e) => of_outages(e),
            HostError::Busy(why) => Self::Busy(why),
            HostError::Stopped => Self::Conflict(e.to_string()),
            HostError::Refused(why) => Self::Conflict(why),
            HostError::Run(e) => Self::Run { cause: e.code().word(), message: e.to_string() },
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<HostError> for crate::problem::Problem {
    fn from(e: HostError) -> Self {
        ConductError::from(e).into()
    }
}

/// What the rules of screens refuse. A community that an order names and that is not there is a mistake of the order.
fn of_screens(e: gridbell_screens::Error) -> ConductError {
    use gridbell_screens::Error as E;
    match e {
        E::Field { field, why } => ConductError::Invalid(vec![(field.to_owned(), why)]),
        E::NoCommunity(_) => ConductError::Invalid(vec![("communities".to_owned(), e.to_string())]),
        E::NoScreen(id) => ConductError::NotFound(id.to_string()),
        E::NoNotice(id) => ConductError::NotFound(id.to_string()),
        E::Changed { .. } => ConductError::Changed(e.to_string()),
        other => ConductError::Conflict(other.to_string()),
    }
}

/// What the rules of outages refuse.
fn of_outages(e: gridbell_outages::Error) -> ConductError {
    use gridbell_outages::Error as E;
    match e {
        E::Field { field, why } => ConductError::Invalid(vec![(field.to_owned(), why)]),
        E::NoOutage(id) => ConductError::NotFound(id.to_string()),
        E::NoReport(id) => ConductError::NotFound(id.to_string()),
        E::Changed { .. } => ConductError::Changed(e.to_string()),
        E::OwnWork { .. } => ConductError::NotYou(e.to_string()),
        other => ConductError::Conflict(other.to_string()),
    }
}

/// An error with its causes, for the log.
fn with_causes(e: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(e.source(), |c| c.source());
    causes.fold(e.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn invalid(problems: &Problems) -> ConductError {
    let line = |p: &gridbell_planner::Problem| {
        let place = p.place.map_or_else(String::new, |at| format!("line {}, column {}: ", at.line, at.column));
        (p.field.clone(), format!("{place}{}", p.message))
    };
    ConductError::Invalid(problems.list.iter().map(line).collect())
}

fn stop_of(stop: gridbell_conductor::Stop) -> Option<Stop> {
    Some(Stop { scope: stop.scope.parse().ok()?, mode: stop.mode, why: stop.why, by: stop.by, since: stop.at })
}

fn link_of(status: LinkStatus, backlog: LinkBacklog) -> LinkEntry {
    let LinkBacklog { urgent, bulk, parts, clears_at } = backlog;
    let state = match status.state {
        LinkState::Connecting => "connecting",
        LinkState::Up => "up",
        LinkState::Held => "held",
        LinkState::Stopped => "stopped",
        LinkState::Draining => "draining",
        LinkState::Closed => "closed",
    };
    LinkEntry {
        name: status.name.to_string(),
        title: String::new(),
        protocol: status.protocol.to_owned(),
        state: state.to_owned(),
        connections: status.connections,
        reverse: status.reverse.map(|r| ReverseEntry { connections: r.connections, calls: r.calls, last: r.last }),
        grant: status.grant,
        rate: status.rate,
        backlog: Backlog { urgent, bulk, parts, clears_at },
        window_used: status.window_used,
        window: status.window,
        sent: status.counts.sent,
        accepted: status.counts.accepted,
        refused: status.counts.refused,
        reports: status.counts.reports,
        inbound: status.counts.inbound,
        anomalies: status.anomalies.into_iter().map(|(kind, count)| (anomaly_word(kind), count)).collect(),
        last_error: status.last_error,
        alarms: status.alarms.into_iter().map(link_alarm).collect(),
    }
}

const fn anomaly_word(kind: gridbell_conductor::LinkAnomaly) -> &'static str {
    use gridbell_conductor::LinkAnomaly as A;
    match kind {
        A::UnknownAnswer => "unknown-answer",
        A::Malformed => "malformed",
        A::OutOfStep => "out-of-step",
        A::Unexpected => "unexpected",
        A::BadReport => "bad-report",
        A::TooManyLong => "too-many-long",
        A::NoAnswer => "no-answer",
        A::FlowControl => "flow-control",
        A::CallRefused => "call-refused",
    }
}

fn link_alarm(alarm: gridbell_conductor::LinkAlarm) -> LinkAlarm {
    use gridbell_conductor::LinkAlarmKind as K;
    let (kind, code) = match alarm.kind {
        K::LoginRefused { status } => ("login-refused", Some(status)),
        K::GatewayNotGenuine => ("gateway-not-genuine", None),
        K::SubmitsRefused { code } => ("submits-refused", Some(code)),
        K::OurFault { code } => ("our-fault", Some(code)),
        K::Unreachable => ("unreachable", None),
        K::NotCalled => ("not-called", None),
        K::OutboxFailing => ("outbox-failing", None),
        K::QuotaUsed => ("quota-used", None),
        K::Defect => ("defect", None),
    };
    LinkAlarm { kind: kind.to_owned(), code, since: alarm.since, count: alarm.count }
}

fn report_of(summary: RunSummary, dry_run: bool) -> RunReport {
    let record = summary.record;
    let waiting = match &record.status {
        RunStatus::Waiting { why } => Some(why.clone()),
        _ => None,
    };
    let reached = summary.preview.iter().filter(|p| p.held.is_none_or(|h| h == HoldReason::BlastRadius));
    RunReport {
        run: (!dry_run).then_some(record.id),
        customers: record.customers,
        decided: record.decided,
        queued: record.queued,
        held: record.held,
        parts: record.parts,
        cost_milli_fen: record.cost_milli_fen,
        sample: reached.take(MAX_SAMPLE).map(|p| p.account).collect(),
        waiting,
    }
}

async fn facts(host: &Host, rows: Rows, audit: Vec<AuditNote>) -> Result<FactOutcome, ConductError> {
    fn all<R: IntoFact>(rows: Vec<R>) -> Vec<R::Fact> {
        rows.into_iter().map(IntoFact::into_fact).collect()
    }
    let facts = match rows {
        Rows::Customers(rows) => Facts::Customers(all(rows)),
        Rows::Bills(rows) => Facts::Bills(all(rows)),
        Rows::Balances(rows) => Facts::Balances(all(rows)),
        Rows::Payments(rows) => Facts::Payments(all(rows)),
        Rows::Contacts(rows) => Facts::Contacts(all(rows)),
    };
    Ok(host.state().facts(facts, false, audit).await?.facts)
}

async fn apply(host: &Host, p: PolicyProposal) -> Result<PolicyOutcome, ConductError> {
    let proposed = PolicyFile::parse(&p.document, &p.text).map_err(|e| invalid(&e))?.set.prefecture;
    if proposed != p.prefecture {
        let why = format!("the file is for prefecture `{proposed}`, not `{}` (文件属于其他地市)", p.prefecture);
        return Err(ConductError::Invalid(vec![("prefecture".to_owned(), why)]));
    }
    let changes = host.apply_policies(&p.document, &p.text, p.expected, &p.who, p.dry_run).await?;
    Ok(PolicyOutcome { changes, version: host.policies(p.prefecture).map_or(0, |(v, _)| v) })
}

async fn parameters(host: &Host, c: ParameterChange) -> Result<PolicyOutcome, ConductError> {
    let serde_json::Value::Object(parameters) = c.parameters else {
        return Err(ConductError::Invalid(vec![("parameters".to_owned(), "parameters are an object".to_owned())]));
    };
    let changes = host.set_parameters(c.prefecture, &c.policy, parameters, c.expected, &c.who, c.dry_run).await?;
    Ok(PolicyOutcome { changes, version: host.policies(c.prefecture).map_or(0, |(v, _)| v) })
}

async fn run(host: &Host, order: RunOrder) -> Result<RunReport, ConductError> {
    let scope = RunScope {
        orgs: order.orgs,
        sections: order.sections.into_iter().collect(),
        exclude: order.exclude.into_iter().collect(),
    };
    let request = RunRequest {
        scope,
        dry_run: order.dry_run,
        ..RunRequest::by_person(order.prefecture, &order.policy, &order.who)
    };
    let summary = host.run_policy(request).await?;
    let mut report = report_of(summary, order.dry_run);
    if let Some(run) = report.run.filter(|_| report.sample.is_empty()) {
        // A real run has no preview: its examples are in its own record.
        let first = host.state().decisions(run, 0).unwrap_or_default();
        let sent = first.iter().filter(|d| matches!(d.outcome, Outcome::Queued(_)));
        report.sample = sent.take(MAX_SAMPLE).map(|d| d.account).collect();
    }
    Ok(report)
}

async fn approve(host: &Host, key: (Topic, String, Channel, u32), who: &str) -> Result<(), ConductError> {
    let (topic, notice, channel, version) = key;
    Ok(host.approve_template(topic, &notice, channel, version, who).await?)
}

async fn save(host: &Host, template: Template, who: &str, expected: Option<u64>) -> Result<u32, ConductError> {
    Ok(host.put_template(template, expected, who).await?.version)
}

fn preview(host: &Host, template: &Template) -> Result<TextPlan, ConductError> {
    Ok(host.preview_template(template)?)
}

impl Conduct for Host {
    fn state(&self) -> &State {
        Self::state(self)
    }

    fn clock(&self) -> &Clock {
        Self::clock(self)
    }

    fn rules(&self) -> Option<Arc<ProvinceRules>> {
        self.settings().ok().map(|s| s.rules)
    }

    fn segments(&self) -> Result<Arc<Segments>, ConductError> {
        Ok(self.settings()?.segments)
    }

    fn ready(&self) -> Result<(), String> {
        self.settings().map(|_| ()).map_err(|e| e.to_string())
    }

    fn take(&self, rows: Rows, audit: Vec<AuditNote>) -> Pending<'_, FactOutcome> {
        Box::pin(facts(self, rows, audit))
    }

    fn imports(&self) -> &Imports {
        Self::imports(self)
    }

    fn screens(&self) -> &Screens {
        Self::screens(self)
    }

    fn outages(&self) -> &Outages {
        Self::outages(self)
    }

    fn backups(&self) -> &Backups {
        Self::backups(self)
    }

    fn start_backup(&self, who: String) -> Result<BackupFile, ConductError> {
        Ok(Self::start_backup(self, &who)?)
    }

    fn apply_province(&self, proposal: ProvinceProposal) -> Pending<'_, ProvinceOutcome> {
        Box::pin(async move { Ok(Self::apply_province(self, &proposal).await?) })
    }

    fn policies(&self, prefecture: PrefectureCode) -> Option<(Arc<PolicySet>, u64)> {
        Self::policies(self, prefecture).map(|(version, set)| (set, version))
    }

    fn apply_policies(&self, proposal: PolicyProposal) -> Pending<'_, PolicyOutcome> {
        Box::pin(apply(self, proposal))
    }

    fn set_parameters(&self, change: ParameterChange) -> Pending<'_, PolicyOutcome> {
        Box::pin(parameters(self, change))
    }

    fn templates(&self) -> (Arc<TemplateSet>, u64) {
        let version = Self::state(self).doc(TEMPLATES.0, TEMPLATES.1).map_or(0, |d| d.version);
        (self.settings().map(|s| s.templates).unwrap_or_default(), version)
    }

    fn preview(&self, template: &Template) -> Result<TextPlan, ConductError> {
        preview(self, template)
    }

    fn put_template(&self, template: Template, who: String, expected: Option<u64>) -> Pending<'_, u32> {
        Box::pin(async move { save(self, template, &who, expected).await })
    }

    fn approve_template(
        &self,
        topic: Topic,
        notice: String,
        channel: Channel,
        version: u32,
        who: String,
    ) -> Pending<'_, ()> {
        Box::pin(async move { approve(self, (topic, notice, channel, version), &who).await })
    }

    fn run_policy(&self, order: RunOrder) -> Pending<'_, RunReport> {
        Box::pin(run(self, order))
    }

    fn preview_policy(&self, request: PreviewRequest) -> Pending<'_, PolicyPreview> {
        Box::pin(async move { Ok(Self::preview_policy(self, request).await?) })
    }

    fn preview_progress(&self, prefecture: PrefectureCode, office: &str) -> Option<PreviewProgress> {
        Self::preview_progress(self, prefecture, office)
    }

    fn cancel_preview(&self, prefecture: PrefectureCode, office: &str) -> bool {
        Self::cancel_preview(self, prefecture, office)
    }

    fn decide_run(&self, run: RunId, release: bool, who: String) -> Pending<'_, Option<RunId>> {
        Box::pin(async move {
            if release {
                return Ok(Some(self.release_run(run, &who).await?.record.id));
            }
            self.refuse_run(run, &who).await?;
            Ok(None)
        })
    }

    fn stops(&self) -> Vec<Stop> {
        Self::stops(self).into_iter().filter_map(stop_of).collect()
    }

    fn stop(&self, scope: Extent, mode: StopMode, why: String, who: String) -> Pending<'_, Stop> {
        Box::pin(async move {
            let stop = match mode {
                StopMode::Hold => Self::stop(self, scope.clone(), &why, &who).await?,
                StopMode::Drain => Self::drain(self, scope.clone(), &why, &who).await?,
            };
            Ok(Stop { scope, mode, why: stop.why, by: stop.by, since: stop.at })
        })
    }

    fn unsettled(&self, scope: &Extent) -> Option<u64> {
        self.unsettled_within(scope).ok()
    }

    fn release_stop(&self, scope: Extent, who: String) -> Pending<'_, ()> {
        Box::pin(async move {
            if !Conduct::stops(self).iter().any(|s| s.scope == scope) {
                return Err(ConductError::NotFound(scope.to_string()));
            }
            Ok(Self::release_stop(self, &scope, &who).await?)
        })
    }

    fn recall(&self, scope: Extent, why: String, who: String, dry_run: bool) -> Pending<'_, Recalled> {
        Box::pin(async move {
            let done = Self::recall(self, &scope, &why, &who, dry_run).await?;
            Ok(Recalled { taken_back: done.taken_back, left: done.left })
        })
    }

    fn search_archive(&self, query: ArchiveQuery) -> Pending<'_, Vec<ArchiveHit>> {
        let search = ArchiveSearch {
            account: query.account,
            phone: query.phone,
            kinds: vec![ArchiveKind::Message, ArchiveKind::Decision],
            from: query.from,
            to: query.to,
            limit: query.limit,
        };
        Box::pin(async move {
            let found = Self::search_archive(self, search).await?.into_iter();
            let hit =
                |r: ArchivedRecord| ArchiveHit { kind: r.kind.word().to_owned(), at: r.at, file: r.file, body: r.body };
            Ok(found.map(hit).collect())
        })
    }

    fn links(&self) -> Vec<LinkEntry> {
        let links = Self::links(self);
        let mut backlogs = self.backlogs(&links);
        let with = |link: LinkStatus| {
            let backlog = backlogs.remove(&link.name).unwrap_or_default();
            link_of(link, backlog)
        };
        links.into_iter().map(with).collect()
    }

    fn hold_link(&self, link: String, held: bool, who: String) -> Pending<'_, ()> {
        Box::pin(async move {
            if held {
                self.pause_link(&link, &who).await?;
            } else {
                self.resume_link(&link, &who).await?;
            }
            Ok(())
        })
    }

    fn callback(&self, account: String, callback: IncomingCallback) -> Answering<'_> {
        Box::pin(async move { Self::callback(self, &account, &callback).await })
    }

    fn alarms(&self) -> Vec<AlarmEntry> {
        let entry = |a: gridbell_conductor::Alarm| AlarmEntry {
            code: a.code.to_owned(),
            subject: a.subject,
            text: a.text,
            since: a.first,
            count: a.count,
        };
        Self::alarms(self).into_iter().map(entry).collect()
    }
}
