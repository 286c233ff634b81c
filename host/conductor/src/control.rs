//! What people decide while things run: emergency stops, releases of waiting runs, links held and resumed.

use gridbell_channels::LinkStatus;
use gridbell_model::{Initiator, RunId};
use gridbell_planner::RunScope;
use gridbell_state::RunStatus;

use crate::any_link::AnyLink;
use crate::documents::{self, CHANGED_BY, STOP, note};
use crate::error::HostError;
use crate::extent::Extent;
use crate::host::Host;
use crate::person::same_person;
use crate::runs::{RunRequest, RunSummary, RunTrigger};
use crate::stops::{MAX_STOPS, Stop, StopMode, Stops};

impl Host {
    /// Stops all submits within `scope`, within a second; nothing is lost. Durable: it holds after a restart.
    ///
    /// # Errors
    /// When there is no such link or run, or the state refuses.
    pub async fn stop(&self, scope: Extent, why: &str, who: &str) -> Result<Stop, HostError> {
        self.set_stop(&scope, StopMode::Hold, why, who).await
    }

    /// Lets `scope` run out: nothing new begins in it, what waits leaves. Of a link: it claims no more, and what it has claimed goes. Durable.
    /// Next channels, answers and corrections follow what was begun, and go on.
    ///
    /// # Errors
    /// When there is no such link, the scope is a run's, which begins nothing, or the state refuses.
    pub async fn drain(&self, scope: Extent, why: &str, who: &str) -> Result<Stop, HostError> {
        self.set_stop(&scope, StopMode::Drain, why, who).await
    }

    async fn set_stop(&self, scope: &Extent, mode: StopMode, why: &str, who: &str) -> Result<Stop, HostError> {
        match scope {
            Extent::Link(name) => drop(self.link(name)?),
            Extent::Run(run) if mode == StopMode::Drain => {
                return Err(HostError::Invalid(format!("run `{run}` begins nothing new: hold it, or recall it")));
            }
            Extent::Run(run) => drop(self.state().run(*run).ok_or(gridbell_state::StateError::NoRun(*run))?),
            Extent::Province | Extent::Prefecture(_) | Extent::Topic(_) => {}
        }
        let (scope, at) = (scope.to_string(), self.clock().now());
        if self.state().doc(STOP, &scope).is_none() && self.stops_now().list.len() >= MAX_STOPS {
            return Err(HostError::Busy(format!("{MAX_STOPS} stops are in force: release one first")));
        }
        let stop = Stop { scope, mode, why: why.to_owned(), by: who.to_owned(), at };
        let doc = documents::put(STOP, &stop.scope, &stop, None)?;
        let action = match mode {
            StopMode::Hold => "stop.set",
            StopMode::Drain => "stop.drain",
        };
        self.state().put_docs(vec![doc], vec![note(who, action, &stop.scope, why)]).await?;
        self.reload_stops()?;
        Ok(stop)
    }

    /// Messages within `scope` that have not come to their end: waiting, or in a link's or a carrier's hands.
    ///
    /// # Errors
    /// When there is no such link or run.
    pub fn unsettled_within(&self, scope: &Extent) -> Result<u64, HostError> {
        Ok(self.state().count_live(self.within(scope, &self.runs_within(scope)?)))
    }

    /// Releases a stop.
    ///
    /// # Errors
    /// When there is none of that scope.
    pub async fn release_stop(&self, scope: &Extent, who: &str) -> Result<(), HostError> {
        let key = scope.to_string();
        if self.state().doc(STOP, &key).is_none() {
            return Err(HostError::Invalid(format!("there is no stop of `{key}`")));
        }
        self.state().put_docs(vec![documents::delete(STOP, &key)], vec![note(who, "stop.release", &key, "")]).await?;
        self.reload_stops()
    }

    /// Stops that hold.
    #[must_use]
    pub fn stops(&self) -> Vec<Stop> {
        self.stops_now().list.iter().map(|(_, stop)| stop.clone()).collect()
    }

    pub(crate) fn reload_stops(&self) -> Result<(), HostError> {
        let mut stops = Stops::default();
        for (key, doc) in self.state().docs(STOP) {
            stops.list.push((key.parse()?, documents::parse(STOP, &key, &doc.value)?));
        }
        self.set_stops(stops);
        self.rule_links();
        Ok(())
    }

    /// Has every link do what the stops say.
    pub(crate) fn rule_links(&self) {
        let stops = self.stops_now();
        for link in self.link_handles() {
            let name = link.name().as_str();
            if stops.holds_link(name) {
                link.pause();
                self.held_links().lock().insert(name.to_owned());
            } else {
                // Only what a stop held goes on: a link that its gateway's refusals stopped, or that is not enabled, waits for a person.
                if self.held_links().lock().remove(name) && link.is_enabled() {
                    link.resume();
                }
                // What is claimed may be of a topic or prefecture that is stopped now: the outbox hands out again what may go.
                link.give_back();
            }
        }
    }

    /// Lets a waiting run go: the policy decides again over today's facts, and the blast-radius guard lets it pass. Never by the person who
    /// changed the policy or started the run.
    ///
    /// # Errors
    /// When the run does not wait, or `who` may not.
    pub async fn release_run(&self, id: RunId, who: &str) -> Result<RunSummary, HostError> {
        let record = self.state().run(id).ok_or(gridbell_state::StateError::NoRun(id))?;
        if !matches!(record.status, RunStatus::Waiting { .. }) {
            return Err(HostError::NotWaiting(id));
        }
        let changed_by =
            documents::read::<String>(self.state(), CHANGED_BY, &format!("{}/{}", record.prefecture, record.policy))?;
        let started = matches!(&record.initiator, Initiator::Person(by) if same_person(by, who));
        let own = started || changed_by.is_some_and(|(_, by)| same_person(&by, who));
        if own {
            return Err(HostError::OwnChange { who: who.to_owned(), run: id });
        }
        if !record.scope.is_empty() && !crate::deployment::is_share(&record.scope) {
            let text = "a run over a part of the customers is not kept with its selection: start it again with the same selection";
            return Err(HostError::Invalid(text.to_owned()));
        }
        let trigger = if record.trigger == gridbell_contract::trigger::PAYMENT_RECEIVED.0 {
            RunTrigger::Payments
        } else if record.scheduled_at.is_some() {
            RunTrigger::Schedule {
                name: record.schedule.clone(),
                scheduled_at: record.scheduled_at,
                late_minutes: u32::try_from(self.clock().civil_minute().0 - record.scheduled_at.0).unwrap_or(0),
            }
        } else {
            RunTrigger::Person
        };
        let request = RunRequest {
            prefecture: record.prefecture,
            policy: record.policy.clone(),
            trigger,
            scope: RunScope::default(),
            initiator: Initiator::Person(who.to_owned()),
            dry_run: false,
            release_of: Some(id),
        };
        let summary = self.run_policy(request).await?;
        let status = RunStatus::Refused { by: format!("{who}: released as {}", summary.record.id) };
        self.state()
            .set_run_status(id, status, vec![note(who, "run.release", &id.to_string(), summary.record.id)])
            .await?;
        self.clear_alarm("run.blast-radius", &id.to_string());
        Ok(summary)
    }

    /// Refuses a waiting run: its decisions stay held.
    ///
    /// # Errors
    /// When the run does not wait.
    pub async fn refuse_run(&self, id: RunId, who: &str) -> Result<(), HostError> {
        let record = self.state().run(id).ok_or(gridbell_state::StateError::NoRun(id))?;
        if !matches!(record.status, RunStatus::Waiting { .. }) {
            return Err(HostError::NotWaiting(id));
        }
        let status = RunStatus::Refused { by: who.to_owned() };
        self.state().set_run_status(id, status, vec![note(who, "run.refuse", &id.to_string(), "")]).await?;
        self.clear_alarm("run.blast-radius", &id.to_string());
        Ok(())
    }

    /// How the links stand.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        self.link_handles().iter().map(AnyLink::status).collect()
    }

    pub(crate) fn link(&self, name: &str) -> Result<AnyLink, HostError> {
        let links = self.link_handles();
        links.iter().find(|l| l.name().as_str() == name).cloned().ok_or_else(|| HostError::NoLink {
            name: name.to_owned(),
            known: links.iter().map(|l| l.name().to_string()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Holds one link; the same as a stop of it.
    ///
    /// # Errors
    /// When there is no such link.
    pub async fn pause_link(&self, name: &str, who: &str) -> Result<(), HostError> {
        self.stop(Extent::Link(name.to_owned()), "paused", who).await.map(|_| ())
    }

    /// Lets one link send again, also after its gateway's refusals stopped it.
    ///
    /// # Errors
    /// When there is no such link.
    pub async fn resume_link(&self, name: &str, who: &str) -> Result<(), HostError> {
        let link = self.link(name)?;
        let scope = Extent::Link(name.to_owned());
        if self.state().doc(STOP, &scope.to_string()).is_some() {
            self.release_stop(&scope, who).await?;
        } else {
            let audit = vec![note(who, "link.resume", name, "")];
            self.state().put_docs(Vec::new(), audit).await?;
        }
        if !self.stops_now().holds_link(name) {
            link.resume();
        }
        Ok(())
    }
}
