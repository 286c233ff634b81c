//! What customers answer by SMS: kept with what it changes and with the answer that is due, in one commit. A word that we know changes something at once,
//! a question is answered; everything else waits in the inbox for a person. What a gateway brings again is kept once.
//!
//! A wrong-number reply suspends one pair, the number and the account of which it was told last, and opens a work order; other accounts of that
//! number are none of it, but for those that the same message told.

use gridbell_channels::{Inbound, LinkName};
use gridbell_model::{
    AccountNumber, Channel, CustomerView, MessageId, Moment, PhoneClass, PrefectureCode, Traits, Wish, WishSource,
};
use gridbell_state::{AuditNote, CustomerChange, DocChange, InboundMessage, Outcome, StateError};

use crate::answers::{self, Asked, Begin, DUE, Due, MAX_ACCOUNTS_ANSWERED, MAX_DUE_ANSWERS, Wrote};
use crate::documents::{ANSWER_DUE, note};
use crate::error::HostError;
use crate::host::Host;
use crate::port::StateOutbox;
use crate::words::Word;

/// Accounts of one phone that an inbound word changes at most: landlords have many, nobody has more.
const MAX_ACCOUNTS_OF_PHONE: usize = 1_000;
/// Messages of each account that are looked at for the one that was answered.
const MAX_LOOKED: usize = 20;

/// A customer with its prefecture.
pub(crate) type Whose = (PrefectureCode, CustomerView);

/// On what somebody wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) channel: Channel,
    pub(crate) source: WishSource,
}

impl Written {
    const SMS: Self = Self { channel: Channel::Sms, source: WishSource::SmsWord };
}

/// What a reply does.
#[derive(Default)]
pub(crate) struct Effect {
    pub(crate) handled: &'static str,
    changes: Vec<(AccountNumber, CustomerChange)>,
    audit: Vec<AuditNote>,
    /// The pair that a wrong-number reply is about, then those that the same message told.
    wrong: Vec<Whose>,
    /// What is answered, about whom.
    asked: Vec<(Asked, Whose)>,
}

impl Effect {
    pub(crate) fn inbox() -> Self {
        Self { handled: "inbox", ..Self::default() }
    }

    /// The same wishes of all of `customers`.
    fn wishes(mut self, customers: &[Whose], wishes: &[(Wish, bool)], source: WishSource) -> Self {
        for (_, view) in customers {
            let change = |(wish, on): &(Wish, bool)| CustomerChange::Asked { wish: *wish, on: *on, source };
            self.changes.extend(wishes.iter().map(|w| (view.account, change(w))));
            let said: Vec<_> = wishes.iter().map(|(wish, on)| (wish.word(), *on)).collect();
            let detail = serde_json::json!({ "source": source, "wishes": said });
            let action = if wishes.iter().any(|(_, on)| *on) { "preference.subscribe" } else { "preference.opt-out" };
            self.audit.push(note("customer", action, &view.account.to_string(), detail));
        }
        self
    }

    /// One answer for all of `customers`, by an account that is open where there is one.
    fn answered(mut self, asked: Asked, customers: &[Whose]) -> Self {
        let open = customers.iter().find(|(_, view)| !view.traits.has(Traits::CLOSED));
        self.asked.extend(open.or(customers.first()).map(|whose| (asked, *whose)));
        self
    }
}

impl StateOutbox {
    /// Stores a customer's message with what it changes and what it asks for, in one commit; once, however often the gateway brings it.
    pub(crate) async fn take_inbound(&self, link: &LinkName, message: &Inbound) -> Result<(), HostError> {
        let wrote = Wrote::new(link.as_str(), message.key.to_string(), message.from.number(), &message.text);
        let (host, link, message) = (self.0.clone(), link.clone(), message.clone());
        self.0.once(wrote, async move { host.take_sms(&link, &message).await }).await
    }
}

impl Host {
    /// Keeps what somebody wrote by `keep`, unless it is kept already. It goes to its end though whoever brought it hangs up: who brings it again
    /// finds it kept.
    pub(crate) async fn once(
        &self,
        wrote: Wrote,
        keep: impl Future<Output = Result<(), HostError>> + Send + 'static,
    ) -> Result<(), HostError> {
        match self.inbox().lock().begin(&wrote) {
            Begin::New => {}
            Begin::Kept => return Ok(()),
            // Acknowledged it would be lost should the first not become durable.
            Begin::UnderWay => return Err(HostError::Refused("it is being kept already".to_owned())),
        }
        let host = self.clone();
        let work = async move {
            let kept = keep.await;
            host.inbox().lock().end(wrote, kept.is_ok());
            kept
        };
        tokio::spawn(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    async fn take_sms(&self, link: &LinkName, message: &Inbound) -> Result<(), HostError> {
        let (host, number, word) = (self.clone(), message.from.number(), Word::of(&message.text));
        let record = InboundMessage {
            number: 0,
            at: self.clock().now(),
            link: link.to_string(),
            from: message.from,
            to: message.to.clone(),
            text: message.text.clone(),
            handled: String::new(),
            key: message.key.to_string(),
            answer: String::new(),
        };
        let limited = self.limit(number, &record);
        let effect = match word {
            // Who asks too often is not even looked up.
            Some(word) if word.only_asks() && limited.is_err() => {
                Effect { handled: handled(word), ..Effect::default() }
            }
            _ => {
                let work = move || host.effect_of(word, number);
                self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??
            }
        };
        self.keep_written(record, effect, limited, number, Channel::Sms).await
    }

    /// Whether whoever wrote `record` may be answered.
    pub(crate) fn limit(&self, number: u64, record: &InboundMessage) -> Result<(), &'static str> {
        let Ok(settings) = self.settings() else { return Err("off") };
        let rules = settings.rules.answers;
        if !rules.enabled || !settings.templates.has_answers() {
            return Err("off");
        }
        let by_sms = !Channel::PLATFORMS.iter().any(|c| c.word() == record.to);
        if by_sms && record.from.class() != PhoneClass::Mobile {
            // A short number or a landline: a machine, or somebody who would not read it.
            return Err("machine");
        }
        if self.state().count_docs(ANSWER_DUE) >= MAX_DUE_ANSWERS {
            return Err("busy");
        }
        self.inbox().lock().may_answer(number, &record.text, record.at, &rules)
    }

    /// Stores what somebody wrote with all that follows, in one commit.
    pub(crate) async fn keep_written(
        &self,
        mut record: InboundMessage,
        effect: Effect,
        limited: Result<(), &'static str>,
        number: u64,
        channel: Channel,
    ) -> Result<(), HostError> {
        let Effect { handled, changes, mut audit, wrong, asked } = effect;
        handled.clone_into(&mut record.handled);
        let answered = match limited {
            _ if asked.is_empty() && !matches!(handled, "balance" | "outage" | "help") => Vec::new(),
            Ok(()) => asked,
            Err(why) => {
                why.clone_into(&mut record.answer);
                Vec::new()
            }
        };
        let due: Vec<Due> = answered.iter().map(|(asked, of)| Due::new(*asked, of, channel, record.at)).collect();
        if !due.is_empty() {
            DUE.clone_into(&mut record.answer);
        }
        let order = wrong.split_first().map(|((code, view), others)| {
            let others = others.iter().map(|(_, other)| other.account).collect();
            self.work_order(*code, view, others)
        });
        let order = order.transpose()?;
        if let Some(order) = &order {
            let detail = serde_json::json!({ "due": order.due });
            audit.push(note("customer", "work-order.open", &order.account.to_string(), detail));
        }
        let (text, at, count) = (record.text.clone(), record.at, due.len());
        let docs = move |number: u64| -> Result<Vec<DocChange>, StateError> {
            let refused = |e: HostError| StateError::Refused(e.to_string());
            let order = order.iter().map(|order| order.doc(number).map_err(refused));
            order.chain(due.iter().enumerate().map(|(nth, due)| due.doc(number, nth))).collect()
        };
        if count > 0 {
            self.inbox().lock().count(number, &text, at, count);
        }
        let kept = self.state().inbound_with(record, changes, docs, audit).await;
        if kept.is_err() && count > 0 {
            // It comes again, and is no repetition then.
            self.inbox().lock().uncount(number);
        }
        kept?;
        Ok(())
    }

    /// What `word` from `number` does; reads the store.
    fn effect_of(&self, word: Option<Word>, number: u64) -> Result<Effect, HostError> {
        let Some(word) = word else { return Ok(Effect::inbox()) };
        // A test number's word is about samples: it changes nothing, whosever number it is besides.
        if self.is_test_number(number) {
            return Ok(Effect { handled: "test-number", ..Effect::default() });
        }
        let customers = self.state().by_phone(number, MAX_ACCOUNTS_OF_PHONE);
        if word == Word::WrongNumber {
            return self.wrong_number(number, &customers);
        }
        Ok(self.effect(word, &customers, Written::SMS))
    }

    /// What `word` of these customers does, but for a wrong number, which only SMS has.
    pub(crate) fn effect(&self, word: Word, customers: &[Whose], written: Written) -> Effect {
        // Nobody subscribes for whom nobody can be found, and whoever is nobody's customer is a person's to answer.
        if customers.is_empty() && word != Word::OptOut {
            return Effect::inbox();
        }
        let effect = Effect { handled: handled(word), ..Effect::default() };
        let subscribe = |effect: Effect, wish, asked| {
            effect
                .wishes(customers, &[(wish, true), (Wish::Subscribed, true)], written.source)
                .answered(asked, customers)
        };
        match word {
            Word::OptOut => opt_out(effect, customers, written),
            Word::SubscribeBill => subscribe(effect, Wish::BillNotice, Asked::SubscribedBill),
            Word::SubscribeBalance => subscribe(effect, Wish::BalanceWarning, Asked::SubscribedBalance),
            Word::SubscribeOutage => subscribe(effect, Wish::OutageNews, Asked::SubscribedOutage),
            Word::AskHelp => effect.answered(Asked::Help, customers),
            Word::AskBalance => self.asks_balance(effect, customers, written.channel),
            Word::AskOutage => self.asks_outage(effect, customers),
            Word::WrongNumber => Effect::inbox(),
        }
    }

    /// One answer for each account that may be told, if they are few; else one that says what is missing.
    fn asks_balance(&self, mut effect: Effect, customers: &[Whose], channel: Channel) -> Effect {
        let open = |view: &CustomerView| !view.traits.has(Traits::CLOSED);
        let told = |(_, view): &&Whose| if channel == Channel::Sms { answers::is_verified(view) } else { open(view) };
        let known: Vec<&Whose> = customers.iter().filter(told).collect();
        match known.len() {
            0 => effect.answered(Asked::Balance, customers),
            n if n > MAX_ACCOUNTS_ANSWERED => effect.answered(Asked::TooMany, customers),
            _ => {
                effect.asked.extend(known.into_iter().map(|whose| (Asked::Balance, *whose)));
                effect
            }
        }
    }

    /// One answer for each outage at a place of theirs; one where none is known.
    fn asks_outage(&self, mut effect: Effect, customers: &[Whose]) -> Effect {
        let mut said: Vec<(PrefectureCode, u32, answers::Outage)> = Vec::new();
        for (code, view) in customers.iter().filter(|(_, view)| !view.traits.has(Traits::CLOSED)) {
            let Some(outage) = self.outage_of(*code, view) else { continue };
            let known = (*code, view.section, outage);
            if effect.asked.len() < MAX_ACCOUNTS_ANSWERED && !said.contains(&known) {
                said.push(known);
                effect.asked.push((Asked::Outage, (*code, *view)));
            }
        }
        if effect.asked.is_empty() { effect.answered(Asked::Outage, customers) } else { effect }
    }

    fn wrong_number(&self, number: u64, customers: &[Whose]) -> Result<Effect, HostError> {
        let mut told: Option<(Moment, MessageId, Whose)> = None;
        for (code, view) in customers {
            let to = |detail: &gridbell_state::MessageDetail| match &detail.decision.outcome {
                Outcome::Queued(message) => message.phone.number() == number && detail.status.may_have_come(),
                Outcome::Held(_) => false,
            };
            // An answer goes to whoever wrote: it says nothing of which account was meant.
            let answers = |m: &gridbell_state::MessageDetail| self.state().run(m.run).is_some_and(|r| r.is_answers());
            let mut messages = self.state().messages_of(view.account, MAX_LOOKED)?.into_iter();
            let last = messages.find(|m| to(m) && !answers(m));
            if let Some((last, id)) = last.map(|m| (m.status.queued_at, m.id))
                && told.as_ref().is_none_or(|(at, ..)| *at < last)
            {
                told = Some((last, id, (*code, *view)));
            }
        }
        // Who was told nothing can only mean the one account that the number has.
        let only = || Some(customers).filter(|c| c.len() == 1).map(|c| c[0]);
        let with = told.map_or_else(|| Ok(Vec::new()), |(_, id, _)| self.accounts_told_with(id))?;
        let Some((code, view)) = told.map(|(_, _, pair)| pair).or_else(only) else {
            return Ok(Effect::inbox());
        };
        let others = customers.iter().filter(|(_, v)| v.account != view.account && with.contains(&v.account));
        let mut effect = Effect { handled: "wrong-number", ..Effect::default() };
        // Said again: it is suspended, and its work order open.
        let wrong = std::iter::once((code, view)).chain(others.copied()).filter(|(_, v)| !v.phone.is_suspended());
        effect.wrong = wrong.collect();
        for (_, view) in &effect.wrong {
            effect.changes.push((view.account, CustomerChange::Suspend(true)));
            effect.audit.push(note("customer", "contact.suspend", &view.account.to_string(), "wrong number"));
        }
        effect.asked.extend(effect.wrong.first().map(|whose| (Asked::WrongNumber, *whose)));
        Ok(effect)
    }

    /// The accounts that were told by one message with that of message `id`; none where it went by itself.
    fn accounts_told_with(&self, id: MessageId) -> Result<Vec<AccountNumber>, HostError> {
        let Some(told) = self.state().told_together(id)? else { return Ok(Vec::new()) };
        let of_bearer = self.state().told_together(told.bearer)?;
        let all: Vec<MessageId> =
            std::iter::once(told.bearer).chain(of_bearer.into_iter().flat_map(|t| t.carried)).collect();
        Ok(self.state().messages_at(&all)?.into_iter().map(|m| m.decision.account).collect())
    }
}

/// An opt-out by SMS is from everything that can be refused; one on a platform is about that channel.
fn opt_out(effect: Effect, customers: &[Whose], written: Written) -> Effect {
    let Written { channel, source } = written;
    match channel {
        Channel::Wechat => {
            effect.wishes(customers, &[(Wish::ServiceWechat, false)], source).answered(Asked::OptOutChannel, customers)
        }
        Channel::Alipay => {
            effect.wishes(customers, &[(Wish::ServiceAlipay, false)], source).answered(Asked::OptOutChannel, customers)
        }
        Channel::Sms | Channel::Screen | Channel::Webhook => {
            let all = [Wish::ServiceSms, Wish::Subscribed, Wish::Marketing, Wish::BillNotice, Wish::BalanceWarning];
            effect.wishes(customers, &all.map(|wish| (wish, false)), source).answered(Asked::OptOut, customers)
        }
    }
}

/// What a kept message says of a word.
pub(crate) fn handled(word: Word) -> &'static str {
    match word {
        Word::OptOut => "opt-out",
        Word::WrongNumber => "wrong-number",
        Word::SubscribeBill | Word::SubscribeBalance | Word::SubscribeOutage => "subscribe",
        Word::AskBalance => "balance",
        Word::AskOutage => "outage",
        Word::AskHelp => "help",
    }
}
