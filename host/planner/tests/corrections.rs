//! Corrections: what a text may say, and which guardrails hold one.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{calendar, customer, minute, org, policy, rules};
use gridbell_model::{
    Channel, CivilMinute, CustomerView, Fen, HoldReason, Lane, Phone, PrefectureCode, Preferences, Topic, Traits,
};
use gridbell_planner::{
    CorrectionSetup, CorrectionText, Corrector, Planned, TemplateFile, WrongMessage, recheck_correction,
};

const PLAIN: &str = "此前的短信有误，深表歉意。";

fn judged(
    topic: Topic,
    text: &str,
    view: &CustomerView,
    now: CivilMinute,
    change: impl Fn(&mut WrongMessage),
) -> Result<Planned, HoldReason> {
    let (rules, calendar, org, policy) = (rules(), calendar(), org(), policy(Topic::BalanceWarning));
    let texts = [(Channel::Sms, text.to_owned())];
    let setup = CorrectionSetup {
        rules: &rules,
        calendar: &calendar,
        org: &org,
        prefecture: PrefectureCode(140_100),
        topic,
        policy: Some(&policy),
        cost_per_part_milli_fen: 9,
        texts: &texts,
        now,
    };
    let phone = customer().phone;
    let mut wrong = WrongMessage { channel: Channel::Sms, phone, address_lost: None, decision: (0, 0, 1) };
    change(&mut wrong);
    Corrector::new(setup).unwrap().judge(&wrong, view)
}

fn morning() -> CivilMinute {
    minute("2026-11-21T10:00")
}

#[test]
fn it_goes_by_the_wrong_ones_channel_with_the_signature_and_without_opt_out_words() {
    for topic in [Topic::ArrearsReminder, Topic::Campaign, Topic::Outage, Topic::BillNotice] {
        let planned = judged(topic, PLAIN, &customer(), morning(), |_| ()).unwrap();
        assert_eq!((planned.phone, planned.channel, planned.stated), (customer().phone, Channel::Sms, Fen::ZERO));
        assert_eq!(planned.text.text, format!("{}{PLAIN}", rules().signature), "{topic}");
    }
    let wechat = judged(Topic::ArrearsReminder, PLAIN, &customer(), morning(), |w| w.channel = Channel::Wechat);
    assert_eq!(wechat.unwrap_err(), HoldReason::NoTemplate);
    let lost = |w: &mut WrongMessage| w.address_lost = Some(HoldReason::AddressChanged);
    assert_eq!(judged(Topic::Outage, PLAIN, &customer(), morning(), lost).unwrap_err(), HoldReason::AddressChanged);
}

#[test]
fn the_evening_waits_for_the_morning_and_an_outage_does_not_wait() {
    let night = minute("2026-11-21T22:30");
    let waits = judged(Topic::ArrearsReminder, PLAIN, &customer(), night, |_| ()).unwrap();
    assert!(waits.not_before > minute("2026-11-22T07:59") && waits.lane == Lane::Bulk, "{}", waits.not_before);
    let outage = judged(Topic::Outage, PLAIN, &customer(), night, |_| ()).unwrap();
    assert_eq!((outage.not_before, outage.lane), (night, Lane::Urgent));
}

#[test]
fn an_opt_out_holds_it_unless_what_was_wrong_could_not_be_silenced() {
    let silent = CustomerView { preferences: Preferences::NO_SMS_SERVICE, ..customer() };
    assert_eq!(judged(Topic::ArrearsReminder, PLAIN, &silent, morning(), |_| ()).unwrap_err(), HoldReason::OptedOut);
    assert!(judged(Topic::Outage, PLAIN, &silent, morning(), |_| ()).is_ok());
    // What exempts from being urged does not keep an apology back.
    let exempt = CustomerView { traits: customer().traits | Traits::DO_NOT_REMIND | Traits::DISPUTED, ..customer() };
    assert!(judged(Topic::ArrearsReminder, PLAIN, &exempt, morning(), |_| ()).is_ok());
}

#[test]
fn nothing_of_an_account_is_said_where_the_number_or_the_holder_is_another() {
    let tail = "致歉，户号尾号{{ account_tail }}的短信有误。";
    let closed = CustomerView { traits: customer().traits | Traits::CLOSED, ..customer() };
    assert_eq!(judged(Topic::Campaign, tail, &closed, morning(), |_| ()).unwrap_err(), HoldReason::Closed);
    assert!(judged(Topic::Campaign, PLAIN, &closed, morning(), |_| ()).is_ok());
    for (phone, why) in [
        (Phone::NONE, HoldReason::Erased),
        (customer().phone.with_suspended(true), HoldReason::SuspendedAddress),
        (Phone::from_text("13900000001"), HoldReason::AddressChanged),
        (Phone::from_text("?"), HoldReason::BadAddress),
    ] {
        let view = CustomerView { phone, ..customer() };
        assert_eq!(judged(Topic::Campaign, PLAIN, &view, morning(), |_| ()).unwrap_err(), why);
    }
}

#[test]
fn what_it_states_is_what_is_so_and_is_looked_at_again() {
    let text = "致歉，截至{{ as_of }}余额{{ amount }}元。";
    let planned = judged(Topic::BalanceWarning, text, &customer(), morning(), |_| ()).unwrap();
    assert_eq!(planned.stated, customer().balance);
    assert!(planned.text.text.contains(&customer().balance.yuan()), "{}", planned.text.text);
    let queued = gridbell_planner::QueuedFacts {
        topic: Topic::BalanceWarning,
        channel: Channel::Sms,
        business_key: planned.business_key,
        stated: planned.stated,
        phone: planned.phone,
        sample: false,
    };
    let look = |view: &CustomerView, says| recheck_correction(&rules(), &queued, view, says, None, morning());
    let fell = CustomerView { balance: customer().balance - Fen(1), ..customer() };
    assert_eq!(look(&customer(), (true, true)), None);
    assert_eq!(look(&fell, (true, true)), Some(HoldReason::FactsChanged));
    assert_eq!(look(&fell, (false, true)), None, "a text that states nothing stays true");
    let old = CustomerView { balance_as_of: gridbell_model::Date::NONE, ..customer() };
    assert_eq!(look(&old, (true, true)), Some(HoldReason::StaleFacts));
}

#[test]
fn a_text_apologises_says_the_day_of_its_facts_and_nothing_that_its_topic_has_not() {
    let check =
        |text: &str, topic| CorrectionText::new(text, Channel::Sms, topic, &rules()).map(|t| t.sample().text.clone());
    let says = check("抱歉，截至{{ as_of }}欠费{{ amount }}元。", Topic::ArrearsReminder).unwrap();
    assert!(says.contains("123.45元") && says.starts_with('【'), "{says}");
    for (text, topic, words) in [
        ("有误。", Topic::Outage, "apologises"),
        ("致歉{{ amount }}", Topic::Outage, "unknown placeholder `amount`"),
        ("致歉{{ amount }}", Topic::BillNotice, "as_of"),
        ("致歉{{ months_owed }}", Topic::ArrearsReminder, "as_of"),
        ("致歉{% for x in y %}", Topic::Outage, ""),
    ] {
        let error = check(text, topic).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let file = |notice: &str, text: &str| {
        let text = format!(
            "[[template]]\ntopic = \"correction\"\nnotice = \"{notice}\"\nchannel = \"sms\"\nversion = 1\nstatus = \"approved\"\ntext = \"{text}\"\n"
        );
        TemplateFile::parse("t", &text).unwrap().check(&[], &rules()).map_err(|e| e.to_string())
    };
    file("arrears-reminder", PLAIN).unwrap();
    assert!(file("reminder", PLAIN).unwrap_err().contains("`reminder` is no topic"));
    assert!(file("outage", "有误").unwrap_err().contains("apologises"));
}
