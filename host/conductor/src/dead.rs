//! Numbers and addresses that a carrier or a platform calls dead: marked at the customer, so that nothing is tried until they change.
//!
//! A mark is durable before the answer or report that it follows from: whoever is killed between the two is told once more, or tries the message
//! again and is stopped at the last look. It must never mark anything but the number or address that the message went to.

use gridbell_channels::{Action, Answer, LinkName, OutboxError, Outcome, Report, ReportOutcome};
use gridbell_model::{AccountNumber, CarrierKey, ContactSource, MessageId, PhoneClass};
use gridbell_state::{CustomerChange, Outcome as Decided};

use crate::addresses::at_once;
use crate::any_link::AnyLink;
use crate::documents::note;
use crate::port::{StateOutbox, failed};

/// The word of a report that the customer refuses messages at the platform (拒收).
pub(crate) const REJECTED: &str = "REJECTD";

impl StateOutbox {
    /// Marks what `answers` say of whom they were for, and reports that waited for one of them.
    pub(crate) async fn mark_by_answers(&self, link: &LinkName, answers: &[Answer]) -> Result<(), OutboxError> {
        self.mark_dead(self.dead_of_answers(link, answers)).await?;
        let waited = answers.iter().filter_map(|answer| match &answer.outcome {
            Outcome::Accepted { key } | Outcome::Late { key } => {
                let stat = self.0.state().report_waiting(link.as_str(), key)?;
                (stat == REJECTED).then_some(answer.message)
            }
            _ => None,
        });
        self.mark_refused(link, waited.collect()).await
    }

    /// Marks what `reports` say of whom they were for.
    pub(crate) async fn mark_by_reports(&self, link: &LinkName, reports: &[Report]) -> Result<(), OutboxError> {
        self.mark_dead(self.dead_of_reports(link, reports)).await?;
        let rejected = reports.iter().filter(|r| r.stat == REJECTED);
        let messages = rejected.filter_map(|r| self.0.state().message_known_as(link.as_str(), &r.key));
        self.mark_refused(link, messages.collect()).await
    }

    /// The customers of these messages refuse their platform. A carrier's word of that kind is about one message, never about SMS as such.
    async fn mark_refused(&self, link: &LinkName, messages: Vec<MessageId>) -> Result<(), OutboxError> {
        if self.0.link_handles().iter().any(|l| l.name() == link && l.protocol().is_some()) {
            return Ok(());
        }
        self.0.channels_refused(messages).await.map_err(failed)
    }

    /// Messages whose number or address `answers` call dead, or a report that waited for one of them.
    fn dead_of_answers(&self, link: &LinkName, answers: &[Answer]) -> Vec<MessageId> {
        let protocol = self.0.link_handles().iter().find(|l| l.name() == link).and_then(AnyLink::protocol);
        // What the operator's table calls another carrier's number is not dead, whatever the specification says of the word.
        let links = self.0.link_handles();
        let elsewhere = |stat: &str| links.iter().any(|l| l.name() == link && l.sends_on(stat));
        let waiting =
            |key: &CarrierKey| self.0.state().report_waiting(link.as_str(), key).filter(|stat| !elsewhere(stat));
        let is_dead = |answer: &&Answer| match &answer.outcome {
            Outcome::Refused { action, .. } | Outcome::Declined { action, .. } => *action == Action::BadNumber,
            Outcome::Accepted { key } | Outcome::Late { key } => {
                protocol.is_some_and(|p| waiting(key).is_some_and(|stat| p.calls_number_dead(&stat)))
            }
            Outcome::Unanswered { .. } | Outcome::Unsendable { .. } => false,
        };
        answers.iter().filter(is_dead).map(|answer| answer.message).collect()
    }

    /// Messages whose number `reports` call dead; those that come before their answer wait for it.
    fn dead_of_reports(&self, link: &LinkName, reports: &[Report]) -> Vec<MessageId> {
        let dead = reports.iter().filter(|r| r.outcome == ReportOutcome::BadNumber);
        dead.filter_map(|r| self.0.state().message_known_as(link.as_str(), &r.key)).collect()
    }

    /// Marks what these messages went to, all of them read in one go and changed in one commit.
    async fn mark_dead(&self, messages: Vec<MessageId>) -> Result<(), OutboxError> {
        if messages.is_empty() {
            return Ok(());
        }
        let host = self.0.clone();
        // Those that went to an archive are left out: asking again would not bring them back.
        let read = move || {
            // Those that a message told besides its own were told at the same number.
            let mut all = messages;
            for id in all.clone() {
                all.extend(host.state().told_together(id)?.into_iter().flat_map(|t| t.carried));
            }
            host.state().messages_at(&all)
        };
        let details = self.0.clock().offload(read).await.map_err(failed)?.map_err(failed)?;
        let (mut platforms, mut numbers) = (Vec::new(), Vec::new());
        for detail in details {
            let Decided::Queued(message) = &detail.decision.outcome else { continue };
            if let Some(run) = self.0.state().run(detail.run).filter(|run| run.is_samples()) {
                // Nobody's contact: the office named it.
                let text = format!("the carrier knows no such number; name another test number ({})", message.phone);
                self.0.raise("pilot.test-number", &format!("{}/{}", run.prefecture, run.policy), text);
            } else if message.channel.is_platform() {
                platforms.push(detail.id);
            } else {
                numbers.push((detail.id, detail.decision.account, message.phone.number()));
            }
        }
        self.0.addresses_refused(platforms).await.map_err(failed)?;
        at_once(numbers, |(id, account, number)| self.mark_number(id, account, number)).await
    }

    /// The number of `account` is dead, where it is still the one that `id` went to.
    async fn mark_number(&self, id: MessageId, account: AccountNumber, number: u64) -> Result<(), OutboxError> {
        let Some((_, view)) = self.0.state().customer(account) else { return Ok(()) };
        if view.phone.number() != number || view.phone.class() == PhoneClass::Bad {
            return Ok(());
        }
        let phone = view.phone.with_class(PhoneClass::Bad);
        let change =
            CustomerChange::Phone { phone, source: ContactSource::Carrier, verified_on: self.0.clock().today() };
        let audit = vec![note("system", "contact.dead", &account.to_string(), id)];
        self.0.state().change_customer(account, vec![change], Vec::new(), audit).await.map_err(failed)?;
        Ok(())
    }
}
