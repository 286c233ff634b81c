//! Texts: what is refused when they are saved, and what comes out.

mod common;

use common::{customer, manifest, rules};
use gridbell_contract::{Arg, Notice, Unit};
use gridbell_model::{Channel, Date, Topic, TopicClass};
use gridbell_planner::{
    Facts, MAX_PARTS, ProvinceRules, RenderError, Template, TemplateFile, TemplateStatus, TopicRule, answers_manifest,
    parts, states_account,
};
use proptest::prelude::*;

fn template(text: &str) -> Template {
    Template {
        topic: Topic::ArrearsReminder,
        notice: "low".to_owned(),
        channel: Channel::Sms,
        version: 3,
        status: TemplateStatus::Draft,
        text: text.to_owned(),
        omits: Vec::new(),
        merged: None,
    }
}

fn notice(unit0: Unit, unit1: Unit) -> Notice {
    let arg = |name: &str, unit| Some(Arg { name: name.to_owned(), unit });
    Notice { name: "low".to_owned(), title: "x".to_owned(), arg0: arg("amount", unit0), arg1: arg("second", unit1) }
}

fn facts(args: [i64; 2]) -> Facts<'static> {
    Facts::of(Topic::ArrearsReminder, &customer(), args, "城西供电所", "太原", "95598")
}

const ALL: &str = "{{ amount }}/{{second}}/{{ as_of }}/";

#[test]
fn numbers_are_written_as_customers_read_them() {
    let text = |unit, value| {
        let compiled = template(ALL).compile(&notice(Unit::Fen, unit), &rules()).unwrap();
        let text = compiled.plan(&facts([1_234_567, value]), 3500).unwrap().text;
        text.split('/').nth(1).unwrap().to_owned()
    };
    assert_eq!(text(Unit::Fen, 7), "0.07");
    assert_eq!(text(Unit::Fen, -1953), "-19.53");
    assert_eq!(text(Unit::Fen, i64::MIN), "-92233720368547758.08");
    assert_eq!(text(Unit::Date, 20_773), "11月16日");
    assert_eq!(text(Unit::Days, -3), "-3");
    assert_eq!(text(Unit::Kwh, 12_800), "12800");
    assert_eq!(text(Unit::Count, 0), "0");
    assert_eq!(text(Unit::CivilMinute, Date(20_773).at(9, 5).0), "11月16日09:05");
}

#[test]
fn host_facts_are_there() {
    let text = "{{ amount }}{{ second }}|{{ account_tail }}|{{ station }}|{{ prefecture }}|{{ hotline }}|{{ as_of }}|\
                {{ period }}|{{ late_fee_from }}|{{ months_owed }}";
    let compiled = template(text).compile(&notice(Unit::Count, Unit::Count), &rules()).unwrap();
    let plan = compiled.plan(&facts([1, 2]), 0).unwrap();
    assert_eq!(plan.text, "【国网山西电力】12|6789|城西供电所|太原|95598|11月20日|2026年10月|11月28日|1");
}

#[test]
fn a_fact_that_is_not_known_makes_no_text() {
    let notice = notice(Unit::Fen, Unit::Date);
    let compiled = template(ALL).compile(&notice, &rules()).unwrap();
    for value in [i64::from(i32::MIN), i64::MAX, i64::MIN] {
        assert_eq!(compiled.plan(&facts([1, value]), 0), Err(RenderError::MissingFact), "{value}");
    }
    let chosen = format!("{ALL}{{% if period %}}{{{{ period }}}}{{% else %}}本期{{% endif %}}");
    let compiled = template(&chosen).compile(&notice, &rules()).unwrap();
    let without = Facts { period: 0, ..facts([1, 20_773]) };
    assert!(compiled.plan(&without, 0).unwrap().text.ends_with("本期"), "a text may ask whether a fact is known");
    let without = Facts { as_of: Date::NONE, ..facts([1, 20_773]) };
    assert_eq!(compiled.plan(&without, 0), Err(RenderError::MissingFact));
}

#[test]
fn a_text_chooses_by_numbers() {
    let text = format!("{ALL}{{% if second > 5 %}}多{{% elif second == 5 %}}五{{% else %}}少{{% endif %}}");
    let compiled = template(&text).compile(&notice(Unit::Fen, Unit::Days), &rules()).unwrap();
    let last = |n| compiled.plan(&facts([1, n]), 0).unwrap().text.chars().last().unwrap();
    assert_eq!([last(6), last(5), last(4)], ['多', '五', '少']);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let refused =
        |text: &str| template(text).compile(&notice(Unit::Fen, Unit::Days), &rules()).unwrap_err().to_string();
    let known = "known are amount, second, account_tail, station, prefecture, hotline, as_of, period, late_fee_from, months_owed";
    for (text, expected) in [
        ("您好\n尾号{{ amont }}{{ amount }}", format!("2:6: unknown placeholder `amont`: {known}")),
        (
            "{{ amount }}{{ second }}",
            "1:25: the placeholder `as_of` is missing: say it as `{{ as_of }}`, or list it in `omits`".to_owned(),
        ),
        (
            "{{ amount }}元，截至{{ as_of }}",
            "1:28: the placeholder `second` is missing: say it as `{{ second }}`, or list it in `omits`".to_owned(),
        ),
        ("您好{{ amount", "1:3: this tag is not closed: write `}}` behind it".to_owned()),
        (
            "{% for x in amount %}{% endfor %}",
            "1:1: `for` is not allowed in a text: use `if`, `elif`, `else`, `endif`".to_owned(),
        ),
        (
            "您{{ amount * 9 }}",
            "1:2: `*` is not allowed in a tag: texts show placeholders and choose, nothing else".to_owned(),
        ),
        (
            "您{{ range(9) }}",
            "1:2: `(` is not allowed in a tag: texts show placeholders and choose, nothing else".to_owned(),
        ),
        (
            "【国网】{{ amount }}",
            "1:1: 【】 are for the signature, which is added by itself: use other brackets".to_owned(),
        ),
        ("{# x #}", "1:1: comments are not allowed in a text: delete `{# … #}`".to_owned()),
        ("a\tb", "1:2: the character U+0009 cannot be sent: delete it".to_owned()),
        ("", "1:1: the text has 0 characters, 1 to 1000 are allowed".to_owned()),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    assert!(
        refused("{% if amount %}{{ second }}{{ as_of }}").contains("endif")
            || refused("{% if amount %}").contains("unexpected")
    );
    let long = "长".repeat(600) + ALL;
    assert!(refused(&long).contains(&format!("more than {MAX_PARTS} parts")));
}

#[test]
fn an_omission_is_said_and_must_exist() {
    let mut t = template("截至{{ as_of }}欠{{ amount }}元");
    t.omits = vec!["second".to_owned()];
    assert!(t.compile(&notice(Unit::Fen, Unit::Days), &rules()).is_ok());
    t.omits.push("sceond".to_owned());
    let e = t.compile(&notice(Unit::Fen, Unit::Days), &rules()).unwrap_err().to_string();
    assert!(e.contains("`omits` names `sceond`"), "{e}");
}

#[test]
fn only_marketing_carries_opt_out_words() {
    let mut rules = rules();
    let text = |rules: &ProvinceRules| {
        template(ALL).compile(&notice(Unit::Fen, Unit::Days), rules).unwrap().sample().text.clone()
    };
    assert!(!text(&rules).contains(&rules.opt_out));
    let marketing = TopicRule { class: TopicClass::Marketing, ..rules.topic(Topic::ArrearsReminder) };
    rules.topics.insert(Topic::ArrearsReminder, marketing);
    assert!(text(&rules).ends_with("拒收请回复R"));
}

proptest! {
    /// Plain texts are laid out as segments: they must say what the engine says. A condition that is always true forces the engine.
    #[test]
    fn segments_say_what_the_engine_says(
        pieces in prop::collection::vec(prop_oneof![
            Just("{{ amount }}"), Just("{{second}}"), Just("{{ as_of }}"), Just("{{  station }}"), Just("您好"), Just("，"), Just("}"),
            Just("\n"), Just(" "), Just("{"), Just("😀"), Just("a%"),
        ], 0..20),
        amount in any::<i64>(), second in any::<i64>(),
    ) {
        let plain = format!("{}-{ALL}", pieces.concat());
        prop_assume!(!plain.contains("{{{") && !plain.contains("}}}"));
        let notice = notice(Unit::Fen, Unit::Days);
        let Ok(fast) = template(&plain).compile(&notice, &rules()) else { return Ok(()) };
        let slow = template(&format!("{plain}{{% if as_of %}}{{% endif %}}")).compile(&notice, &rules()).unwrap();
        let sizes = [&fast, &slow].map(|text| text.size(&facts([amount, second]), 3500, &mut "left over".to_owned()).unwrap());
        let (fast, slow) = (fast.plan(&facts([amount, second]), 3500), slow.plan(&facts([amount, second]), 3500));
        prop_assert_eq!(&fast, &slow);
        let plan = fast.unwrap();
        for size in sizes {
            prop_assert_eq!((size.chars, size.parts, size.cost_milli_fen), (plan.chars, plan.parts, plan.cost_milli_fen));
        }
        prop_assert_eq!(plan.parts, parts(&plan.text));
        prop_assert_eq!(plan.chars as usize, plan.text.encode_utf16().count());
        prop_assert_eq!(plan.cost_milli_fen, u32::from(plan.parts) * 3500);
    }
}

#[test]
fn a_file_of_texts_is_refused_with_its_lines() {
    let text = r#"[[template]]
topic = "balance-warning"
notice = "low"
channel = "sms"
version = 1
status = "approved"
text = "余额{{ amount }}元，{{ days }}天，截至{{ as_off }}"

[[template]]
topic = "balance-warning"
notice = "lo"
channel = "sms"
version = 1
status = "approved"
text = "余额"
"#;
    let file = TemplateFile::parse("templates.toml", text).unwrap();
    let e = file.check(&[manifest(Topic::BalanceWarning)], &rules()).unwrap_err().to_string();
    assert_eq!(
        e,
        "templates.toml:7:1: template[0].text: line 1, column 34 of the text: unknown placeholder `as_off`: \
         known are amount, days, account_tail, station, prefecture, hotline, as_of\n\
         templates.toml:15:1: template[1].text: no plugin for balance-warning has a notice `lo`"
    );
    let twice = text.replace("\"lo\"", "\"low\"").replace("status = \"approved\"", "status = \"aproved\"");
    let e = TemplateFile::parse("templates.toml", &twice).unwrap_err().to_string();
    assert_eq!(
        e.lines().next().unwrap(),
        "templates.toml:6:10: template[0].status: `aproved` is not a status: use `draft` or `approved`"
    );
}

#[test]
fn an_answer_to_whoever_has_the_number_cannot_name_the_account() {
    for notice in answers_manifest().notices() {
        let own: String =
            [&notice.arg0, &notice.arg1].into_iter().flatten().map(|a| format!("{{{{ {} }}}}", a.name)).collect();
        for placeholder in ["account_tail", "station", "prefecture"] {
            let text = format!("您好{{{{ {placeholder} }}}}{own}");
            let (topic, channel, status) = (Topic::Answer, Channel::Sms, TemplateStatus::Approved);
            let notice_name = notice.name.clone();
            let template = Template {
                topic,
                notice: notice_name,
                channel,
                version: 1,
                status,
                text,
                omits: Vec::new(),
                merged: None,
            };
            assert_eq!(template.compile(notice, &rules()).is_ok(), states_account(&notice.name), "{}", notice.name);
        }
    }
}
