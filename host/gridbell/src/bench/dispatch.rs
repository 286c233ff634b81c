//! What leaves under a carrier's limits: how much of each link's grant is used and never passed, and how soon an urgent notice overtakes a backlog.

use std::time::Duration;

use gridbell_conductor::{Extent, Host};
use gridbell_model::{
    Channel, CivilMinute, CustomerView, Decision, Fen, Lane, MessageId, PrefectureCode, Preferences, Segments, Served,
    Topic, Traits,
};
use gridbell_state::{DecisionRecord, Outcome, QueuedMessage, RunRecord};

use super::carrier::{Carrier, LINKS};
use super::figures::Report;
use super::host::decide;
use super::rig::{POLICY, Rig, Scratch, WHO, close};
use super::{BenchArgs, SEED};
use crate::defaults;
use crate::error::CommandError;

/// Parts a second that the carriers grant: two strong links and a weak one.
const GRANTS: [u32; LINKS.len()] = [100, 100, 50];
/// For how long the grants are used.
const PACED: Duration = Duration::from_secs(60);
/// Urgent notices, one after another.
const NOTICES: usize = 200;
/// So many of the slowest are named.
const SLOWEST: usize = 5;
/// How often the gateway's log is looked at for one.
const LOOK: Duration = Duration::from_micros(500);
/// After so long without an urgent notice the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures both on a province of its own.
pub(super) async fn measure(
    args: &BenchArgs,
    today: gridbell_model::Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say("  dispatching under grants".to_owned());
    let rig = Rig::new(args.customers, today, &scratch.0)?;
    let data = scratch.0.join("dispatch");
    rig.import(&data, false).await?;
    rig.drop_inputs();
    let (host, _) = rig.open(&data).await?;
    rig.prepare(&host).await?;
    let carrier = Carrier::granted(&host, &rig.clock, &scratch.0, GRANTS).await?;
    let prefectures: Vec<PrefectureCode> = rig.province.prefectures().map(|(p, _)| PrefectureCode(p.code)).collect();
    let queued = decide(&host, &prefectures).await?.queued;
    say(format!("    {queued} messages wait; {} s under grants", PACED.as_secs()));

    host.release_stop(&Extent::Province, WHO).await?;
    let paced = carrier.paced(PACED, GRANTS).await?;
    let granted = f64::from(GRANTS.iter().sum::<u32>()) * paced.took.as_secs_f64();
    report.set("dispatch.pacing_used", paced.accepted as f64 / granted);
    report.set("dispatch.pacing_over", paced.over as f64);
    report.note(format!(
        "dispatch.pacing: {} parts accepted of {granted:.0} granted on 3 links in {:.0} s; over: how many parts more than its grant a gateway was offered in the \
         second with most, refused ones included",
        paced.accepted,
        paced.took.as_secs_f64()
    ));
    let mut waited = urgent(&host, &carrier, &prefectures).await?;
    let slowest = slowest(&waited);
    waited.sort_unstable();
    let p99 = waited.get(waited.len() * 99 / 100).copied().unwrap_or_default();
    report.set("dispatch.event_to_submit_ms_p99", p99.as_secs_f64() * 1e3);
    let median = waited.get(waited.len() / 2).copied().unwrap_or_default();
    report.note(format!(
        "dispatch.event_to_submit: {NOTICES} urgent notices one after another on links granted {GRANTS:?} with a backlog of {queued} messages; from \
         before the decision is published to the SUBMIT in the gateway's log; median {:.1} ms; the slowest: {slowest}",
        median.as_secs_f64() * 1e3
    ));
    host.stop(Extent::Province, "bench", WHO).await?;
    carrier.shutdown().await;
    close(host.state().clone()).await
}

/// Which notices waited longest, and how long.
fn slowest(waited: &[Duration]) -> String {
    let mut by_wait: Vec<(usize, &Duration)> = waited.iter().enumerate().collect();
    by_wait.sort_unstable_by_key(|(_, wait)| std::cmp::Reverse(**wait));
    let worst = by_wait.iter().take(SLOWEST).map(|(nth, wait)| format!("#{nth} {:.0} ms", wait.as_secs_f64() * 1e3));
    worst.collect::<Vec<_>>().join(", ")
}

/// Publishes urgent notices and waits for each at the gateway.
async fn urgent(host: &Host, carrier: &Carrier, of: &[PrefectureCode]) -> Result<Vec<Duration>, CommandError> {
    let segments: Segments =
        gridbell_intake::read_segments(defaults::SEGMENTS.1).map_err(|e| CommandError::Failed(e.to_string()))?;
    let clock = host.clock().clone();
    let mut waited = Vec::with_capacity(NOTICES);
    let mut seen = 0;
    carrier.has_logged(&mut seen, "");
    for nth in 0..NOTICES {
        let code = of[nth % of.len()];
        let began = clock.monotonic();
        let text = format!("【国网山西电力】紧急通知{nth}");
        let mut writer = host.state().begin_run(code).await?;
        let rows = writer.snapshot().rows();
        // Spread over the rows, so that no two are about one customer.
        let first = u32::try_from((SEED as usize + nth * 7_919) % rows.max(1) as usize).unwrap_or(0);
        let mut ring = (first..rows).chain(0..first);
        let found = ring.find_map(|row| {
            let may = |v: &CustomerView| {
                v.phone.is_sendable() && v.preferences == Preferences::default() && !v.traits.has(Traits::CLOSED)
            };
            let view = writer.snapshot().view(row).filter(may)?;
            Some((view, segments.carrier_of(view.phone.number())?))
        });
        let (view, operator) =
            found.ok_or_else(|| CommandError::Failed(format!("nobody in {code} can be told by SMS")))?;
        let now = clock.civil_minute();
        let decision = Decision {
            row: view.row,
            notice: 0,
            step: 1,
            reason: 0,
            route: 0,
            arg0: 0,
            arg1: 0,
            not_before: CivilMinute::NONE,
            expires: CivilMinute::NONE,
        };
        let message = QueuedMessage {
            number: 0,
            previous: 0,
            channel: Channel::Sms,
            phone: view.phone,
            station: view.station,
            text: text.clone(),
            template: 1,
            parts: 1,
            cost_milli_fen: 0,
            send_after: now,
            expires: now.plus_minutes(60),
            lane: Lane::Urgent,
            queue: Served::Carrier(operator).queue(),
            key: nth as u64,
            said_before: 0,
            hop: 0,
            stated: Fen::ZERO,
            sharing: gridbell_model::Sharing::Alone,
        };
        let record = DecisionRecord::new(&decision, view.account, Outcome::Queued(Box::new(message)));
        writer.push(vec![record]).await?;
        let (run, _) = writer.publish(notice_run(code, now, clock.now()), Vec::new(), Vec::new()).await?;
        let first_message = run.first_message;
        while !carrier.has_logged(&mut seen, &text) {
            if clock.monotonic() - began > PATIENCE {
                let became = host.state().message_status(MessageId::new(code, first_message))?;
                let became = became.map_or_else(|| "nothing is known of it".to_owned(), |s| format!("{s:?}"));
                return Err(CommandError::Failed(format!("urgent notice {nth} did not leave: {became}")));
            }
            clock.sleep(LOOK).await;
        }
        waited.push(clock.monotonic() - began);
    }
    Ok(waited)
}

fn notice_run(prefecture: PrefectureCode, now: CivilMinute, started: gridbell_model::Moment) -> RunRecord {
    RunRecord {
        trigger: 1,
        scope: "bench".to_owned(),
        ..RunRecord::blank(prefecture, POLICY.to_owned(), Topic::Outage, now, started)
    }
}
