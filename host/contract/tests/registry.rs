//! The registry against itself, against the model, and against the files that are made from it.

use std::path::Path;

use gridbell_contract::{ColumnType, ContractError, Registry, column, fact, generated, trigger};
use gridbell_model::{Date, Fen, Traits};

#[test]
fn traits_are_the_models() {
    let registry: Vec<(u32, &str)> = Registry::get().traits().iter().map(|t| (1 << t.bit, t.name.as_str())).collect();
    let model: Vec<(u32, &str)> = Traits::WORDS.iter().map(|(bit, word)| (bit.0, *word)).collect();
    assert_eq!(registry, model, "wit/registry.toml and gridbell_model::Traits must list the same bits");
}

#[test]
fn names_and_ids_find_the_same_entry() {
    let r = Registry::get();
    for c in r.columns() {
        assert_eq!(r.column(c.id), r.column_named(&c.name));
        assert_eq!(c.ty.bytes() * 8, c.ty.word()[1..].parse::<usize>().unwrap());
    }
    for t in r.triggers() {
        assert_eq!(r.trigger(t.id), r.trigger_named(&t.name));
    }
    for f in r.facts() {
        assert_eq!(r.fact(f.id), r.fact_named(&f.name));
    }
    assert_eq!(r.column_named("arrears").unwrap().id, column::ARREARS);
    assert_eq!(r.trigger_named("payment-received").unwrap().id, trigger::PAYMENT_RECEIVED);
    assert_eq!(r.fact_named("previous-run").unwrap().id, fact::PREVIOUS_RUN);
    assert!(r.column_named("phone").is_none(), "no personal data may ever be a column");
}

#[test]
fn none_is_what_the_model_says_it_is() {
    for c in Registry::get().columns() {
        match c.unit.as_str() {
            "date" => assert_eq!((c.ty, c.none), (ColumnType::S32, Some(Date::NONE.0.into())), "{}", c.name),
            "yyyymm" => assert_eq!((c.ty, c.none), (ColumnType::U32, Some(0)), "{}", c.name),
            "step" => assert_eq!((c.ty, c.none), (ColumnType::U8, None), "{}: step 0 is a value", c.name),
            "fen" if c.ty == ColumnType::S64 => assert_eq!(c.range.1, Fen::MAX_PLAUSIBLE.0, "{}", c.name),
            _ => {}
        }
    }
}

#[test]
fn ids_never_change() {
    // What compiled plugins out there were built with. A line may be added, never edited.
    let released = [
        "1 traits u32",
        "2 arrears s64",
        "3 arrears-period u32",
        "4 late-fee-from s32",
        "5 months-owed u8",
        "6 reminded-step u8",
        "7 bill-period u32",
        "8 bill-issued s32",
        "9 bill-amount s64",
        "10 bill-kwh u32",
        "11 bill-said u8",
        "12 balance s64",
        "13 balance-as-of s32",
        "14 threshold u32",
        "15 balance-episode u16",
        "16 balance-said u8",
        "17 paid-amount s64",
        "18 paid-on s32",
        "19 arrears-as-of s32",
    ];
    let now: Vec<String> =
        Registry::get().columns().iter().map(|c| format!("{} {} {}", c.id.0, c.name, c.ty.word())).collect();
    for line in released {
        assert!(now.iter().any(|n| n == line), "`{line}` was released and must stay");
    }
}

#[test]
fn generated_files_are_up_to_date() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in generated(Registry::get()) {
        let found = std::fs::read_to_string(top.join(file.path)).unwrap_or_default();
        assert!(
            found == file.text,
            "{} differs from the registry: run `cargo run -p gridbell-contract --example generate`",
            file.path
        );
    }
}

#[test]
fn a_wrong_registry_is_refused_with_the_entry_named() {
    let good = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/registry.toml")).unwrap();
    let cases = [
        ("id = 19\n", "id = 2\n", "id 2 is used twice"),
        ("name = \"paid-on\"", "name = \"arrears\"", "name is used twice"),
        ("range = [0, 255]", "range = [0, 256]", "does not fit the type u8"),
        ("none = 4294967295", "none = 7", "outside the range"),
        ("none-means = \"no bill yet\"\n", "", "come together"),
        ("name = \"paid-on\"", "name = \"Paid On\"", "kebab case"),
        ("bit = 19", "bit = 32", "32 bits"),
    ];
    for (from, to, problem) in cases {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = Registry::parse(&text).unwrap_err();
        assert!(matches!(error, ContractError::Registry { .. }));
        assert!(error.to_string().contains(problem), "{error}");
    }
}
