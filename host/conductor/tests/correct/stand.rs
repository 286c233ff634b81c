//! A city on two channels with a first run, and what its carriers and people do with it.

use std::collections::BTreeMap;

use gridbell_channels::{Answer, LinkName, Outbox, Outcome as Answered, Report, ReportOutcome, Which};
use gridbell_conductor::Decision as Decides;
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{Address, ContactFact, Facts, MessageDetail, Outcome, QueuedMessage, RunRecord};

use crate::world::{CUSTOMERS, POLICIES, TAIYUAN, World, account, first_day};

pub(crate) const REMINDER: &str = "arrears-reminder";
pub(crate) const TEXTS: &str = include_str!("../../../../policies/templates.toml");
pub(crate) const WECHAT_TEXTS: &str = r#"
[[template]]
topic = "arrears-reminder"
notice = "reminder"
channel = "wechat"
version = 1
status = "approved"
text = """
template: OPENTM412543817
first: 您好！户号尾号{{ account_tail }}有电费待缴
keyword1: {{ amount }} 元
keyword2: {{ late_fee_from }}
remark: 数据截至{{ as_of }}"""

[[template]]
topic = "correction"
notice = "arrears-reminder"
channel = "wechat"
version = 1
status = "approved"
text = """
template: OPENTM000000009
first: 此前通知有误，深表歉意
keyword1: 欠费 {{ amount }} 元
remark: 数据截至{{ as_of }}"""
"#;
pub(crate) const PLAIN: &str = "昨日发送的电费提醒有误，请以营业厅公布为准，深表歉意。如有疑问请拨打{{ hotline }}。";
pub(crate) const WITH_FACTS: &str =
    "此前的电费提醒有误，致歉。户号尾号{{ account_tail }}，截至{{ as_of }}欠费{{ amount }}元。";

pub(crate) fn wechat() -> LinkName {
    LinkName::new("follower").unwrap()
}

pub(crate) fn carriers() -> [LinkName; 1] {
    [LinkName::new("carrier").unwrap()]
}

/// Everybody whose number is even is bound to WeChat, which comes first; a first run is queued on a morning.
pub(crate) async fn world() -> (World, RunRecord) {
    let routes =
        "routes = { sms = [{ channel = \"wechat\", wait_minutes = 30 }, { channel = \"sms\" }] }\nlane = \"bulk\"";
    let policies = POLICIES.replace("routes = { sms = [{ channel = \"sms\" }] }\nlane = \"bulk\"", routes);
    let world = World::with(&policies).await;
    world.host.apply_templates("templates", &format!("{TEXTS}{WECHAT_TEXTS}"), "b").await.unwrap();
    let bind = |n: u64| {
        let id = format!("oLVPpjqs9BhvzwPj5A-{n:09}").parse().unwrap();
        let address = Address { app: String::new(), id, source: BindingSource::Website, bound: first_day().at(0, 0) };
        ContactFact { account: account(n), channel: Channel::Wechat, address: Some(address) }
    };
    let bound = (0..CUSTOMERS).filter(|n| n % 2 == 0).map(bind).collect();
    world.host.state().facts(Facts::Contacts(bound), false, vec![]).await.unwrap();
    world.host.serve_link(&wechat(), &[Served::Channel(Channel::Wechat)]);
    for link in carriers() {
        let all = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier);
        world.host.serve_link(&link, &all);
    }
    world.clock.advance_to(first_day().at(9, 30).moment());
    world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
    let run = (*world.runs(REMINDER).pop().unwrap()).clone();
    (world, run)
}

/// What was queued, with what it said, in order of row.
pub(crate) fn messages(world: &World, run: &RunRecord) -> Vec<(MessageId, AccountNumber, QueuedMessage)> {
    let segments = 0..u32::try_from(run.segments.len()).unwrap();
    let decisions = segments.flat_map(|s| world.host.state().decisions(run.id, s).unwrap());
    let queued = decisions.filter_map(|d| match d.outcome {
        Outcome::Queued(m) => Some((MessageId::new(run.prefecture, m.number), d.account, *m)),
        Outcome::Held(_) => None,
    });
    queued.collect()
}

pub(crate) fn runs(world: &World) -> Vec<RunRecord> {
    let mut runs: Vec<_> =
        world.host.state().runs(None, 100, RunRecord::is_correction).iter().map(|r| (**r).clone()).collect();
    runs.reverse();
    runs
}

/// Messages that wait at `link` and may go now, at most `limit`, get what `answer` says of them.
pub(crate) async fn send(
    world: &World,
    link: &LinkName,
    limit: usize,
    answer: impl Fn(MessageId) -> Answered,
) -> Vec<MessageId> {
    send_told(world, link, limit, answer).await.into_iter().map(|(id, _)| id).collect()
}

/// The same, with the accounts that each message told.
pub(crate) async fn send_told(
    world: &World,
    link: &LinkName,
    limit: usize,
    answer: impl Fn(MessageId) -> Answered,
) -> Vec<(MessageId, Vec<AccountNumber>)> {
    let outbox = world.host.outbox();
    let claimed = outbox.claim(link, 10_000, Which::Any).await.unwrap();
    let ids: Vec<MessageId> = claimed.iter().map(|m| m.id).collect();
    let take = ids.iter().take(limit).copied().collect::<Vec<_>>();
    let going = outbox.intend(link, &take).await.unwrap();
    let (mut answers, mut sent) = (Vec::new(), Vec::new());
    for out in claimed.iter().filter(|out| going.contains(&out.id)) {
        let told = world.host.state().told_together(out.id).unwrap();
        let all = std::iter::once(out.id).chain(told.into_iter().flat_map(|t| t.carried));
        sent.push((out.id, all.map(|id| detail(world, id).decision.account).collect()));
        for part in (1..=gridbell_channels::MAX_PARTS).filter(|part| out.open.contains(*part)) {
            let outcome = match answer(out.id) {
                Answered::Accepted { .. } => Answered::Accepted { key: key(out.id, part) },
                other => other,
            };
            answers.push(Answer { message: out.id, part, outcome });
        }
    }
    outbox.answered(link, &answers).await.unwrap();
    let rest: Vec<gridbell_channels::Unsent> = ids[take.len()..]
        .iter()
        .map(|id| gridbell_channels::Unsent { message: *id, parts: Default::default() })
        .collect();
    outbox.release(link, &rest).await.unwrap();
    sent
}

pub(crate) fn key(message: MessageId, part: u8) -> CarrierKey {
    CarrierKey::Number(u64::from(message.number()) << 8 | u64::from(part))
}

pub(crate) fn accepted(_: MessageId) -> Answered {
    Answered::Accepted { key: CarrierKey::Number(0) }
}

pub(crate) async fn report(world: &World, link: &LinkName, message: MessageId, stat: &str) {
    for part in detail(world, message).status.accepted.iter().map(|a| a.part) {
        let outcome = if stat == "DELIVRD" { ReportOutcome::Delivered } else { ReportOutcome::Failed };
        let (phone, stat, never) = (Phone::NONE, stat.to_owned(), CivilMinute::NONE);
        let report = Report { key: key(message, part), phone, stat, outcome, submitted: never, done: never };
        world.host.outbox().reported(link, &[report]).await.unwrap();
    }
}

pub(crate) fn detail(world: &World, id: MessageId) -> MessageDetail {
    world.host.state().message(id).unwrap()
}

pub(crate) fn order(run: RunId, text: &str) -> CorrectionOrder {
    CorrectionOrder {
        scope: CorrectionScope { wrong: Wrong::Run(run), prefecture: None, from: None, to: None },
        texts: BTreeMap::from([(Channel::Sms, text.to_owned())]),
        within: Vec::new(),
        why: "价目有误".into(),
        who: "wang".into(),
    }
}

pub(crate) fn decider(who: &str) -> Decider {
    Decider { who: who.into(), city: true, province: true }
}

pub(crate) async fn approved(world: &World, order: &CorrectionOrder) -> Correction {
    let correction = world.host.propose_correction(order).await.unwrap();
    world.host.decide_proposal(correction.id, Decides::Approve, "对", &decider("li")).await.unwrap();
    world.host.serve_corrections().await;
    world.host.correction(correction.id).unwrap()
}

pub(crate) async fn list(world: &World, correction: &Correction) -> Vec<RecipientSeen> {
    let mut all = Vec::new();
    loop {
        let (page, more) = world.host.correction_recipients(correction, all.len(), 7).await.unwrap();
        all.extend(page);
        if !more {
            return all;
        }
    }
}
