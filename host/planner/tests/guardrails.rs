//! Every guardrail for every class, their order, and what a message looks like that passes them all.

#![expect(clippy::unwrap_used, reason = "a panic is the failure")]

mod common;

use common::{Context, Sample, customer, date, decision, manifest, minute};
use gridbell_model::{
    Channel, CivilMinute, CustomerView, Decision, Fen, Guardrail, HoldReason, Lane, OrgCode, Phone, PhoneClass,
    Preferences, Topic, TopicClass, Traits,
};
use gridbell_planner::{EXEMPTIONS, Foreseen, Judgement, Planned, Told, Verdict, recorded_verdicts};

fn verdict(sample: &Sample, decision: &Decision, view: &CustomerView, ctx: &Context) -> Verdict {
    let guard = sample.guard().unwrap();
    let verdict = guard.judge(decision, view, ctx, &mut guard.day_caps());
    // What a preview foresees is what is judged, but for the text: at this minute, and by the guard of another minute moved to it.
    let judged = match &verdict {
        Verdict::Held(reason) => Err(*reason),
        Verdict::Queue(p) => Ok(Foreseen {
            channel: p.channel,
            not_before: p.not_before,
            expires: p.expires,
            parts: p.text.parts,
            cost_milli_fen: p.text.cost_milli_fen,
            business_key: p.business_key,
            shares: p.shares,
        }),
    };
    for guard in [guard.at(sample.now.plus_minutes(777)).at(sample.now), guard] {
        let (mut caps, mut scratch) = (guard.day_caps(), "left over".to_owned());
        let foreseen = guard.foresee(decision, view, ctx, &mut scratch).and_then(|f| {
            let phone = if f.channel == Channel::Sms { view.phone.number() } else { 0 };
            caps.admit_one(view.row, (phone, f.shares), f.not_before.date(), ctx).map(|_| f)
        });
        assert_eq!(foreseen, judged);
    }
    verdict
}

fn held(sample: &Sample, view: &CustomerView) -> Option<HoldReason> {
    match verdict(sample, &decision(), view, &Context::default()) {
        Verdict::Held(reason) => Some(reason),
        Verdict::Queue(_) => None,
    }
}

fn planned(sample: &Sample, decision: &Decision, view: &CustomerView) -> Planned {
    match verdict(sample, decision, view, &Context::default()) {
        Verdict::Queue(planned) => *planned,
        Verdict::Held(reason) => panic!("held: {reason}"),
    }
}

/// Breaks exactly one guardrail.
fn broken(guardrail: Guardrail) -> (fn(&mut Sample), CustomerView, Decision, Context, HoldReason) {
    let (mut view, mut decision, mut ctx) = (customer(), decision(), Context::default());
    let mut change: fn(&mut Sample) = |_| {};
    let reason = match guardrail {
        Guardrail::Scope => {
            view.station = OrgCode(14_020_001);
            HoldReason::OutOfScope
        }
        Guardrail::Freshness => {
            view.balance_as_of = date("2026-11-18");
            HoldReason::StaleFacts
        }
        Guardrail::Template => {
            change = |s| s.templates.templates[0].status = gridbell_planner::TemplateStatus::Draft;
            HoldReason::NoTemplate
        }
        Guardrail::Address => {
            view.phone = Phone::NONE;
            HoldReason::NoAddress
        }
        Guardrail::Consent => {
            view.traits = view.traits.with(Traits::SUBSCRIBES_BALANCE, false);
            view.preferences = view.preferences.with(Preferences::MARKETING_CONSENT, false);
            HoldReason::NoConsent
        }
        Guardrail::OptOut => {
            let all = Preferences::NO_SMS_SERVICE | Preferences::NO_SMS_SUBSCRIBED | Preferences::NO_SMS_MARKETING;
            view.preferences = view.preferences.with(all, true);
            HoldReason::OptedOut
        }
        Guardrail::Exempt => {
            view.traits = view.traits.with(Traits::DO_NOT_REMIND, true);
            HoldReason::DoNotRemind
        }
        Guardrail::Closed => {
            view.traits = view.traits.with(Traits::CLOSED, true);
            HoldReason::Closed
        }
        Guardrail::Said => {
            view.balance_said = 1;
            HoldReason::AlreadySaid
        }
        Guardrail::Caps => {
            ctx.told = Told { customer: 1000, phone: 0 };
            HoldReason::CustomerCap
        }
        Guardrail::Window => {
            change = |s| s.now = minute("2026-11-21T12:00");
            decision.expires = minute("2026-11-21T15:00");
            HoldReason::NoWindow
        }
        Guardrail::BlastRadius => HoldReason::BlastRadius,
    };
    (change, view, decision, ctx, reason)
}

#[test]
fn every_guardrail_holds_exactly_the_classes_of_the_table() {
    let mut cells = 0;
    // The blast radius is judged of a run, not of a decision: see `blast`.
    for guardrail in Guardrail::ALL.iter().copied().filter(|g| *g != Guardrail::BlastRadius) {
        for class in TopicClass::ALL.iter().copied() {
            let (change, view, decision, ctx, reason) = broken(guardrail);
            let mut sample = Sample::in_class(Topic::BalanceWarning, class);
            change(&mut sample);
            let got = match verdict(&sample, &decision, &view, &ctx) {
                Verdict::Held(reason) => Some(reason),
                Verdict::Queue(_) => None,
            };
            assert_eq!(got, class.applies(guardrail).then_some(reason), "{guardrail} × {class}");
            // Asked one by one, the same guardrail and no other holds, and the outcome is the run's.
            let (list, outcome) = sample.guard().unwrap().verdicts(&decision, &view, &ctx, |_| Ok(()));
            assert_eq!(outcome, verdict(&sample, &decision, &view, &ctx), "{guardrail} × {class}");
            let holders: Vec<_> = list.iter().filter(|v| v.verdict == Judgement::Held).collect();
            assert_eq!(holders.iter().map(|v| v.reason).collect::<Vec<_>>(), Vec::from_iter(got.map(Some)));
            assert!(holders.iter().all(|v| v.check == guardrail.word()), "{guardrail} × {class}: {holders:?}");
            // What is recorded is that one: those before it passed.
            let kept = recorded_verdicts(class, got);
            let upto = kept.iter().position(|v| v.verdict == Judgement::Held).unwrap_or(kept.len() - 1);
            assert_eq!(kept[..upto], list[..upto], "{guardrail} × {class}");
            cells += 1;
        }
    }
    assert_eq!(cells, 11 * TopicClass::ALL.len());
}

/// A message's validity ends at the minute `expires`: it may go in the minute before, never in that one.
#[test]
fn validity_ends_at_its_minute() {
    let (change, view, mut decision, ctx, _) = broken(Guardrail::Window);
    let mut sample = Sample::in_class(Topic::BalanceWarning, TopicClass::Service);
    change(&mut sample);
    decision.expires = CivilMinute(i64::MAX / 2);
    let Verdict::Queue(planned) = verdict(&sample, &decision, &view, &ctx) else { panic!("it is held") };
    let opens = planned.not_before;
    decision.expires = opens;
    assert!(matches!(verdict(&sample, &decision, &view, &ctx), Verdict::Held(HoldReason::NoWindow)));
    decision.expires = opens.plus_minutes(1);
    let Verdict::Queue(planned) = verdict(&sample, &decision, &view, &ctx) else { panic!("it is held") };
    assert_eq!((planned.not_before, planned.expires), (opens, opens.plus_minutes(1)));
}

#[test]
fn a_customer_whom_nothing_holds_is_told_in_every_class() {
    for class in TopicClass::ALL {
        assert_eq!(Sample::in_class(Topic::BalanceWarning, *class).warnings(), Vec::<String>::new());
        assert_eq!(held(&Sample::in_class(Topic::BalanceWarning, *class), &customer()), None, "{class}");
    }
}

#[test]
fn of_several_reasons_the_first_of_the_documented_order_is_given() {
    let order = [
        Guardrail::Scope,
        Guardrail::Freshness,
        Guardrail::Address,
        Guardrail::OptOut,
        Guardrail::Consent,
        Guardrail::Exempt,
        Guardrail::Closed,
        Guardrail::Said,
    ];
    // Marketing knows all guardrails: break them from the last to the first, and each new one must take over.
    let sample = Sample::in_class(Topic::BalanceWarning, TopicClass::Marketing);
    let mut view = customer();
    for guardrail in order.into_iter().rev() {
        let (_, b, _, _, reason) = broken(guardrail);
        match guardrail {
            Guardrail::Scope => view.station = b.station,
            Guardrail::Freshness => view.balance_as_of = b.balance_as_of,
            Guardrail::Address => view.phone = b.phone,
            Guardrail::OptOut => view.preferences = view.preferences.with(Preferences::NO_SMS_MARKETING, true),
            Guardrail::Consent => view.preferences = view.preferences.with(Preferences::MARKETING_CONSENT, false),
            Guardrail::Said => view.balance_said = 1,
            _ => view.traits = view.traits | b.traits,
        }
        assert_eq!(held(&sample, &view), Some(reason), "{guardrail}");
    }
}

#[test]
fn exemptions_follow_their_table() {
    for topic in Topic::ALL.iter().copied() {
        let sample = Sample::in_class(topic, TopicClass::Service);
        for (bit, reason, topics) in EXEMPTIONS {
            let mut view = customer();
            view.traits = view.traits | *bit;
            let expected = topics.contains(&topic).then_some(*reason);
            assert_eq!(held(&sample, &view), expected, "{topic} {bit:?}");
        }
    }
    let told = |topic| {
        held(
            &Sample::in_class(topic, TopicClass::Service),
            &CustomerView {
                traits: Traits::DO_NOT_REMIND | Traits::DISPUTED | Traits::DEBIT_PENDING | Traits::PAUSED,
                ..customer()
            },
        )
    };
    assert_eq!(told(Topic::PaymentReceived), None, "a payment received is no reminder");
}

#[test]
fn a_correction_reaches_a_closed_account() {
    let mut view = customer();
    view.traits = view.traits | Traits::CLOSED;
    assert_eq!(held(&Sample::of(Topic::Correction), &view), None);
    assert_eq!(held(&Sample::of(Topic::PaymentReceived), &view), Some(HoldReason::Closed));
}

#[test]
fn each_kind_of_bad_address_has_its_reason() {
    let sample = Sample::of(Topic::BalanceWarning);
    let mobile = customer().phone;
    for (phone, reason) in [
        (Phone::NONE, HoldReason::NoAddress),
        (Phone::from_text("not a number"), HoldReason::BadAddress),
        (Phone::from_text("0351-4123456"), HoldReason::BadAddress),
        (mobile.with_class(PhoneClass::UnknownSegment), HoldReason::BadAddress),
        (mobile.with_suspended(true), HoldReason::SuspendedAddress),
    ] {
        assert_eq!(held(&sample, &CustomerView { phone, ..customer() }), Some(reason));
    }
    assert_eq!(held(&sample, &CustomerView { phone: mobile.with_shared(true), ..customer() }), None, "a warning only");
}

#[test]
fn a_run_reaches_its_scope_only() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.policy.scope = Some(OrgCode(140_106));
    assert_eq!(held(&sample, &customer()), Some(HoldReason::OutOfScope));
    sample.policy.scope = Some(OrgCode(140_105));
    assert_eq!(held(&sample, &customer()), None);
    sample.scope.orgs = vec![OrgCode(14_010_601), OrgCode(14_010_501)];
    assert_eq!(held(&sample, &customer()), None);
    sample.scope.sections.insert(12);
    assert_eq!(held(&sample, &customer()), Some(HoldReason::OutOfScope));
    sample.scope.sections.insert(11);
    assert_eq!(held(&sample, &customer()), None);
    sample.scope.exclude.insert(customer().account);
    assert_eq!(held(&sample, &customer()), Some(HoldReason::OutOfScope));
}

#[test]
fn facts_grow_stale_after_the_lower_of_both_limits() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    let at = |day: &str| CustomerView { balance_as_of: date(day), ..customer() };
    assert_eq!(held(&sample, &at("2026-11-19")), None, "two days old");
    assert_eq!(held(&sample, &at("2026-11-18")), Some(HoldReason::StaleFacts));
    sample.policy.freshness_days = Some(1);
    assert_eq!(held(&sample, &at("2026-11-19")), Some(HoldReason::StaleFacts));
    let unknown = CustomerView { balance_as_of: gridbell_model::Date::NONE, ..customer() };
    assert_eq!(held(&sample, &unknown), Some(HoldReason::StaleFacts));
}

#[test]
fn a_later_step_of_the_same_episode_passes_and_an_earlier_one_does_not() {
    let sample = Sample::of(Topic::BalanceWarning);
    let view = CustomerView { balance_said: 2, ..customer() };
    for (step, expected) in [(1, Some(HoldReason::AlreadySaid)), (2, Some(HoldReason::AlreadySaid)), (3, None)] {
        let d = Decision { step, ..decision() };
        let got = match verdict(&sample, &d, &view, &Context::default()) {
            Verdict::Held(reason) => Some(reason),
            Verdict::Queue(_) => None,
        };
        assert_eq!(got, expected, "step {step}");
    }
    // Topics without a column ask the context.
    let outage = Sample::of(Topic::Outage);
    let ctx = Context { said: true, ..Context::default() };
    assert_eq!(verdict(&outage, &decision(), &customer(), &ctx), Verdict::Held(HoldReason::AlreadySaid));
}

#[test]
fn caps_count_within_the_run_and_per_phone() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.policy.caps.per_phone = Some(3);
    sample.policy.caps.per_customer = Some(1);
    let guard = sample.guard().unwrap();
    let mut caps = guard.day_caps();
    let ctx = Context { told: Told { customer: 0, phone: 1 }, ..Context::default() };
    let mut verdict = |row: u32| {
        let view = CustomerView { row, ..customer() };
        match guard.judge(&Decision { row, ..decision() }, &view, &ctx, &mut caps) {
            Verdict::Held(reason) => Some(reason),
            Verdict::Queue(_) => None,
        }
    };
    assert_eq!(verdict(1), None);
    assert_eq!(verdict(1), Some(HoldReason::CustomerCap));
    assert_eq!(verdict(2), None);
    assert_eq!(verdict(3), Some(HoldReason::PhoneCap), "one was told before the run, two in it");
}

#[test]
fn tomorrows_message_counts_tomorrow() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.policy.caps.per_customer = Some(1);
    let guard = sample.guard().unwrap();
    let mut caps = guard.day_caps();
    let today = decision();
    let tomorrow = Decision { not_before: minute("2026-11-22T09:00"), ..decision() };
    for (d, expected) in [(today, true), (tomorrow, true), (today, false), (tomorrow, false)] {
        let passed = matches!(guard.judge(&d, &customer(), &Context::default(), &mut caps), Verdict::Queue(_));
        assert_eq!(passed, expected);
    }
}

#[test]
fn a_message_knows_its_text_parts_cost_and_times() {
    let sample = Sample::of(Topic::BalanceWarning);
    let p = planned(&sample, &decision(), &customer());
    assert_eq!(p.text.text, "【国网山西电力】您好，户号尾号6789当前余额19.53元，请留意。");
    assert_eq!((p.text.chars, p.text.parts, p.text.cost_milli_fen), (34, 1, 3500));
    assert_eq!((p.channel, p.hop, p.template_version, p.lane), (Channel::Sms, 0, 1, Lane::Bulk));
    assert_eq!((p.business_key, p.step, p.stated), (4, 1, Fen(1953)));
    assert_eq!((p.not_before, p.expires), (common::now(), minute("2026-11-22T10:00")));
    assert_eq!(sample.guard().unwrap().sender(), "95598");
}

#[test]
fn a_message_outside_the_windows_moves_to_the_next_one() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    let at = |sample: &Sample, d: &Decision| planned(sample, d, &customer()).not_before;
    sample.now = minute("2026-11-21T11:30");
    assert_eq!(at(&sample, &decision()), minute("2026-11-21T15:00"));
    sample.now = minute("2026-11-21T17:30");
    assert_eq!(at(&sample, &decision()), minute("2026-11-22T09:00"));
    let later = Decision { not_before: minute("2026-11-23T16:10"), ..decision() };
    assert_eq!(at(&sample, &later), minute("2026-11-23T16:10"));
    // Weekends are passed over where the city sends on working days: 21 November 2026 is a Saturday.
    sample.policy.days = gridbell_planner::SendDays::Working;
    sample.policy.validity_minutes = Some(3 * 1440);
    assert_eq!(at(&sample, &decision()), minute("2026-11-23T09:00"));
}

#[test]
fn the_provinces_quiet_hours_cut_a_citys_windows_but_not_a_statutory_notice() {
    let mut sample = Sample::in_class(Topic::BalanceWarning, TopicClass::Service);
    sample.policy.windows = vec!["06:00-23:00".parse().unwrap()];
    sample.now = minute("2026-11-21T06:30");
    assert_eq!(planned(&sample, &decision(), &customer()).not_before, minute("2026-11-21T08:00"));
    let mut sample = Sample { now: sample.now, ..Sample::in_class(Topic::BalanceWarning, TopicClass::Statutory) };
    sample.policy.windows.clear();
    assert_eq!(planned(&sample, &decision(), &customer()).not_before, minute("2026-11-21T06:30"));
}

#[test]
fn what_a_plugin_wants_far_away_is_dropped() {
    let sample = Sample::of(Topic::BalanceWarning);
    for d in [
        Decision { not_before: CivilMinute(i64::MAX), ..decision() },
        Decision { not_before: minute("2027-06-01T10:00"), ..decision() },
        Decision { expires: CivilMinute(0), ..decision() },
    ] {
        assert_eq!(
            verdict(&sample, &d, &customer(), &Context::default()),
            Verdict::Held(HoldReason::NoWindow),
            "{d:?}"
        );
    }
    let forever = Decision { expires: CivilMinute(i64::MAX), ..decision() };
    assert_eq!(planned(&sample, &forever, &customer()).expires, minute("2026-12-22T10:00"), "31 days at most");
}

#[test]
fn a_route_falls_back_to_the_next_channel() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    let d = Decision { route: 1, ..decision() };
    let p = planned(&sample, &d, &customer());
    assert_eq!((p.channel, p.hop), (Channel::Sms, 1), "no WeChat text, no WeChat address");
    let mut wechat = sample.templates.templates[0].clone();
    wechat.channel = Channel::Wechat;
    wechat.text = format!("template: OPENTM412543817\nfirst: {}", wechat.text);
    sample.templates.templates.push(wechat);
    let ctx = Context { wechat: true, ..Context::default() };
    let Verdict::Queue(p) = verdict(&sample, &d, &customer(), &ctx) else { panic!("held") };
    assert_eq!((p.channel, p.hop, p.text.parts, p.text.cost_milli_fen), (Channel::Wechat, 0, 1, 0));
    assert!(!p.text.text.contains('【'), "the signature is for SMS");
    // A bad number is what a clerk can mend; a missing WeChat address is not.
    let view = CustomerView { phone: Phone::from_text("0351-4123456"), ..customer() };
    assert_eq!(verdict(&sample, &d, &view, &Context::default()), Verdict::Held(HoldReason::BadAddress));
}

#[test]
fn a_fact_that_is_not_there_makes_no_text() {
    let mut sample = Sample::of(Topic::ArrearsReminder);
    sample.templates.templates[0].text = "您好，违约金自{{ late_fee_from }}起算。".to_owned();
    let view = CustomerView { late_fee_from: gridbell_model::Date::NONE, ..customer() };
    assert_eq!(held(&sample, &view), Some(HoldReason::RenderFailed));
}

#[test]
fn a_text_that_no_longer_fits_its_notice_counts_as_not_approved() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.templates.templates[0].text = "您好{{ gone }}".to_owned();
    assert_eq!(held(&sample, &customer()), Some(HoldReason::NoTemplate));
    let warnings = sample.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("unknown placeholder `gone`"), "{warnings:?}");
}

#[test]
fn a_policy_without_the_plugins_route_makes_no_guard() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.policy.routes.remove("app-first");
    let e = sample.guard().unwrap_err().to_string();
    assert!(e.contains("`balance`") && e.contains("`app-first`"), "{e}");
    assert_eq!(manifest(Topic::Campaign).routes(), ["default", "app-first"]);
}
