//! The text that several accounts of one number share: what it may say, what it comes to, and that a cap counts it once.

mod common;

use common::{Context, Sample, customer, decision, rules};
use gridbell_contract::{Arg, Notice, Unit};
use gridbell_model::{Channel, CustomerView, Date, Decision, HoldReason, Sharing, Topic};
use gridbell_planner::{Facts, GuardContext, MAX_TOGETHER, RenderError, Template, TemplateStatus, Told, Verdict};
use proptest::prelude::*;

const OWN: &str = "户号{{ account_tail }}欠{{ amount }}元，{{ second }}起收违约金，截至{{ as_of }}。";
const MERGED: &str = "{{ count }}户共欠{{ amount }}元，截至{{ as_of }}。";

fn template(merged: &str) -> Template {
    Template {
        topic: Topic::ArrearsReminder,
        notice: "low".to_owned(),
        channel: Channel::Sms,
        version: 3,
        status: TemplateStatus::Approved,
        text: OWN.to_owned(),
        omits: Vec::new(),
        merged: Some(merged.to_owned()),
    }
}

fn notice() -> Notice {
    let arg = |name: &str, unit| Some(Arg { name: name.to_owned(), unit });
    let (arg0, arg1) = (arg("amount", Unit::Fen), arg("second", Unit::Date));
    Notice { name: "low".to_owned(), title: "x".to_owned(), arg0, arg1 }
}

fn facts(view: &CustomerView, fen: i64, date: i32) -> Facts<'static> {
    Facts::of(Topic::ArrearsReminder, view, [fen, i64::from(date)], "城西供电所", "太原", "95598")
}

#[test]
fn a_second_text_says_nothing_that_the_first_does_not() {
    let refused = |template: &Template| template.compile(&notice(), &rules()).map(|_| ()).unwrap_err().to_string();
    for (merged, why) in [
        ("{{ count }}户共{{ amount }}元，截至{{ as_of }}，尾号{{ account_tail }}", "`account_tail`"),
        ("{{ count }}户共{{ amount }}元，截至{{ as_of }}，{{ station }}", "`station`"),
        ("{{ count }}户共{{ amount }}元，截至{{ as_of }}，{{ months_owed }}个月", "`months_owed`"),
        ("您的户共{{ amount }}元，截至{{ as_of }}", "`count` is missing"),
        ("{{ count }}户欠费，截至{{ as_of }}", "`amount` is missing"),
        ("{{ count }}户共{{ amount }}元", "`as_of` is missing"),
        ("{{ count }}户共{{ amount", "not closed"),
        ("【国网】{{ count }}户共{{ amount }}元，截至{{ as_of }}", "【】"),
    ] {
        let said = refused(&template(merged));
        assert!(said.contains(why) && said.contains("`merged`"), "{merged}: {said}");
    }
    let wechat = Template {
        channel: Channel::Wechat,
        text: "template: A\na: {{ amount }}{{ second }}{{ as_of }}".into(),
        ..template(MERGED)
    };
    assert!(refused(&wechat).contains("by SMS"), "{}", refused(&wechat));
    let mut counted = notice();
    counted.arg1.as_mut().unwrap().name = "count".to_owned();
    let text = OWN.replace("second", "count");
    let said = Template { text, ..template(MERGED) }.compile(&counted, &rules()).unwrap_err().to_string();
    assert!(said.contains("number of its own"), "{said}");
    let none = Template { merged: None, ..template(MERGED) }.compile(&notice(), &rules()).unwrap();
    assert!(none.merged().is_none());
}

#[test]
fn money_is_added_up_and_what_differs_is_not_merged() {
    let with_date = "{{ count }}户共欠{{ amount }}元，{{ second }}起收违约金，截至{{ as_of }}。";
    let compiled = template(with_date).compile(&notice(), &rules()).unwrap();
    let merged = compiled.merged().unwrap();
    let day = Date(20_773).0;
    let one = |fen| facts(&customer(), fen, day);
    let plan = |all: &[Facts<'_>]| merged.plan(all, 3_500);
    let told = plan(&[one(1_953), one(5), one(100_000)]).unwrap().unwrap();
    assert!(told.text.contains("3户共欠1019.58元，11月16日起收违约金，截至"), "{}", told.text);
    assert_eq!(told.cost_milli_fen, u32::from(told.parts) * 3_500);
    assert_eq!(merged.sameness(&one(1)), merged.sameness(&one(2)));
    let other = facts(&customer(), 1, day + 1);
    assert_ne!(merged.sameness(&one(1)), merged.sameness(&other));
    assert_eq!(plan(&[one(1), other]), Ok(None), "another date");
    assert_eq!(plan(&[one(i64::MAX), one(1)]), Ok(None), "no sum");
    assert_eq!(plan(&vec![one(1); MAX_TOGETHER + 1]), Ok(None), "too many");
    assert!(plan(&vec![one(1); MAX_TOGETHER]).unwrap().is_some());
    assert_eq!(plan(&[]), Ok(None));
    let unknown = Facts { as_of: Date::NONE, ..one(1) };
    assert_eq!(merged.sameness(&unknown), None);
    assert_eq!(plan(&[one(1), unknown]), Err(RenderError::MissingFact));
}

proptest! {
    /// Whatever the accounts are, the text says their sum, and only those share one that say the same besides.
    #[test]
    fn the_sum_is_that_of_the_accounts(amounts in prop::collection::vec(0..1_000_000_i64, 1..MAX_TOGETHER)) {
        let compiled = template(MERGED).compile(&notice(), &rules()).unwrap();
        let all: Vec<_> = amounts.iter().map(|fen| facts(&customer(), *fen, 20_773)).collect();
        let told = compiled.merged().unwrap().plan(&all, 1).unwrap().unwrap();
        let sum: i64 = amounts.iter().sum();
        let expected = format!("{}户共欠{}.{:02}元", amounts.len(), sum / 100, sum % 100);
        prop_assert!(told.text.contains(&expected), "{} for {expected}", told.text);
    }
}

/// A run of accounts that have one number, each with what became of it.
fn run(sample: &Sample, ctx: &dyn GuardContext, accounts: u32) -> Vec<Result<Sharing, HoldReason>> {
    let guard = sample.guard().expect("a guard");
    let mut caps = guard.day_caps();
    let one = |row: u32| {
        let view = CustomerView { row, ..customer() };
        match guard.consider(&Decision { row, ..decision() }, &view, ctx) {
            Verdict::Queue(planned) => caps.admit(&planned, ctx),
            Verdict::Held(why) => panic!("{why}"),
        }
    };
    (1..=accounts).map(one).collect()
}

#[test]
fn accounts_that_share_a_message_count_once_for_their_number() {
    let mut sample = Sample::of(Topic::BalanceWarning);
    sample.policy.caps.per_phone = Some(2);
    let ctx = Context { told: Told { customer: 0, phone: 1 }, ..Context::default() };
    use Sharing::{Alone, Counted, Rides};
    assert_eq!(run(&sample, &ctx, 2), [Ok(Alone), Err(HoldReason::PhoneCap)], "without a second text");
    for template in &mut sample.templates.templates {
        template.merged = Some("{{ count }}户余额共{{ amount }}元。".to_owned());
    }
    assert_eq!(run(&sample, &ctx, 4), [Ok(Counted), Ok(Rides), Ok(Rides), Ok(Rides)]);
    // What is too many for one message is a further one, which counts again.
    let many = run(&sample, &ctx, u32::try_from(MAX_TOGETHER).unwrap() + 3);
    assert_eq!(many.iter().filter(|r| r.is_ok()).count(), MAX_TOGETHER);
    assert_eq!(many.last(), Some(&Err(HoldReason::PhoneCap)));
    let full = Context { told: Told { customer: 0, phone: 2 }, ..Context::default() };
    assert_eq!(run(&sample, &full, 2), [Err(HoldReason::PhoneCap); 2], "nobody rides with nobody");
}
