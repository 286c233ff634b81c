//! Who is due: schedules by the civil clock, payments by their arrival. Each occurrence is served once, also across restarts; a missed one once
//! within its catch-up window; a clock that goes back fires nothing again.

use std::time::Duration;

use gridbell_clock::JumpWatch;
use gridbell_contract::trigger;
use gridbell_model::{CivilMinute, Initiator, PrefectureCode};
use gridbell_planner::{Event, Policy, RunScope};
use tokio_util::sync::CancellationToken;

use crate::documents::{self, SCHEDULE};
use crate::host::Host;
use crate::runs::{RunRequest, RunTrigger, schedule_key};

/// How often the clock is looked at.
pub const TICK: Duration = Duration::from_millis(500);

impl Host {
    /// Serves schedules, events, next hops, corrections and answers until `stop`. Runs one after another: a run uses every core by itself.
    pub async fn run_schedules(&self, stop: CancellationToken) {
        let mut watch = JumpWatch::new(self.clock());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.clock().sleep(TICK) => {}
            }
            if let Some(jump) = watch.check() {
                let text = format!(
                    "the clock jumped by {} s; schedules within their catch-up window run once, none twice",
                    jump.by_ms / 1000
                );
                self.raise("clock.jump", "clock", text);
            }
            self.serve_due(&stop).await;
            self.serve_hops().await;
            self.serve_corrections().await;
            self.serve_answers().await;
        }
    }

    /// Runs everything that is due now, once. Returns how many runs were tried.
    pub async fn serve_due(&self, stop: &CancellationToken) -> usize {
        let due = self.due();
        let tried = due.len();
        for request in due {
            if stop.is_cancelled() {
                break;
            }
            // A failure is recorded with its run, or is the state's and raised here; the other prefectures go on.
            let subject = format!("{}/{}", request.prefecture, request.policy);
            if let Err(e) = self.run_policy(request).await {
                self.raise("run.not-done", &subject, e.to_string());
            }
        }
        tried
    }

    /// The next occurrence of any schedule after now; none when there is no schedule.
    #[must_use]
    pub fn next_occurrence(&self) -> Option<CivilMinute> {
        let from = self.clock().civil_minute().plus_minutes(1);
        let sets = self.policies_by_prefecture();
        let schedules = sets.values().flat_map(|s| &s.policies).filter(|p| p.enabled).flat_map(|p| &p.schedules);
        schedules.filter_map(|s| s.cron.at_or_after(from)).min()
    }

    /// What is due now, in order of prefecture and policy.
    fn due(&self) -> Vec<RunRequest> {
        let now = self.clock().civil_minute();
        let (customers, stops) = (self.state().prefectures(), self.stops_now());
        let mut due = Vec::new();
        for (prefecture, set) in self.policies_by_prefecture() {
            if customers.get(&prefecture).is_none_or(|n| *n == 0) {
                continue;
            }
            // What runs out begins nothing: an occurrence is served late after the release, or missed as any other.
            let begins = |p: &&Policy| p.enabled && stops.closes_runs(prefecture, p.topic).is_none();
            for policy in set.policies.iter().filter(begins) {
                for schedule in &policy.schedules {
                    let after = self.last_served(prefecture, &policy.name, &schedule.name);
                    if let Some(d) = schedule.cron.due(after, now, schedule.catch_up_minutes) {
                        due.push(request(
                            prefecture,
                            &policy.name,
                            RunTrigger::Schedule {
                                name: schedule.name.clone(),
                                scheduled_at: d.scheduled_at,
                                late_minutes: d.late_minutes,
                            },
                        ));
                    }
                }
                let wants_payments = policy.events.contains(&Event::PaymentReceived);
                if wants_payments && self.payments_due(prefecture) {
                    due.push(request(prefecture, &policy.name, RunTrigger::Payments));
                }
            }
        }
        due
    }

    /// Payments that no run has seen, unless the last run of the kind failed at this very state: then a person looks first.
    fn payments_due(&self, prefecture: PrefectureCode) -> bool {
        let Some(snapshot) = self.state().snapshot(prefecture) else { return false };
        if snapshot.last_payment() == 0 {
            return false;
        }
        let last =
            self.state().runs(None, 1, |r| r.prefecture == prefecture && r.trigger == trigger::PAYMENT_RECEIVED.0);
        last.first().is_none_or(|r| {
            matches!(r.status, gridbell_state::RunStatus::Published) || r.snapshot < snapshot.last_payment()
        })
    }

    pub(crate) fn last_served(&self, prefecture: PrefectureCode, policy: &str, schedule: &str) -> CivilMinute {
        let key = schedule_key(prefecture, policy, schedule);
        match documents::read::<CivilMinute>(self.state(), SCHEDULE, &key) {
            Ok(Some((_, at))) => at,
            // Never applied: nothing before now is owed.
            _ => self.clock().civil_minute(),
        }
    }
}

fn request(prefecture: PrefectureCode, policy: &str, trigger: RunTrigger) -> RunRequest {
    RunRequest {
        prefecture,
        policy: policy.to_owned(),
        trigger,
        scope: RunScope::default(),
        initiator: Initiator::System,
        dry_run: false,
        release_of: None,
    }
}
