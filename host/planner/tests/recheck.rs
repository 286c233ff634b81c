//! The last look before submit.

mod common;

use common::{Context, Sample, customer, date, decision, minute, rules};
use gridbell_model::{Channel, CustomerView, Fen, HoldReason, Phone, Preferences, Topic, TopicClass, Traits};
use gridbell_planner::{QueuedFacts, Verdict, fact_of, recheck};

fn queued(topic: Topic) -> QueuedFacts {
    let view = customer();
    QueuedFacts {
        topic,
        channel: Channel::Sms,
        business_key: view.business_key(topic),
        stated: fact_of(topic, &view).map_or(Fen::ZERO, |f| f.amount),
        phone: view.phone,
        sample: false,
    }
}

fn check(topic: Topic, view: &CustomerView) -> Option<HoldReason> {
    recheck(&rules(), &queued(topic), view, None, minute("2026-11-21T15:00"))
}

#[test]
fn what_did_not_change_goes_out() {
    for topic in Topic::ALL {
        assert_eq!(check(*topic, &customer()), None, "{topic}");
    }
}

#[test]
fn who_paid_overnight_is_not_reminded() {
    let paid = CustomerView { arrears: Fen::ZERO, arrears_period: 0, months_owed: 0, ..customer() };
    assert_eq!(check(Topic::ArrearsReminder, &paid), Some(HoldReason::Paid));
    assert_eq!(check(Topic::CutOff, &paid), Some(HoldReason::Paid));
    assert_eq!(check(Topic::BillNotice, &paid), None, "the bill was issued all the same");
    let partly = CustomerView { arrears: Fen(5000), ..customer() };
    assert_eq!(check(Topic::ArrearsReminder, &partly), Some(HoldReason::FactsChanged));
    let oldest = CustomerView { arrears_period: 202_611, ..customer() };
    assert_eq!(check(Topic::ArrearsReminder, &oldest), Some(HoldReason::FactsChanged));
}

#[test]
fn a_balance_that_rose_is_not_warned_of_and_one_that_fell_is() {
    let view = |balance, episode| CustomerView { balance: Fen(balance), balance_episode: episode, ..customer() };
    assert_eq!(check(Topic::BalanceWarning, &view(1000, 4)), None);
    assert_eq!(check(Topic::BalanceWarning, &view(2500, 4)), Some(HoldReason::FactsChanged));
    assert_eq!(check(Topic::BalanceWarning, &view(9000, 5)), Some(HoldReason::Paid));
}

#[test]
fn bills_and_payments_that_were_put_right_are_told_anew() {
    let rebilled = CustomerView { bill_amount: Fen(1), ..customer() };
    assert_eq!(check(Topic::BillNotice, &rebilled), Some(HoldReason::FactsChanged));
    let next = CustomerView { bill_period: 202_611, ..customer() };
    assert_eq!(check(Topic::BillNotice, &next), Some(HoldReason::FactsChanged));
    let reversed = CustomerView { paid_amount: Fen(-10_000), payment_key: 100, ..customer() };
    assert_eq!(check(Topic::PaymentReceived, &reversed), Some(HoldReason::FactsChanged));
    let again = CustomerView { paid_amount: Fen(5), payment_key: 100, ..customer() };
    assert_eq!(check(Topic::PaymentReceived, &again), None, "the first payment stays a fact");
}

#[test]
fn every_change_of_the_address_has_its_reason() {
    let phone = |phone| CustomerView { phone, ..customer() };
    let same = customer().phone;
    for (now, expected) in [
        (Phone::NONE, Some(HoldReason::Erased)),
        (Phone::from_text("13900000001"), Some(HoldReason::AddressChanged)),
        (Phone::from_text("0351-4123456"), Some(HoldReason::AddressChanged)),
        (Phone::from_text("?"), Some(HoldReason::BadAddress)),
        (same.with_suspended(true), Some(HoldReason::SuspendedAddress)),
        (same.with_shared(true).with_verified_on(date("2026-11-20")), None),
    ] {
        assert_eq!(check(Topic::ArrearsReminder, &phone(now)), expected, "{now}");
    }
    let wechat = QueuedFacts { channel: Channel::Wechat, ..queued(Topic::ArrearsReminder) };
    assert_eq!(recheck(&rules(), &wechat, &phone(Phone::NONE), None, minute("2026-11-21T15:00")), None);
}

#[test]
fn what_the_customer_said_since_counts() {
    let with = |traits: Traits, preferences: Preferences| {
        let base = customer();
        CustomerView { traits: base.traits | traits, preferences: base.preferences | preferences, ..base }
    };
    let (no_traits, no_wishes) = (Traits::default(), Preferences::default());
    for (view, expected) in [
        (with(no_traits, Preferences::NO_SMS_SERVICE), HoldReason::OptedOut),
        (with(Traits::CLOSED, no_wishes), HoldReason::Closed),
        (with(Traits::DISPUTED, no_wishes), HoldReason::Disputed),
        (with(Traits::DEBIT_PENDING, no_wishes), HoldReason::DebitPending),
        (with(Traits::PAUSED, no_wishes), HoldReason::Paused),
        (with(Traits::DO_NOT_REMIND, no_wishes), HoldReason::DoNotRemind),
    ] {
        assert_eq!(check(Topic::ArrearsReminder, &view), Some(expected));
        let statutory = check(Topic::CutOff, &view);
        assert_eq!(
            statutory,
            (expected == HoldReason::Closed).then_some(expected),
            "no wish silences a statutory notice"
        );
    }
    let ended = CustomerView { traits: Traits::PREPAID, ..customer() };
    assert_eq!(check(Topic::BillNotice, &ended), Some(HoldReason::NoConsent));
}

#[test]
fn facts_that_grew_old_in_the_queue_are_not_told() {
    let old = CustomerView { arrears_as_of: date("2026-11-18"), ..customer() };
    assert_eq!(check(Topic::ArrearsReminder, &old), Some(HoldReason::StaleFacts));
}

#[test]
fn whatever_is_queued_passes_the_recheck_at_once() {
    for topic in Topic::ALL.iter().copied() {
        let sample = Sample::in_class(topic, TopicClass::Service);
        let guard = sample.guard().unwrap();
        let Verdict::Queue(p) = guard.consider(&decision(), &customer(), &Context::default()) else {
            panic!("{topic} is held")
        };
        let (channel, business_key, stated, phone) = (p.channel, p.business_key, p.stated, p.phone);
        let queued = QueuedFacts { topic, channel, business_key, stated, phone, sample: false };
        assert_eq!(recheck(&sample.rules, &queued, &customer(), None, sample.now), None, "{topic}");
    }
}

#[test]
fn a_policy_that_wants_fresher_facts_holds_just_before_submit_too() {
    // The topic allows two days.
    let day = |days: i32| CustomerView { arrears_as_of: date("2026-11-21").plus_days(-days), ..customer() };
    let check = |view: &CustomerView, policy_days| {
        recheck(&rules(), &queued(Topic::ArrearsReminder), view, policy_days, minute("2026-11-21T15:00"))
    };
    assert_eq!(check(&day(1), None), None);
    assert_eq!(check(&day(1), Some(1)), None);
    assert_eq!(check(&day(1), Some(0)), Some(HoldReason::StaleFacts));
    assert_eq!(check(&day(3), Some(9)), Some(HoldReason::StaleFacts), "a policy tightens and never loosens");
}

#[test]
fn a_sample_goes_to_its_test_number_as_long_as_what_it_says_is_so() {
    let sample = |topic| QueuedFacts { phone: Phone::from_text("13900000001"), sample: true, ..queued(topic) };
    let look = |topic, view: &CustomerView| recheck(&rules(), &sample(topic), view, None, minute("2026-11-21T15:00"));
    for topic in Topic::ALL {
        assert_eq!(look(*topic, &customer()), None, "{topic}: a test number is no changed address");
    }
    let reminder = |view: &CustomerView| look(Topic::ArrearsReminder, view);
    let phone = customer().phone.with_suspended(true);
    assert_eq!(reminder(&CustomerView { phone, ..customer() }), None, "nothing goes to the customer's number");
    assert_eq!(reminder(&CustomerView { phone: Phone::NONE, ..customer() }), Some(HoldReason::Erased));
    let paid = CustomerView { arrears: Fen::ZERO, arrears_period: 0, months_owed: 0, ..customer() };
    assert_eq!(reminder(&paid), Some(HoldReason::Paid));
    let partly = CustomerView { arrears: Fen(5000), ..customer() };
    assert_eq!(reminder(&partly), Some(HoldReason::FactsChanged));
    let old = CustomerView { arrears_as_of: date("2026-11-18"), ..customer() };
    assert_eq!(reminder(&old), Some(HoldReason::StaleFacts));
}
