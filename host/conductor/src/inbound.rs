//! What customers answer by SMS: kept with what it changes, in one commit. A word that we know changes something at once; everything else waits in the
//! inbox for a person.
//!
//! A wrong-number reply suspends one pair, the number and the account of which it was told last, and opens a work order; other accounts of that
//! number are none of it.

use gridbell_channels::{Inbound, LinkName};
use gridbell_model::{AccountNumber, CustomerView, PrefectureCode, Preferences, Traits};
use gridbell_state::{AuditNote, CustomerChange, DocChange, InboundMessage, Outcome, StateError};

use crate::documents::note;
use crate::error::HostError;
use crate::host::Host;
use crate::port::StateOutbox;
use crate::words::Word;

/// Accounts of one phone that an inbound word changes at most: landlords have many, nobody has more.
const MAX_ACCOUNTS_OF_PHONE: usize = 1_000;
/// Messages of each account that are looked at for the one that was answered.
const MAX_LOOKED: usize = 20;

/// What a reply does.
#[derive(Default)]
struct Effect {
    handled: &'static str,
    changes: Vec<(AccountNumber, CustomerChange)>,
    audit: Vec<AuditNote>,
    /// The pair that a wrong-number reply is about.
    wrong: Option<(PrefectureCode, CustomerView)>,
}

impl StateOutbox {
    /// Stores a customer's message with what it changes, in one commit.
    pub(crate) async fn take_inbound(&self, link: &LinkName, message: &Inbound) -> Result<(), HostError> {
        let (host, number, word) = (self.0.clone(), message.from.number(), Word::of(&message.text));
        let work = move || host.effect_of(word, number);
        let effect = self.0.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        let record = InboundMessage {
            number: 0,
            at: self.0.clock().now(),
            link: link.to_string(),
            from: message.from,
            to: message.to.clone(),
            text: message.text.clone(),
            handled: effect.handled.to_owned(),
        };
        let mut audit = effect.audit;
        let order = effect.wrong.map(|(code, view)| self.0.work_order(code, &view)).transpose()?;
        if let Some(order) = &order {
            let detail = serde_json::json!({ "due": order.due });
            audit.push(note("customer", "work-order.open", &order.account.to_string(), detail));
        }
        let open = move |number: u64| -> Result<Vec<DocChange>, StateError> {
            order.iter().map(|order| order.doc(number).map_err(|e| StateError::Refused(e.to_string()))).collect()
        };
        self.0.state().inbound_with(record, effect.changes, open, audit).await?;
        Ok(())
    }
}

impl Host {
    /// What `word` from `number` does; reads the store.
    fn effect_of(&self, word: Option<Word>, number: u64) -> Result<Effect, HostError> {
        let inbox = Effect { handled: "inbox", ..Effect::default() };
        let Some(word) = word else { return Ok(inbox) };
        // A test number's word is about samples: it changes nothing, whosever number it is besides.
        if self.is_test_number(number) {
            return Ok(Effect { handled: "test-number", ..Effect::default() });
        }
        let customers = self.state().by_phone(number, MAX_ACCOUNTS_OF_PHONE);
        let change = |handled, action: &str, what: &str, of: &dyn Fn() -> Vec<CustomerChange>| {
            let mut effect = Effect { handled, ..Effect::default() };
            for (_, view) in &customers {
                effect.changes.extend(of().into_iter().map(|change| (view.account, change)));
                effect.audit.push(note("customer", action, &view.account.to_string(), what));
            }
            effect
        };
        let preference = |bits, on| CustomerChange::Preferences { bits, on };
        let subscribe =
            |bits| vec![CustomerChange::Traits { bits, on: true }, preference(Preferences::NO_SMS_SUBSCRIBED, false)];
        let subscribed = "preference.subscribe";
        Ok(match word {
            Word::OptOut => {
                let bits = Preferences::NO_SMS_SERVICE | Preferences::NO_SMS_SUBSCRIBED | Preferences::NO_SMS_MARKETING;
                let ends = Traits::SUBSCRIBES_BILL | Traits::SUBSCRIBES_BALANCE;
                let of = || vec![preference(bits, true), CustomerChange::Traits { bits: ends, on: false }];
                change("opt-out", "preference.opt-out", "sms word", &of)
            }
            // Nobody subscribes for whom nobody can be found.
            _ if customers.is_empty() => inbox,
            Word::SubscribeBill => change("subscribe", subscribed, "bill", &|| subscribe(Traits::SUBSCRIBES_BILL)),
            Word::SubscribeBalance => {
                change("subscribe", subscribed, "balance", &|| subscribe(Traits::SUBSCRIBES_BALANCE))
            }
            Word::SubscribeOutage => {
                let bits = Preferences::SUBSCRIBES_OUTAGE;
                let of = || vec![preference(bits, true), preference(Preferences::NO_SMS_SUBSCRIBED, false)];
                change("subscribe", subscribed, "outage", &of)
            }
            Word::WrongNumber => self.wrong_number(number, &customers)?,
        })
    }

    fn wrong_number(&self, number: u64, customers: &[(PrefectureCode, CustomerView)]) -> Result<Effect, HostError> {
        let mut told = None;
        for (code, view) in customers {
            let to = |detail: &gridbell_state::MessageDetail| match &detail.decision.outcome {
                Outcome::Queued(message) => message.phone.number() == number && detail.status.may_have_come(),
                Outcome::Held(_) => false,
            };
            let last = self.state().messages_of(view.account, MAX_LOOKED)?.into_iter().find(to);
            if let Some(last) = last.map(|m| m.status.queued_at)
                && told.as_ref().is_none_or(|(at, _)| *at < last)
            {
                told = Some((last, (*code, *view)));
            }
        }
        // Who was told nothing can only mean the one account that the number has.
        let only = || Some(customers).filter(|c| c.len() == 1).map(|c| c[0]);
        let Some((code, view)) = told.map(|(_, pair)| pair).or_else(only) else {
            return Ok(Effect { handled: "inbox", ..Effect::default() });
        };
        let mut effect = Effect { handled: "wrong-number", ..Effect::default() };
        if view.phone.is_suspended() {
            // Said again: it is suspended, and its work order open.
            return Ok(effect);
        }
        effect.changes.push((view.account, CustomerChange::Suspend(true)));
        effect.audit.push(note("customer", "contact.suspend", &view.account.to_string(), "wrong number"));
        effect.wrong = Some((code, view));
        Ok(effect)
    }
}
