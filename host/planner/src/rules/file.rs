//! The rules as a TOML file.

use std::collections::BTreeMap;

use gridbell_model::{PrefectureCode, Topic, TopicClass};

use super::{
    BlastRules, ClassRule, DEFAULT_SHARED_PHONE_ACCOUNTS, MAX_COUNT, MAX_DAYS, MAX_MINUTES, ParameterLimit,
    ProvinceRules, RecordKind, Senders, ShareRules, TopicRule,
};
use crate::answers::{AnswerRules, MAX_ANSWERS_PER_MINUTE};
use crate::error::Problems;
use crate::policy::Caps;
use crate::read::{Document, Fields, Item};

/// Limits of parameters at most: a handful for each plugin.
const MAX_LIMITS: usize = 200;

impl ProvinceRules {
    /// Reads the file `document` with the content `text`.
    ///
    /// # Errors
    /// With all mistakes, each with line, column and field.
    pub fn parse(document: &str, text: &str) -> Result<Self, Problems> {
        let doc = Document::new(text);
        let read = doc.parse();
        let rules = read.as_ref().and_then(|root| read_rules(Fields::new(&doc, "", root.span(), root.get_ref())));
        let places: BTreeMap<String, _> = match &read {
            Some(root) => Fields::new(&doc, "", root.span(), root.get_ref())
                .all()
                .into_iter()
                .flat_map(|(name, item)| item.pointers().into_iter().map(move |(p, at)| (format!("/{name}{p}"), at)))
                .collect(),
            None => BTreeMap::new(),
        };
        let rules = doc.finish(document, rules)?;
        let mut problems = rules.problems();
        for problem in &mut problems {
            problem.place = places.get(&format!("/{}", problem.field.replace('.', "/"))).copied();
        }
        Problems::refuse(document, problems)?;
        Ok(rules)
    }
}

fn read_rules(mut f: Fields<'_, '_>) -> Option<ProvinceRules> {
    let name = f.required("name").and_then(|i| i.short_text(40));
    let holds_from = f.required("holds_from").and_then(|i| i.parsed());
    let signature = f.required("signature").and_then(|i| i.short_text(40));
    let hotline = f.required("hotline").and_then(|i| i.short_text(20));
    let opt_out = f.required("opt_out").and_then(|i| i.short_text(20));
    let senders = f.required("senders").and_then(|i| i.fields()).and_then(read_senders);
    let topics = f.optional("topic").and_then(|i| i.fields()).map(read_topics).unwrap_or_default();
    let classes = f.optional("class").and_then(|i| i.fields()).map(read_classes).unwrap_or_default();
    let blast_radius = f.optional("blast_radius").and_then(|i| i.fields()).map(read_blast).unwrap_or_default();
    let shared = f.optional("shared_phone_accounts").and_then(|i| i.integer(1..=i64::from(MAX_COUNT)));
    let shared_phone_accounts = shared.unwrap_or(DEFAULT_SHARED_PHONE_ACCOUNTS);
    let retention_days = f.optional("retention_days").and_then(|i| i.fields()).map(read_retention).unwrap_or_default();
    let limits = f.optional("parameter_limits").map(|i| i.list(MAX_LIMITS)).unwrap_or_default();
    let parameter_limits = limits.iter().filter_map(|item| item.fields().and_then(read_limit)).collect();
    let share = f.optional("share").and_then(|i| i.fields()).map(read_share).unwrap_or_default();
    let answers = f.optional("answers").and_then(|i| i.fields()).map(read_answers).unwrap_or_default();
    f.finish();
    Some(ProvinceRules {
        name: name?,
        holds_from: holds_from?,
        signature: signature?,
        hotline: hotline?,
        opt_out: opt_out?,
        senders: senders?,
        topics,
        classes,
        blast_radius,
        shared_phone_accounts,
        retention_days,
        parameter_limits,
        share,
        answers,
    })
}

fn read_share(mut f: Fields<'_, '_>) -> ShareRules {
    let weight = |item: &Item<'_, '_>| item.integer(1..=i64::from(MAX_COUNT));
    let prefectures = f.optional("prefecture").and_then(|i| i.fields());
    let prefectures = prefectures.map(|f| keyed(f, |_: &PrefectureCode, item| weight(item))).unwrap_or_default();
    let topics = f.optional("topic").and_then(|i| i.fields());
    let topics = topics.map(|f| keyed(f, |_: &Topic, item| weight(item))).unwrap_or_default();
    f.finish();
    ShareRules { prefectures, topics }
}

fn read_answers(mut f: Fields<'_, '_>) -> AnswerRules {
    let default = AnswerRules::default();
    let most = i64::from(MAX_COUNT);
    let enabled = f.optional("enabled").and_then(|i| i.boolean()).unwrap_or(default.enabled);
    let per_hour = f.optional("per_hour").and_then(|i| i.integer(1..=most)).unwrap_or(default.per_hour);
    let per_day = f.optional("per_day").and_then(|i| i.integer(1..=most)).unwrap_or(default.per_day);
    let in_all = f.optional("per_minute_in_all").and_then(|i| i.integer(1..=i64::from(MAX_ANSWERS_PER_MINUTE)));
    let cost = f.optional("cost_per_part_milli_fen").and_then(|i| i.integer(0..=1_000_000));
    f.finish();
    AnswerRules {
        enabled,
        per_hour,
        per_day,
        per_minute_in_all: in_all.unwrap_or(default.per_minute_in_all),
        cost_per_part_milli_fen: cost.unwrap_or(default.cost_per_part_milli_fen),
    }
}

fn read_limit(mut f: Fields<'_, '_>) -> Option<ParameterLimit> {
    const WIDE: i64 = 1 << 53;
    let plugin = f.required("plugin").and_then(|i| i.short_text(64));
    let parameter = f.required("parameter").and_then(|i| i.short_text(64));
    let min = f.optional("min").and_then(|i| i.integer(-WIDE..=WIDE));
    let max = f.optional("max").and_then(|i| i.integer(-WIDE..=WIDE));
    f.finish();
    Some(ParameterLimit { plugin: plugin?, parameter: parameter?, min, max })
}

fn read_senders(mut f: Fields<'_, '_>) -> Option<Senders> {
    let customer = f.required("customer").and_then(|i| i.short_text(21));
    let staff = f.required("staff").and_then(|i| i.short_text(21));
    f.finish();
    Some(Senders { customer: customer?, staff: staff? })
}

/// The entries of a table whose keys are words that `T` knows.
fn keyed<T: std::str::FromStr<Err: std::fmt::Display> + Ord, V>(
    mut f: Fields<'_, '_>,
    read: impl Fn(&T, &Item<'_, '_>) -> Option<V>,
) -> BTreeMap<T, V> {
    let mut map = BTreeMap::new();
    for (word, item) in f.all() {
        match word.parse::<T>() {
            Ok(key) => map.extend(read(&key, &item).map(|value| (key, value))),
            Err(e) => item.note(e.to_string()),
        }
    }
    map
}

fn read_topics(f: Fields<'_, '_>) -> BTreeMap<Topic, TopicRule> {
    keyed(f, |_: &Topic, item| {
        let mut f = item.fields()?;
        let class = f.required("class").and_then(|i| i.parsed());
        let freshness_days = f.optional("freshness_days").and_then(|i| i.integer(0..=i64::from(MAX_DAYS)));
        let validity = f.required("validity_minutes").and_then(|i| i.integer(1..=i64::from(MAX_MINUTES)));
        let reissues = f.optional("reissues").map_or(Some(0), |i| i.integer(0..=10));
        f.finish();
        Some(TopicRule { class: class?, freshness_days, validity_minutes: validity?, reissues: reissues? })
    })
}

fn read_classes(f: Fields<'_, '_>) -> BTreeMap<TopicClass, ClassRule> {
    keyed(f, |_: &TopicClass, item| {
        let mut f = item.fields()?;
        let quiet = f.optional("quiet").and_then(|i| i.parsed());
        let mut cap = |name| f.optional(name).and_then(|i| i.integer(1..=i64::from(MAX_COUNT)));
        let caps = Caps { per_customer: cap("per_customer"), per_phone: cap("per_phone") };
        f.finish();
        Some(ClassRule { quiet, caps })
    })
}

fn read_blast(mut f: Fields<'_, '_>) -> BlastRules {
    let default = BlastRules::default();
    let multiple = f.optional("multiple").and_then(|i| i.integer(2..=100)).unwrap_or(default.multiple);
    let history = f.optional("history").and_then(|i| i.integer(1..=366)).unwrap_or(default.history);
    let least_history = f.optional("least_history").and_then(|i| i.integer(1..=366)).unwrap_or(default.least_history);
    let floor = f.optional("floor").and_then(|i| i.integer(0..=1_000_000)).unwrap_or(default.floor);
    f.finish();
    BlastRules { multiple, history, least_history, floor }
}

fn read_retention(mut f: Fields<'_, '_>) -> BTreeMap<RecordKind, u32> {
    let mut map = BTreeMap::new();
    for (word, item) in f.all() {
        match RecordKind::ALL.into_iter().find(|k| k.word() == word) {
            Some(kind) => map.extend(item.integer(1..=36_600).map(|days| (kind, days))),
            None => item.note(format!(
                "`{word}` is no kind of record: use one of {}",
                RecordKind::ALL.map(RecordKind::word).join(", ")
            )),
        }
    }
    map
}
