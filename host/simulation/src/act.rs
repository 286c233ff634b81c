//! What happens to the host from outside: asked as an operator, an importer or a gateway would ask, again where it was refused.

use std::time::Duration;

use gridbell_conductor::{Extent, Host, HostError, RunRequest};
use gridbell_model::{ContactSource, Date, Fen, Phone, Traits};
use gridbell_state::{BalanceFact, BillFact, CustomerChange, Facts, PaymentFact, RunStatus, StateError, payment_key};

use crate::agenda::Action;
use crate::check;
use crate::ledger::{Held, Stopped};
use crate::process::CLERK;
use crate::province::PREFECTURES;
use crate::simulation::{Simulation, SimulationError};

/// Whether it was done; what was refused is tried again.
type Done = Result<bool, SimulationError>;

impl Simulation {
    pub(crate) async fn act(&mut self, host: &Host, action: &Action, order: u64) -> Done {
        let done = self.try_to(host, action, order).await?;
        self.trace.add(self.now(), format!("{}: {}", if done { "done" } else { "refused" }, word(action)));
        Ok(done)
    }

    async fn try_to(&mut self, host: &Host, action: &Action, order: u64) -> Done {
        match action {
            Action::Facts(day) => self.facts(host, *day).await,
            Action::Pay(who) => self.pay(host, who, order).await,
            Action::Correct(who, number) => self.correct(host, *who, number).await,
            Action::Exempt(who) => self.exempt(host, *who).await,
            Action::Terms(prefecture, terms) => {
                let now = self.now();
                let all = &mut self.ledger.terms[*prefecture];
                if all.last().is_none_or(|held| held.acknowledged != Duration::MAX || held.terms != *terms) {
                    all.push(Held { tried: now, acknowledged: Duration::MAX, terms: *terms });
                }
                let (code, name) = PREFECTURES[*prefecture];
                let file = terms.file(code, name);
                let applied = host.apply_policies("simulation.toml", &file, None, CLERK, false).await;
                let done = self.done(applied)?.is_some();
                if let Some(held) = self.ledger.terms[*prefecture].last_mut().filter(|_| done) {
                    held.acknowledged = now;
                }
                Ok(done)
            }
            Action::Stop(scope) => {
                let stopped = host.stop(scope.clone(), "simulated", CLERK).await;
                let done = self.done(stopped)?.is_some();
                if done {
                    self.ledger.stops.push(Stopped { scope: scope.clone(), from: self.now(), to: None });
                }
                Ok(done)
            }
            Action::Release(scope) => self.release(host, scope).await,
            Action::Run(prefecture, policy) => {
                let run = host.run_policy(RunRequest::by_person(PREFECTURES[*prefecture].0, policy, CLERK)).await;
                Ok(self.done(run)?.is_some())
            }
            Action::Recall => {
                let latest = host.state().runs(None, 1, |run| run.status == RunStatus::Published && run.queued > 0);
                let Some(run) = latest.first() else { return Ok(true) };
                let recalled = host.recall_run(run.id, CLERK).await;
                self.done(recalled).map(|_| true)
            }
            Action::Approve => {
                for run in host.state().runs(None, 100, |run| matches!(run.status, RunStatus::Waiting { .. })) {
                    let released = host.release_run(run.id, "zhang").await;
                    self.done(released)?;
                }
                Ok(true)
            }
            // Refused by a full disk or a failing store, it is made another time.
            Action::Checkpoint => Ok(host.state().checkpoint().await.map_or(true, |()| true)),
            Action::Look => check::look(self, host).map(|()| true).map_err(|e| self.broken(e)),
            Action::Kill => Ok(true),
            weather => {
                self.weather(weather);
                Ok(true)
            }
        }
    }

    /// What happens to lines, gateways and the disk.
    fn weather(&mut self, action: &Action) {
        match action {
            Action::Mood(at, mood) => self.gateways[*at].mood = *mood,
            Action::Down(at, down) => self.net.set_down(*at, *down),
            Action::Cut(at) => self.net.cut(*at),
            Action::Breaks(mean) => self.net.set_breaks(*mean),
            Action::Disk(full) => self.disk(*full),
            Action::Rest => {
                self.schedules.cancel();
                self.faults.crash_at_commit = None;
                self.store.set_faults(self.faults);
            }
            Action::PowerFails(commits) => {
                self.faults.crash_at_commit = Some(self.store.commits() + commits);
                self.store.set_faults(self.faults);
            }
            _ => {}
        }
    }

    /// The answer; none where the store refused, which is no fault of the host's.
    fn done<T>(&self, answer: Result<T, HostError>) -> Result<Option<T>, SimulationError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(HostError::State(StateError::Refused(_) | StateError::Failed(_) | StateError::Closed)) => Ok(None),
            Err(error) => Err(self.broken(format!("a request that is in order was refused: {error}"))),
        }
    }

    async fn take(&self, host: &Host, facts: Facts) -> Done {
        let taken = host.state().facts(facts, false, Vec::new()).await;
        let Some(taken) = self.done(taken.map_err(HostError::State))? else { return Ok(false) };
        if taken.facts.rejected.is_empty() {
            return Ok(true);
        }
        Err(self.broken(format!("facts that are in order were rejected: {:?}", taken.facts.rejected)))
    }

    async fn facts(&mut self, host: &Host, day: i32) -> Done {
        let today: Date = self.date(day);
        let all = 0..self.province.customers.len();
        let billed: Vec<usize> = all.clone().filter(|at| self.province.customers[*at].billed_on == day).collect();
        let prepaid: Vec<usize> = all.filter(|at| self.province.customers[*at].traits.has(Traits::PREPAID)).collect();
        let bills: Vec<BillFact> = billed.iter().map(|at| self.province.bill(*at, today)).collect();
        let used = |at: usize| i64::try_from(300 + (at * 7 + day.unsigned_abs() as usize * 13) % 400).unwrap_or(300);
        let balances: Vec<BalanceFact> = prepaid
            .iter()
            .map(|at| {
                let fact = self.province.balance(*at, today);
                BalanceFact { balance: fact.balance - Fen(used(*at)), ..fact }
            })
            .collect();
        if !self.take(host, Facts::Bills(bills.clone())).await? || !self.take(host, Facts::Balances(balances)).await? {
            return Ok(false);
        }
        for (at, bill) in billed.into_iter().zip(bills) {
            self.province.customers[at].owed = bill.amount.0;
        }
        prepaid.into_iter().for_each(|at| self.province.customers[at].balance -= used(at));
        Ok(true)
    }

    async fn pay(&mut self, host: &Host, who: &[usize], order: u64) -> Done {
        let paid_on = self.clock.today();
        let mut who = who.to_vec();
        who.sort_unstable();
        who.dedup();
        let amount = |c: &crate::province::Customer| match c.owed {
            0 if c.traits.has(Traits::PREPAID) => 5_000,
            owed => owed,
        };
        who.retain(|at| amount(&self.province.customers[*at]) > 0);
        let payment = |at: &usize| {
            let customer = &self.province.customers[*at];
            let key = payment_key(&format!("{order}/{at}"));
            PaymentFact { account: customer.account, key, amount: Fen(amount(customer)), paid_on }
        };
        if !self.take(host, Facts::Payments(who.iter().map(payment).collect())).await? {
            return Ok(false);
        }
        let now = self.now();
        for at in who {
            let customer = &mut self.province.customers[at];
            if customer.owed == 0 {
                customer.balance += 5_000;
            } else {
                customer.owed = 0;
                self.ledger.customers[at].paid = Some(now);
            }
        }
        Ok(true)
    }

    async fn correct(&mut self, host: &Host, who: usize, number: &str) -> Done {
        let phone = Phone::from_text(number);
        let change = CustomerChange::Phone { phone, source: ContactSource::Counter, verified_on: self.clock.today() };
        if !self.change(host, who, change).await? {
            return Ok(false);
        }
        let old = std::mem::replace(&mut self.province.customers[who].phone, number.to_owned());
        let now = self.now();
        self.ledger.customers[who].corrected.push((now, old));
        Ok(true)
    }

    async fn exempt(&mut self, host: &Host, who: usize) -> Done {
        let done = self.change(host, who, CustomerChange::Traits { bits: Traits::DO_NOT_REMIND, on: true }).await?;
        if done {
            let now = self.now();
            self.ledger.customers[who].exempt.get_or_insert(now);
        }
        Ok(done)
    }

    async fn change(&self, host: &Host, who: usize, change: CustomerChange) -> Done {
        let account = self.province.customers[who].account;
        let changed = host.state().change_customer(account, vec![change], Vec::new(), Vec::new()).await;
        Ok(self.done(changed.map_err(HostError::State))?.is_some())
    }

    async fn release(&mut self, host: &Host, scope: &Extent) -> Done {
        // Not before the stop itself was taken.
        let now = self.now();
        let soon = (now + Duration::from_secs(60), 0);
        let asked = self.agenda.range(..soon).any(|(_, a)| matches!(a, Action::Stop(other) if other == scope));
        if asked && !self.holds(scope) {
            return Ok(false);
        }
        if let Some(stop) = self.ledger.stops.iter_mut().rev().find(|stop| stop.scope == *scope) {
            stop.to.get_or_insert(now);
        }
        match host.release_stop(scope, CLERK).await {
            // It was released by a try that was not answered.
            Err(HostError::Invalid(_)) => Ok(true),
            released => Ok(self.done(released)?.is_some()),
        }
    }

    fn holds(&self, scope: &Extent) -> bool {
        self.ledger.stops.iter().any(|stop| stop.scope == *scope && stop.to.is_none())
    }
}

/// The action without what would make the trace long.
fn word(action: &Action) -> String {
    match action {
        Action::Pay(who) => format!("Pay({})", who.len()),
        other => format!("{other:?}"),
    }
}
