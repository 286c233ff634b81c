//! The conductor of the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_conductor::{
    BackupFile, Backups, CallbackReply, ExplainRequest, Explanation, Extent, Imports, IncomingCallback, PolicyPreview,
    PreviewProgress, PreviewRequest, ProvinceOutcome, ProvinceProposal, ReplayState, RunDiff, StopMode, Undelivered,
    UndeliveredQuery, apply_province,
};
use gridbell_contract::Manifest;
use gridbell_intake::{BalanceRow, BillRow, ContactRow, CustomerRow, PaymentRow, read_segments};
use gridbell_model::{
    Channel, CivilMinute, CustomerView, Decision, HoldReason, Initiator, Lane, Moment, PrefectureCode, RunId, Segments,
    Topic, Traits,
};
use gridbell_planner::{
    Plugins, PolicyFile, PolicySet, ProvinceRules, Template, TemplateFile, TemplateSet, TemplateStatus, TextPlan,
    Version, VersionReq, diff,
};
use gridbell_server::*;
use gridbell_state::{
    Address, AuditNote, BalanceFact, BillFact, ContactFact, CustomerFact, DecisionRecord, DocChange, FactOutcome,
    Facts, Outcome, PaymentFact, QueuedMessage, RunRecord, RunStatus, State, payment_key,
};
use parking_lot::Mutex;
use serde_json::Value;

use super::repo;

/// Policies in force and their version.
type Policies = BTreeMap<PrefectureCode, (Arc<PolicySet>, u64)>;

/// The conductor of the tests; clones share it.
#[derive(Clone)]
pub struct Stand {
    pub state: State,
    pub clock: Clock,
    rules: Arc<ProvinceRules>,
    segments: Arc<Segments>,
    pub(super) manifests: Arc<Vec<Manifest>>,
    policies: Arc<Mutex<Policies>>,
    templates: Arc<Mutex<(Arc<TemplateSet>, u64)>>,
    authors: Arc<Mutex<BTreeMap<u32, String>>>,
    stops: Arc<Mutex<Vec<Stop>>>,
    pub(super) proposals: Arc<Mutex<Vec<gridbell_conductor::Proposal>>>,
    links: Arc<Mutex<Vec<LinkEntry>>>,
    pub alarms: Arc<Mutex<Vec<AlarmEntry>>>,
    /// A run by hand that reaches more waits for a release.
    pub ceiling: u64,
    pub not_ready: Arc<Mutex<Option<String>>>,
    imports: Imports,
    pub backups: Backups,
    pub screens: gridbell_conductor::Screens,
    pub outages: gridbell_conductor::Outages,
    /// Where files are kept; gone with the last clone.
    pub files: Arc<tempfile::TempDir>,
}

/// The most bytes of a file that this stand takes.
pub const MAX_FILE: u64 = 3 << 20;

pub(super) struct Shelf<'a>(pub(super) &'a [Manifest]);

impl Plugins for Shelf<'_> {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        self.0.iter().find(|m| m.name() == name && version.matches(&m.version().parse().unwrap()))
    }
    fn versions(&self, name: &str) -> Vec<Version> {
        self.0.iter().filter(|m| m.name() == name).map(|m| m.version().parse().unwrap()).collect()
    }
}

fn link(name: &str, title: &str, grant: u32, rate: u64, state: &str) -> LinkEntry {
    LinkEntry {
        name: name.into(),
        title: title.into(),
        protocol: if name == "unicom" { "sgip1" } else { "cmpp2" }.into(),
        state: state.into(),
        reverse: (name == "unicom").then_some(ReverseEntry {
            connections: 1,
            calls: 4,
            last: Some(Moment::from_unix_ms(0)),
        }),
        connections: usize::from(state == "up"),
        grant,
        rate,
        backlog: Backlog {
            urgent: 2,
            bulk: rate * 600,
            parts: rate * 700,
            clears_at: (state == "up").then(|| Moment::from_unix_ms(3_600_000)),
        },
        window_used: rate as usize / 10,
        window: 16,
        sent: rate * 97,
        accepted: rate * 96,
        refused: rate / 7,
        reports: rate * 90,
        inbound: 3,
        alarms: (state != "up")
            .then(|| LinkAlarm { kind: "unreachable".into(), code: None, since: Moment::from_unix_ms(0), count: 2 })
            .into_iter()
            .collect(),
        anomalies: vec![("call-refused", 2)],
        last_error: (state != "up").then(|| "connection refused by the gateway".into()),
    }
}

impl Stand {
    pub async fn new(state: State, clock: Clock) -> Self {
        let names = ["arrears-reminder", "bill-notice", "balance-warning", "payment-received"];
        let manifests: Vec<Manifest> =
            names.iter().map(|n| Manifest::parse(&repo(&format!("plugins/prebuilt/{n}.json"))).unwrap()).collect();
        let templates = TemplateFile::parse("templates.toml", &repo("policies/templates.toml")).unwrap().set;
        let mut policies = BTreeMap::new();
        for file in ["140100-taiyuan", "140200-datong"] {
            let set = PolicyFile::parse(file, &repo(&format!("policies/{file}.toml"))).unwrap().set;
            policies.insert(set.prefecture, (Arc::new(set), 1));
        }
        let files = Arc::new(tempfile::tempdir().unwrap());
        let dir = files.path().join("imports");
        Self {
            imports: Imports::open(state.clone(), clock.clone(), dir, MAX_FILE),
            backups: Backups::new(state.clone(), Some(files.path().join("backups"))),
            screens: gridbell_conductor::Screens::open(state.clone(), clock.clone()).unwrap(),
            outages: gridbell_conductor::Outages::open(state.clone(), clock.clone()).unwrap(),
            files,
            state,
            clock,
            rules: Arc::new(ProvinceRules::parse("province.toml", &repo("policies/province.toml")).unwrap()),
            segments: Arc::new(read_segments(&repo("policies/segments.toml")).unwrap()),
            manifests: Arc::new(manifests),
            policies: Arc::new(Mutex::new(policies)),
            templates: Arc::new(Mutex::new((Arc::new(templates), 1))),
            authors: Arc::default(),
            stops: Arc::default(),
            proposals: Arc::default(),
            links: Arc::new(Mutex::new(vec![
                link("mobile", "山西移动", 100, 97, "up"),
                link("unicom", "山西联通", 100, 42, "up"),
                link("telecom", "山西电信", 50, 0, "connecting"),
            ])),
            alarms: Arc::default(),
            ceiling: 1_000,
            not_ready: Arc::default(),
        }
    }

    fn templates_with(
        &self,
        change: impl FnOnce(&mut TemplateSet) -> Result<u32, ConductError>,
    ) -> Result<u32, ConductError> {
        let mut held = self.templates.lock();
        let mut set = (*held.0).clone();
        let version = change(&mut set)?;
        *held = (Arc::new(set), held.1 + 1);
        Ok(version)
    }

    pub(super) fn adopt(
        &self,
        set: PolicySet,
        dry_run: bool,
        expected: Option<u64>,
    ) -> Result<PolicyOutcome, ConductError> {
        let mut all = self.policies.lock();
        let old = all.get(&set.prefecture).cloned();
        let version = old.as_ref().map_or(0, |(_, v)| *v);
        if expected.is_some_and(|e| e != version) {
            return Err(ConductError::Changed(format!("the policies are at version {version}")));
        }
        let changes = diff(old.as_ref().map(|(s, _)| &**s), &set);
        if dry_run || changes.is_empty() {
            return Ok(PolicyOutcome { changes, version });
        }
        all.insert(set.prefecture, (Arc::new(set), version + 1));
        Ok(PolicyOutcome { changes, version: version + 1 })
    }

    /// Everybody who owes is reminded, unless on the do-not-remind list or without a number.
    fn decide(&self, view: &CustomerView, text: &TextPlan) -> Option<DecisionRecord> {
        if view.arrears.0 <= 0 {
            return None;
        }
        let decision = Decision {
            row: view.row,
            notice: 0,
            step: 1,
            reason: 7,
            route: 0,
            arg0: view.arrears.0,
            arg1: 0,
            not_before: CivilMinute::NONE,
            expires: CivilMinute::NONE,
        };
        let held = if view.traits.has(Traits::DO_NOT_REMIND) {
            Some(HoldReason::DoNotRemind)
        } else if view.reminded_step > 0 {
            Some(HoldReason::AlreadySaid)
        } else if view.phone.number() == 0 {
            Some(HoldReason::NoAddress)
        } else {
            None
        };
        let outcome = held.map_or_else(|| Outcome::Queued(Box::new(self.message(view, text))), Outcome::Held);
        Some(DecisionRecord::new(&decision, view.account, outcome))
    }

    fn message(&self, view: &CustomerView, text: &TextPlan) -> QueuedMessage {
        let now = self.clock.civil_minute();
        QueuedMessage {
            number: 0,
            previous: 0,
            channel: Channel::Sms,
            phone: view.phone,
            station: view.station,
            text: text.text.replace("123.45", &view.arrears.yuan()).replace("6789", &view.account.to_string()[6..]),
            template: 1,
            parts: text.parts,
            cost_milli_fen: 3500 * u32::from(text.parts),
            send_after: now,
            expires: now.plus_minutes(600),
            lane: Lane::Bulk,
            queue: 1,
            key: view.business_key(Topic::ArrearsReminder),
            said_before: view.reminded_step,
            hop: 0,
            stated: view.arrears,
            sharing: gridbell_model::Sharing::Alone,
        }
    }

    pub async fn run(&self, order: RunOrder, initiator: Initiator) -> Result<RunReport, ConductError> {
        let (set, _) =
            self.policies(order.prefecture).ok_or_else(|| ConductError::NotFound(order.prefecture.to_string()))?;
        let policy = set.policy(&order.policy).ok_or_else(|| ConductError::NotFound(order.policy.clone()))?.clone();
        let template =
            self.templates.lock().0.approved(Topic::ArrearsReminder, "reminder", Channel::Sms).cloned().unwrap();
        let text = self.preview(&template)?;
        let org = self.state.org();
        let mut writer = self.state.begin_run(order.prefecture).await?;
        let started = self.clock.now();
        let within = |code, section| {
            (order.orgs.is_empty() || order.orgs.iter().any(|o| org.is_within(code, *o)))
                && (order.sections.is_empty() || order.sections.contains(&section))
        };
        let rows = writer.snapshot().select(within);
        let views =
            rows.iter().filter_map(|r| writer.snapshot().view(*r)).filter(|v| !order.exclude.contains(&v.account));
        let views: Vec<CustomerView> = views.collect();
        let decisions: Vec<DecisionRecord> = views.iter().filter_map(|v| self.decide(v, &text)).collect();
        let queued: Vec<_> = decisions.iter().filter(|d| matches!(d.outcome, Outcome::Queued(_))).collect();
        let mut report = RunReport {
            customers: views.len() as u64,
            decided: decisions.len() as u64,
            queued: queued.len() as u64,
            parts: queued.len() as u64 * u64::from(text.parts),
            cost_milli_fen: queued.len() as u64 * 3500 * u64::from(text.parts),
            sample: queued.iter().take(10).map(|d| d.account).collect(),
            ..RunReport::default()
        };
        for d in &decisions {
            if let Outcome::Held(why) = d.outcome {
                *report.held.entry(why).or_default() += 1;
            }
        }
        if report.queued > self.ceiling {
            report.waiting = Some(format!("超过策略规模上限 {} 条", self.ceiling));
        }
        if order.dry_run {
            return Ok(report);
        }
        let digest = super::release::digest_of(0);
        let record = RunRecord {
            plugin: policy.plugin.clone(),
            plugin_version: "0.1.0".into(),
            digest,
            params: Value::Object(policy.parameters.clone()).to_string(),
            schedule: if initiator == Initiator::System { "daily".into() } else { String::new() },
            initiator,
            scope: order.orgs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ended: started.plus_ms(310),
            status: report.waiting.clone().map_or(RunStatus::Published, |why| RunStatus::Waiting { why }),
            ..RunRecord::blank(order.prefecture, policy.name.clone(), policy.topic, self.clock.civil_minute(), started)
        };
        // A run that waits queues nothing: who was to be told is held until its release.
        let held = |mut d: DecisionRecord| {
            if report.waiting.is_some() && matches!(d.outcome, Outcome::Queued(_)) {
                d.outcome = Outcome::Held(HoldReason::BlastRadius);
            }
            d
        };
        let decisions = decisions.into_iter().map(held).collect();
        writer.push(decisions).await?;
        let (record, _) = writer.publish(record, vec![], vec![]).await?;
        report.run = Some(record.id);
        Ok(report)
    }
}

fn customer_fact(row: CustomerRow) -> CustomerFact {
    CustomerFact {
        account: row.account,
        station: row.station,
        section: row.section,
        traits: row.traits,
        traits_given: row.traits_given,
        name: row.name,
        phone: row.phone,
        threshold: row.threshold.map(|t| u32::try_from(t.0).unwrap()),
    }
}

fn bill_fact(r: BillRow) -> BillFact {
    BillFact {
        account: r.account,
        period: r.period,
        amount: r.amount,
        kwh: r.kwh,
        issued: r.issued,
        late_fee_from: r.late_fee_from,
        as_of: r.as_of,
    }
}

fn balance_fact(r: BalanceRow) -> BalanceFact {
    BalanceFact { account: r.account, balance: r.balance, as_of: r.as_of, debit_pending: r.debit_pending }
}

fn contact_fact(r: ContactRow) -> ContactFact {
    let address = Address { app: r.app, id: r.id, source: r.source, bound: r.bound_at };
    ContactFact { account: r.account, channel: r.channel, address: Some(address) }
}

fn payment_fact(r: PaymentRow) -> PaymentFact {
    let (id, amount) = if r.reversal {
        (format!("{}:reversal", r.payment_id), -r.amount)
    } else {
        (r.payment_id.to_string(), r.amount)
    };
    PaymentFact { account: r.account, key: payment_key(&id), amount, paid_on: r.paid_at.date() }
}

pub(super) fn done<'a, T: Send + 'a>(result: Result<T, ConductError>) -> Pending<'a, T> {
    Box::pin(async move { result })
}

impl Insight for Stand {
    fn explain(&self, _: ExplainRequest) -> Pending<'_, Explanation> {
        // What explains is the conductor's, and tested through the binary.
        done(Err(ConductError::Unavailable("there is no conductor in this house".to_owned())))
    }
    fn start_replay(&self, run: RunId) -> Result<ReplayState, ConductError> {
        Err(ConductError::Conflict(format!("{run} cannot be replayed in this house")))
    }
    fn replay_state(&self, _: RunId) -> Option<ReplayState> {
        Some(ReplayState::Running { progress: None })
    }
    fn cancel_replay(&self, _: RunId) -> bool {
        true
    }
    fn diff_runs(&self, _: RunId, _: RunId) -> Pending<'_, RunDiff> {
        done(Err(ConductError::Unavailable("there is no conductor in this house".to_owned())))
    }
    fn undelivered(&self, _: UndeliveredQuery, _: Seen) -> Pending<'_, Vec<Undelivered>> {
        // The list itself is the conductor's, and tested there and through the binary.
        done(Ok(Vec::new()))
    }
}

impl Conduct for Stand {
    fn state(&self) -> &State {
        &self.state
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn rules(&self) -> Option<Arc<ProvinceRules>> {
        Some(Arc::clone(&self.rules))
    }
    fn search_archive(&self, _: ArchiveQuery) -> Pending<'_, Vec<ArchiveHit>> {
        // Nothing has left this house; what is found is tested through the binary.
        done(Ok(Vec::new()))
    }
    fn segments(&self) -> Result<Arc<Segments>, ConductError> {
        Ok(Arc::clone(&self.segments))
    }
    fn ready(&self) -> Result<(), String> {
        self.not_ready.lock().clone().map_or(Ok(()), Err)
    }
    fn take(&self, rows: Rows, audit: Vec<AuditNote>) -> Pending<'_, FactOutcome> {
        let facts = match rows {
            Rows::Customers(v) => Facts::Customers(v.into_iter().map(customer_fact).collect()),
            Rows::Bills(v) => Facts::Bills(v.into_iter().map(bill_fact).collect()),
            Rows::Balances(v) => Facts::Balances(v.into_iter().map(balance_fact).collect()),
            Rows::Payments(v) => Facts::Payments(v.into_iter().map(payment_fact).collect()),
            Rows::Contacts(v) => Facts::Contacts(v.into_iter().map(contact_fact).collect()),
        };
        Box::pin(async move { Ok(self.state.facts(facts, false, audit).await?.facts) })
    }
    fn imports(&self) -> &Imports {
        &self.imports
    }
    fn screens(&self) -> &gridbell_conductor::Screens {
        &self.screens
    }
    fn outages(&self) -> &gridbell_conductor::Outages {
        &self.outages
    }
    fn backups(&self) -> &Backups {
        &self.backups
    }
    fn start_backup(&self, who: String) -> Result<BackupFile, ConductError> {
        let (file, whole) = self.backups.start(self.clock.now().unix_ms(), &who)?;
        tokio::spawn(whole);
        Ok(file)
    }
    fn apply_province(&self, proposal: ProvinceProposal) -> Pending<'_, ProvinceOutcome> {
        Box::pin(async move { Ok(apply_province(&self.state, &proposal, |_| Vec::new()).await?) })
    }
    fn policies(&self, prefecture: PrefectureCode) -> Option<(Arc<PolicySet>, u64)> {
        self.policies.lock().get(&prefecture).cloned()
    }
    fn apply_policies(&self, p: PolicyProposal) -> Pending<'_, PolicyOutcome> {
        let read = PolicyFile::parse(&p.document, &p.text)
            .and_then(|f| f.check(&Shelf(&self.manifests), &self.rules).map(|()| f.set));
        done(match read {
            Ok(set) if set.prefecture != p.prefecture => {
                Err(ConductError::Invalid(vec![("prefecture".into(), "another prefecture's file".into())]))
            }
            Ok(set) => self.adopt(set, p.dry_run, p.expected),
            Err(e) => Err(ConductError::Invalid(e.list.iter().map(|p| (p.field.clone(), p.to_string())).collect())),
        })
    }
    fn set_parameters(&self, c: ParameterChange) -> Pending<'_, PolicyOutcome> {
        let (set, _) = self.policies(c.prefecture).unwrap();
        let mut set = (*set).clone();
        let policy = set.policies.iter_mut().find(|p| p.name == c.policy).unwrap();
        let manifest = Shelf(&self.manifests).manifest(&policy.plugin, &policy.version).unwrap().clone();
        let checked = manifest.check_parameters(&c.parameters);
        done(match checked {
            Err(errors) => Err(ConductError::Invalid(
                errors.into_iter().map(|e| (format!("parameters{}", e.pointer), e.to_string())).collect(),
            )),
            Ok(_) => {
                policy.parameters = c.parameters.as_object().cloned().unwrap_or_default();
                self.adopt(set, c.dry_run, c.expected)
            }
        })
    }
    fn templates(&self) -> (Arc<TemplateSet>, u64) {
        self.templates.lock().clone()
    }
    fn preview(&self, template: &Template) -> Result<TextPlan, ConductError> {
        let notices = self.manifests.iter().filter(|m| m.topic() == template.topic).flat_map(|m| m.notices());
        let notice = notices.into_iter().find(|n| n.name == template.notice);
        let wrong = |m: String| ConductError::Invalid(vec![("text".into(), m)]);
        let notice = notice.ok_or_else(|| wrong("no plugin has this notice".into()))?;
        let mut draft = template.clone();
        draft.version = draft.version.max(1);
        let compiled = draft.compile(notice, &self.rules).map_err(|e| wrong(e.to_string()))?;
        Ok(compiled.sample().clone())
    }
    fn put_template(&self, mut template: Template, who: String, expected: Option<u64>) -> Pending<'_, u32> {
        let now = self.templates.lock().1;
        if expected.is_some_and(|e| e != now) {
            return done(Err(ConductError::Changed(format!("the texts are at version {now}"))));
        }
        if let Err(e) = self.preview(&template) {
            return done(Err(e));
        }
        done(self.templates_with(|set| {
            let like =
                |t: &&Template| (t.topic, &t.notice, t.channel) == (template.topic, &template.notice, template.channel);
            template.version = set.templates.iter().filter(like).map(|t| t.version).max().unwrap_or(0) + 1;
            self.authors.lock().insert(template.version, who);
            set.templates.push(template.clone());
            Ok(template.version)
        }))
    }
    fn approve_template(
        &self,
        topic: Topic,
        notice: String,
        channel: Channel,
        version: u32,
        who: String,
    ) -> Pending<'_, ()> {
        if self.authors.lock().get(&version) == Some(&who) {
            return done(Err(ConductError::NotYou("须由他人审批 (approved by somebody else than the author)".into())));
        }
        let found = self.templates_with(|set| {
            let this =
                |t: &&mut Template| (t.topic, &t.notice, t.channel, t.version) == (topic, &notice, channel, version);
            let template = set.templates.iter_mut().find(this).ok_or_else(|| ConductError::NotFound(notice.clone()))?;
            template.status = TemplateStatus::Approved;
            Ok(version)
        });
        done(found.map(|_| ()))
    }
    fn run_policy(&self, order: RunOrder) -> Pending<'_, RunReport> {
        let who = Initiator::Person(order.who.clone());
        Box::pin(self.run(order, who))
    }
    fn preview_policy(&self, request: PreviewRequest) -> Pending<'_, PolicyPreview> {
        done(if request.days == Some(31) {
            Err(ConductError::Busy("a preview of this office is under way (本单位已有预览正在进行)".into()))
        } else {
            Ok(super::previews::seen(&request))
        })
    }
    fn preview_progress(&self, _: PrefectureCode, office: &str) -> Option<PreviewProgress> {
        (office != "140400").then_some(PreviewProgress { done: 3, of: 60 })
    }
    fn cancel_preview(&self, _: PrefectureCode, office: &str) -> bool {
        office != "140400"
    }
    fn decide_run(&self, run: RunId, release: bool, who: String) -> Pending<'_, Option<RunId>> {
        // The state of a run is the conductor's to change; the stand only remembers who decided.
        let note = AuditNote {
            who,
            action: if release { "run.release" } else { "run.refuse" }.into(),
            subject: run.to_string(),
            detail: String::new(),
        };
        Box::pin(async move {
            let decided = DocChange {
                kind: "decided".into(),
                key: run.to_string(),
                value: Some(vec![u8::from(release)]),
                expected: None,
            };
            self.state.put_docs(vec![decided], vec![note]).await?;
            Ok(None)
        })
    }
    fn stops(&self) -> Vec<Stop> {
        self.stops.lock().clone()
    }
    fn recall(&self, scope: Extent, why: String, who: String, dry_run: bool) -> Pending<'_, Recalled> {
        // What is taken back is the conductor's to know; the stand only remembers who asked.
        let note = AuditNote { who, action: "recall".into(), subject: scope.to_string(), detail: why };
        let notes = if dry_run { Vec::new() } else { vec![note] };
        Box::pin(async move {
            self.state.put_docs(Vec::new(), notes).await?;
            Ok(Recalled { taken_back: 3, left: 2 })
        })
    }

    fn unsettled(&self, _: &Extent) -> Option<u64> {
        Some(0)
    }
    fn stop(&self, scope: Extent, mode: StopMode, why: String, who: String) -> Pending<'_, Stop> {
        let stop = Stop { scope, mode, why, by: who, since: self.clock.now() };
        let mut all = self.stops.lock();
        if all.iter().any(|s| s.scope == stop.scope) {
            return done(Err(ConductError::Conflict(format!("`{}` is held already (已在停发中)", stop.scope))));
        }
        all.push(stop.clone());
        done(Ok(stop))
    }
    fn release_stop(&self, scope: Extent, _: String) -> Pending<'_, ()> {
        let mut all = self.stops.lock();
        let before = all.len();
        all.retain(|s| s.scope != scope);
        done(if all.len() < before { Ok(()) } else { Err(ConductError::NotFound(scope.to_string())) })
    }
    fn links(&self) -> Vec<LinkEntry> {
        self.links.lock().clone()
    }
    fn hold_link(&self, link: String, held: bool, _: String) -> Pending<'_, ()> {
        let mut all = self.links.lock();
        let found = all.iter_mut().find(|l| l.name == link);
        done(found.map(|l| l.state = if held { "held" } else { "up" }.into()).ok_or(ConductError::NotFound(link)))
    }
    fn callback(&self, account: String, callback: IncomingCallback) -> Answering<'_> {
        let status = match (account.as_str(), callback.query.contains("signed")) {
            ("wechat", true) => 200,
            ("wechat", false) => 403,
            _ => 404,
        };
        let header = callback.headers.iter().find(|(name, _)| name == "x-sign").map_or("", |(_, value)| value);
        let body = format!("{} {header} {}", if callback.is_get { "GET" } else { "POST" }, callback.body.len());
        Box::pin(async move { CallbackReply { status, kind: "text/plain; charset=utf-8", body } })
    }
    fn alarms(&self) -> Vec<AlarmEntry> {
        self.alarms.lock().clone()
    }
}

/// An alarm for the console.
pub fn alarm(code: &str, subject: &str, text: &str, since: Moment) -> AlarmEntry {
    AlarmEntry { code: code.into(), subject: subject.into(), text: text.into(), since, count: 3 }
}
