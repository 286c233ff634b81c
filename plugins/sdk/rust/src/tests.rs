//! Dates, working days, parameters, and the manifest's words.

use crate::json::{Reader, Writer};
use crate::testing::TestRun;
use crate::{Counting, Date, Fen, List, Parameter, choice};

#[test]
fn dates_split_and_join_over_four_centuries() {
    assert_eq!(Date::of(1970, 1, 1), Date(0));
    assert_eq!(Date::of(2026, 11, 21).weekday(), 5, "a Saturday");
    let (mut date, last) = (Date::of(1899, 12, 31), Date::of(2300, 1, 1));
    let mut before = date.ymd();
    while date < last {
        date = date.plus(1);
        let (y, m, d) = date.ymd();
        assert_eq!(Date::of(y, m, d), date);
        let next_day = (y, m, d) == (before.0, before.1, before.2 + 1);
        let next_month = d == 1 && (y, m) == (before.0, before.1 + 1);
        let next_year = (m, d) == (1, 1) && y == before.0 + 1;
        assert!(next_day || next_month || next_year, "{before:?} is followed by {y}-{m}-{d}");
        before = (y, m, d);
    }
    assert_eq!(Date::of(2024, 2, 28).plus(1).ymd(), (2024, 2, 29));
    assert_eq!(Date::of(2100, 2, 28).plus(1).ymd(), (2100, 3, 1), "2100 is no leap year");
    assert_eq!(Date::NONE.plus(7), Date::NONE, "none stays none");
    assert_eq!(Date::of(2026, 3, 1).at(9, 30).date(), Date::of(2026, 3, 1));
    assert_eq!(Date(-1).at(23, 59).date(), Date(-1));
}

#[test]
fn working_days_know_moved_weekends() {
    // National Day 2026 as an example: 1 to 7 October off, Saturday the 10th worked for it.
    let mut run = TestRun::on(Date::of(2026, 9, 30), "{}");
    for day in 1..=7 {
        run = run.day(Date::of(2026, 10, day), false);
    }
    let run = run.day(Date::of(2026, 10, 10), true);
    let run = run.run();
    let w = run.workdays;
    assert!(w.works(Date::of(2026, 10, 10)) && !w.works(Date::of(2026, 10, 11)) && !w.works(Date::of(2026, 10, 5)));
    // From Wednesday the 30th: that day, then nothing until Thursday the 8th.
    assert_eq!(run.ahead(1, Counting::Working), Date::of(2026, 10, 8));
    assert_eq!(run.ahead(4, Counting::Working), Date::of(2026, 10, 12), "the 30th, 8th, 9th and the worked Saturday");
    assert_eq!(run.ahead(4, Counting::Calendar), Date::of(2026, 10, 4));
    assert_eq!(w.back(Date::of(2026, 10, 8), 1), Date::of(2026, 10, 7));
    assert_eq!(w.back(Date::of(2026, 10, 8), 2), Date::of(2026, 9, 29));
    assert_eq!(w.back(Date::of(2026, 10, 8), 0), Date::of(2026, 10, 8));
}

#[test]
fn ahead_and_back_are_the_last_dates_that_count_so_many() {
    let run =
        TestRun::on(Date::of(2026, 2, 27), "{}").day(Date::of(2026, 3, 2), false).day(Date::of(2026, 2, 28), true);
    let run = run.run();
    let (w, today) = (run.workdays, run.today());
    for n in 0..40_u16 {
        let (ahead, back) = (w.ahead(today, n), w.back(today, n));
        assert!(w.between(today, ahead) <= n.into() && w.between(today, ahead.plus(1)) > n.into(), "ahead {n}");
        let after = |d: Date| w.between(d.plus(1), today.plus(1));
        assert!(after(back) >= n.into() && (n == 0 || after(back.plus(1)) < n.into()), "back {n}");
    }
}

#[test]
fn where_the_calendar_ends_weekdays_are_taken() {
    let run = TestRun::on(Date::of(2026, 12, 31), "{}").calendar_until(Date::of(2026, 12, 31));
    let run = run.run();
    assert_eq!(run.workdays.known_until(), Date::of(2026, 12, 31));
    assert_eq!(run.ahead(2, Counting::Working), Date::of(2027, 1, 4), "Thursday and Friday, then a weekend");
}

#[test]
fn parameters_are_read_as_json_spells_them() {
    let number = |text: &str| Reader::new(text).integer();
    assert_eq!((number(" 7"), number("-12"), number("7.0")), (Ok(7), Ok(-12), Ok(7)));
    for wrong in ["", "7.5", "1e3", "x", "99999999999999999999", "-"] {
        assert!(number(wrong).is_err(), "{wrong}");
    }
    assert_eq!(u8::read(&mut Reader::new("256")), Err("parameters: a number is too large or too small"));
    let list = List::<u16, 3>::read(&mut Reader::new("[ 3 , 1,2 ]")).expect("a list");
    assert_eq!((&*list, &*list.descending()), (&[3, 1, 2][..], &[3, 2, 1][..]));
    assert!(List::<u16, 3>::read(&mut Reader::new("[1,2,3,4]")).is_err(), "too long");
    assert_eq!(&*List::<u16, 4>::of(&[5, 5, 9]).descending(), [9, 5]);
    assert_eq!(Fen::read(&mut Reader::new("100")), Ok(Fen(100)));

    let mut seen = Vec::new();
    let text = r#"{ "a": {"b": [1, "x\"}", null, true, -1.5e3]}, "c" : 2 }"#;
    Reader::new(text)
        .object(|key, r| {
            seen.push(String::from_utf8_lossy(key).into_owned());
            r.skip()
        })
        .expect("an object");
    assert_eq!(seen, ["a", "c"]);
    for wrong in ["", "{", "{\"a\"", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "[", "{\"a\":\"x", "{\"a\":\"\\", "{1:2}"] {
        assert!(Reader::new(wrong).object(|_, r| r.skip()).is_err(), "{wrong}");
    }
    let deep = "[".repeat(5000);
    assert!(Reader::new(&deep).skip().is_err(), "no recursion without end");
}

choice! {
    /// For the test.
    enum Shade {
        /// 深
        DarkBlue,
        /// 浅
        LightBlue,
    }
}

#[test]
fn a_choice_is_one_of_its_words() {
    assert_eq!(Shade::read(&mut Reader::new("\"light-blue\"")), Ok(Shade::LightBlue));
    for wrong in ["\"LightBlue\"", "\"light\"", "\"light-blue-\"", "\"\"", "7"] {
        assert!(Shade::read(&mut Reader::new(wrong)).is_err(), "{wrong}");
    }
    let mut out = Writer::default();
    out.open('{');
    Shade::schema(&mut out, None);
    out.key("default");
    Shade::DarkBlue.write(&mut out);
    out.close('}');
    assert_eq!(
        out.finish(),
        r#"{"type":"string","enum":["dark-blue","light-blue"],"x-enum-titles":["深","浅"],"default":"dark-blue"}"#
    );
}

#[test]
fn written_text_is_json() {
    let mut out = Writer::default();
    out.open('[').text("a\"b\\c\nd").integer(i64::MIN).integer(0).boolean(true).open('{').close('}').close(']');
    assert_eq!(out.finish(), r#"["a\"b\\c d",-9223372036854775808,0,true,{}]"#);
}
