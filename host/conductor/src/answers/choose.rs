//! Which notice answers a question, with its numbers: from what is true of the customer, and nothing else. Pure.

use gridbell_model::{AccountNumber, CivilMinute, CustomerView, Date, Moment, PrefectureCode, Topic, Traits};
use gridbell_planner::ProvinceRules;
use gridbell_screens::{Book, Content, Kind};

use super::Asked;

/// What is said: the notice by its name, and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) notice: &'static str,
    pub(super) args: [i64; 2],
}

fn plain(notice: &'static str) -> Said {
    Said { notice, args: [0, 0] }
}

/// The answer to `asked` from what is true of `view` on `today`. `may_know`: whether whoever asked may be told the account's data.
pub(super) fn choose(
    asked: Asked,
    view: &CustomerView,
    may_know: bool,
    outage: Option<Outage>,
    (rules, today): (&ProvinceRules, Date),
) -> Said {
    match asked {
        Asked::Help => plain("help"),
        Asked::Balance if may_know => money(view, rules, today),
        Asked::Balance => plain("verify"),
        Asked::TooMany => plain("too-many"),
        Asked::Outage => outage.map_or(plain("no-outage"), Outage::said),
        Asked::OptOut => plain("opt-out"),
        Asked::OptOutChannel => plain("opt-out-channel"),
        Asked::SubscribedBill => plain("subscribed-bill"),
        Asked::SubscribedBalance => plain("subscribed-balance"),
        Asked::SubscribedOutage => plain("subscribed-outage"),
        Asked::WrongNumber => plain("wrong-number"),
    }
}

fn money(view: &CustomerView, rules: &ProvinceRules, today: Date) -> Said {
    let prepaid = view.traits.has(Traits::PREPAID);
    let (topic, amount, as_of) = if prepaid {
        (Topic::BalanceWarning, view.balance, view.balance_as_of)
    } else {
        (Topic::ArrearsReminder, view.arrears, view.arrears_as_of)
    };
    let Some(day) = as_of.some() else { return plain("no-fact") };
    let age = i64::from(today.0) - i64::from(day.0);
    let stale = rules.topic(topic).freshness_days.is_some_and(|most| age > i64::from(most));
    let day = i64::from(day.0);
    match (prepaid, stale) {
        (true, false) => Said { notice: "balance", args: [amount.0, day] },
        (true, true) => Said { notice: "balance-stale", args: [amount.0, day] },
        (false, false) if amount.0 <= 0 => Said { notice: "nothing-owed", args: [0, day] },
        (false, false) => Said { notice: "arrears", args: [amount.0, day] },
        (false, true) => Said { notice: "arrears-stale", args: [amount.0.max(0), day] },
    }
}

/// When an outage is that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    begins: Option<CivilMinute>,
    ends: Option<CivilMinute>,
}

impl Outage {
    fn of(content: &Content) -> Option<Self> {
        let kinds = [Kind::PlannedOutage, Kind::TemporaryOutage, Kind::Fault, Kind::Rationing];
        let minute = |m: Option<Moment>| m.map(|m| m.civil_minute());
        let is_one = kinds.contains(&content.kind);
        is_one.then(|| Self { begins: minute(content.begins), ends: minute(content.ends) })
    }

    fn said(self) -> Said {
        match (self.begins, self.ends) {
            (Some(from), Some(until)) => Said { notice: "outage", args: [from.0, until.0] },
            (Some(from), None) => Said { notice: "outage-from", args: [from.0, 0] },
            _ => plain("outage-undated"),
        }
    }
}

/// The next outage, or the one under way, that a notice in force announces where the customer's reading section is. None where nobody entered
/// the community: then nothing is known of it.
pub(crate) fn outage(book: &Book, prefecture: PrefectureCode, section: u32, now: Moment) -> Option<Outage> {
    if section == 0 {
        return None;
    }
    let communities = book.of_sections(prefecture, &[section]);
    let shown = communities.iter().flat_map(|community| book.shown(community, now));
    let found = shown.filter_map(|notice| Outage::of(&notice.latest()?.content));
    // What is over is history, though its notice may hang for a while.
    let coming = found.filter(|o| o.ends.is_none_or(|ends| ends >= now.civil_minute()));
    coming.min_by_key(|o| o.begins.map_or(i64::MAX, |b| b.0))
}

/// The next time that the customer is without power by the outages that count, or the one under way. Who keeps another source is not without.
pub(crate) fn own_outage(book: &gridbell_outages::Book, account: AccountNumber, now: Moment) -> Option<Outage> {
    let mut cuts = book.answer(account, &[], now).outages.into_iter();
    let cut = cuts.find(|about| about.level != gridbell_outages::Level::Part)?;
    // Beyond its end and not restored: nobody knows until when.
    let ends = cut.until.filter(|until| *until >= now).map(|until| until.civil_minute());
    Some(Outage { begins: Some(cut.from.civil_minute()), ends })
}

#[cfg(test)]
mod tests {
    use gridbell_model::{Fen, OrgCode, Phone, Preferences};

    use super::*;

    fn view() -> CustomerView {
        let phone = Phone::from_text("13800000000");
        CustomerView {
            row: 0,
            account: "1400000000001".parse::<AccountNumber>().unwrap(),
            phone,
            station: OrgCode(1),
            section: 7,
            traits: Traits::default(),
            preferences: Preferences::default(),
            arrears: Fen(0),
            arrears_period: 0,
            late_fee_from: Date::NONE,
            months_owed: 0,
            reminded_step: 0,
            bill_period: 0,
            bill_issued: Date::NONE,
            bill_amount: Fen(0),
            bill_kwh: 0,
            bill_said: 0,
            arrears_as_of: Date(20_000),
            balance: Fen(1_953),
            balance_as_of: Date(20_000),
            threshold: u32::MAX,
            balance_episode: 0,
            balance_said: 0,
            paid_amount: Fen(0),
            paid_on: Date::NONE,
            payment_key: 0,
            payment_said: false,
            last_message: 0,
        }
    }

    #[test]
    fn money_has_its_date_and_what_is_old_is_called_so() {
        let rules =
            gridbell_planner::ProvinceRules::parse("province.toml", include_str!("../../../../policies/province.toml"))
                .unwrap();
        let said = |view: &CustomerView, may_know, day| {
            choose(Asked::Balance, view, may_know, None, (&rules, Date(day))).notice
        };
        let prepaid = CustomerView { traits: Traits::PREPAID, ..view() };
        let owing = CustomerView { arrears: Fen(500), ..view() };
        assert_eq!([20_001, 20_002, 20_003].map(|d| said(&prepaid, true, d)), ["balance", "balance", "balance-stale"]);
        assert_eq!([20_001, 20_003].map(|d| said(&owing, true, d)), ["arrears", "arrears-stale"]);
        assert_eq!([20_001, 20_003].map(|d| said(&view(), true, d)), ["nothing-owed", "arrears-stale"]);
        let unknown = CustomerView { balance_as_of: Date::NONE, ..prepaid };
        assert_eq!(said(&unknown, true, 20_001), "no-fact");
        for of in [prepaid, owing, view(), unknown] {
            assert_eq!(said(&of, false, 20_001), "verify", "whoever is not known is told nothing");
        }
        let got = choose(Asked::Balance, &prepaid, true, None, (&rules, Date(20_001)));
        assert_eq!(got.args, [1_953, 20_000]);
    }

    #[test]
    fn an_outage_is_said_with_what_is_known_of_its_time() {
        let at = |n| Some(CivilMinute(n));
        for (outage, notice, args) in [
            (Outage { begins: at(10), ends: at(20) }, "outage", [10, 20]),
            (Outage { begins: at(10), ends: None }, "outage-from", [10, 0]),
            (Outage { begins: None, ends: at(20) }, "outage-undated", [0, 0]),
        ] {
            assert_eq!(outage.said(), Said { notice, args });
        }
    }
}
