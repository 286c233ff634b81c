//! The generated province: the same from every side, true to the codes, in the shares that it claims, and readable by the importer.
#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use std::collections::{HashMap, HashSet};
use std::io::Cursor;
use std::sync::Arc;

use gridbell_clock::Seed;
use gridbell_intake::{BalanceRow, BillRow, CustomerRow, Import, Options, PaymentRow, Row, Warning, read_segments};
use gridbell_model::{Date, Fen, OrgLevel, PhoneClass, PrefectureCode, Traits};
use gridbell_simulators::province::{Bill, Contact, CsvKind, Customer, PREFECTURES, Payment, Province};

const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const YUNCHENG: PrefectureCode = PrefectureCode(140_800);

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn province(customers: u64) -> Province {
    Province::new(Seed(7), customers, day("2026-11-21"))
}

#[test]
fn a_customer_does_not_depend_on_how_many_there_are_or_who_was_asked_for_before() {
    let (small, large) = (province(20_000), province(60_000));
    for code in [TAIYUAN, YUNCHENG] {
        let few: Vec<Customer> = small.customers(code).collect();
        let many: Vec<Customer> = large.customers(code).collect();
        assert!(few.len() > 2_000 && many.len() > 2 * few.len());
        assert_eq!(few[..], many[..few.len()]);
        let bills: Vec<Bill> = small.bills(code).collect();
        assert_eq!(bills[..], large.bills(code).take(bills.len()).collect::<Vec<_>>()[..]);
    }
    let other: Vec<Customer> = Province::new(Seed(8), 20_000, day("2026-11-21")).customers(TAIYUAN).collect();
    assert_ne!(small.customers(TAIYUAN).collect::<Vec<_>>(), other);
    // All of them, and no more.
    for n in [0, 1, 10, 12_345] {
        let p = province(n);
        assert_eq!(p.prefectures().map(|(_, n)| n).sum::<u64>(), n);
        let counted: usize = p.prefectures().map(|(c, _)| p.customers(PrefectureCode(c.code)).count()).sum();
        assert_eq!(counted as u64, n);
    }
    assert_eq!(small.customers(PrefectureCode(110_100)).count(), 0);
}

#[test]
fn codes_are_shanxis_and_every_customer_hangs_on_a_station() {
    let province = province(50_000);
    let tree = province.org_tree();
    assert_eq!(tree.prefectures().count(), 11);
    assert_eq!(tree.iter().filter(|u| u.level == OrgLevel::County).count(), 117, "Shanxi has 117 counties");
    for unit in tree.iter().filter(|u| u.level != OrgLevel::Province) {
        let parent = tree.get(unit.parent.unwrap()).unwrap();
        let digits = if unit.level == OrgLevel::Prefecture { 10_000 } else { 100 };
        assert_eq!(
            unit.code.0 / digits,
            parent.code.0 / if unit.level == OrgLevel::County { 100 } else { 1 },
            "{unit:?}"
        );
    }
    let mut accounts = HashSet::new();
    for prefecture in PREFECTURES {
        let code = PrefectureCode(prefecture.code);
        for c in province.customers(code) {
            assert_eq!(tree.get(c.station).unwrap().level, OrgLevel::Station);
            assert_eq!(tree.prefecture_of(c.station), Some(code));
            assert_eq!(c.section / 100, c.station.0);
            assert!(accounts.insert(c.account), "{} comes twice", c.account);
        }
    }
    assert!(accounts.iter().any(|a| a.to_string().starts_with('0')), "leading zeros are in it");
}

#[test]
fn shares_are_what_they_claim_to_be() {
    let province = province(400_000);
    let customers: Vec<Customer> =
        PREFECTURES.iter().flat_map(|p| province.customers(PrefectureCode(p.code))).collect();
    let n = customers.len() as f64;
    let share = |f: &dyn Fn(&Customer) -> bool| customers.iter().filter(|c| f(c)).count() as f64 / n;
    let has = |bit: Traits| share(&move |c: &Customer| c.traits.has(bit));
    // Share and tolerance.
    let close = |name: &str, is: f64, should: f64| {
        let tolerance = 0.003 + should * 0.05;
        assert!((is - should).abs() < tolerance, "{name}: {is} instead of {should}");
    };
    close("resident", has(Traits::RESIDENT), 0.90);
    close("firm", has(Traits::FIRM), 0.084);
    close("prepaid", has(Traits::PREPAID), 0.534);
    close("closed", has(Traits::CLOSED), 0.015);
    close("do not remind", has(Traits::DO_NOT_REMIND), 0.003);
    close("subscribes to bills", has(Traits::SUBSCRIBES_BILL), 0.25 * 0.466);
    close("no phone", share(&|c| c.contact == Contact::None), 0.03);
    close("bad phone", share(&|c| matches!(c.contact, Contact::Bad(_))), 0.014);
    close("landline", share(&|c| matches!(c.contact, Contact::Landline(..))), 0.022);
    let mut users: HashMap<u64, u32> = HashMap::new();
    for c in &customers {
        if let Contact::Mobile(number) = c.contact {
            *users.entry(number).or_default() += 1;
        }
    }
    let shared: u32 = users.values().filter(|n| **n > 1).sum();
    close("shared phone", f64::from(shared) / n, 0.035);
    assert!(users.values().all(|n| *n < 40), "a landlord has no hundreds of flats");
    // Prefectures are as unequal as they are.
    let sizes: Vec<u64> = province.prefectures().map(|(_, n)| n).collect();
    assert!(sizes.iter().max() > sizes.iter().min().map(|n| n * 3).as_ref());

    let balances: Vec<_> = PREFECTURES.iter().flat_map(|p| province.balances(PrefectureCode(p.code))).collect();
    let share = |f: &dyn Fn(Fen, Date) -> bool| {
        balances.iter().filter(|b| f(b.balance, b.as_of)).count() as f64 / balances.len() as f64
    };
    close("computed today", share(&|_, as_of| as_of == province.today()), 0.988);
    close("overdrawn", share(&|b, _| b < Fen::ZERO), 0.012);
    close("below thirty yuan", share(&|b, _| b >= Fen::ZERO && b < Fen(3_000)), 0.107);
}

#[test]
fn money_fits_together() {
    let province = province(100_000);
    let today = province.today();
    let (mut open_bills, mut open_late, mut today_paid) = (0, 0, 0);
    for p in PREFECTURES {
        let code = PrefectureCode(p.code);
        let bills: Vec<Bill> = province.bills(code).collect();
        assert!(bills.windows(2).all(|w| w[0].account != w[1].account || w[0].period < w[1].period));
        let mut owed: HashMap<_, i64> = HashMap::new();
        for b in &bills {
            assert!(b.issued <= today && b.late_fee_from > b.issued && b.amount >= Fen::ZERO);
            *owed.entry(b.account).or_default() += b.amount.0;
        }
        let billed: HashSet<_> = bills.iter().map(|b| b.account).collect();
        let past: Vec<Payment> = province.payments(code).collect();
        let day = province.day_payments(code);
        assert!(past.iter().all(|p| p.paid_at.date() < today && p.amount > Fen::ZERO));
        assert!(day.iter().all(|p| p.paid_at.date() == today));
        assert!(day.windows(2).all(|w| w[0].paid_at <= w[1].paid_at));
        let mut ids = HashSet::new();
        for p in past.iter().chain(&day) {
            assert!(ids.insert(p.payment_id.clone()), "{} comes twice", p.payment_id);
        }
        for p in &past {
            assert!(billed.contains(&p.account), "a payment of before is for a bill that is in the file");
            *owed.entry(p.account).or_default() += if p.reversal { p.amount.0 } else { -p.amount.0 };
        }
        assert!(owed.values().all(|fen| *fen >= 0), "nobody paid more than was asked");
        let open: HashSet<_> = owed.iter().filter(|(_, fen)| **fen > 0).map(|(a, _)| *a).collect();
        open_bills += open.len();
        open_late += bills.iter().filter(|b| open.contains(&b.account) && b.late_fee_from <= today).count();
        today_paid += day.iter().filter(|p| open.contains(&p.account)).count();
    }
    // There is something to remind of on every step, some of it too late, and some who pay while the day runs.
    assert!((8_000..30_000).contains(&open_bills), "{open_bills}");
    assert!((1_000..15_000).contains(&open_late), "{open_late}");
    assert!((300..3_000).contains(&today_paid), "{today_paid}");
}

#[test]
fn tomorrow_is_the_same_province_a_day_older() {
    let tomorrow = Province::new(Seed(7), 30_000, day("2026-11-22"));
    let today = province(30_000);
    // Who is who does not change overnight, and what was to be paid today has been.
    assert!(
        today
            .customers(YUNCHENG)
            .zip(tomorrow.customers(YUNCHENG))
            .all(|(a, b)| a.account == b.account && a.name == b.name)
    );
    let before: HashSet<String> = tomorrow.payments(YUNCHENG).map(|p| p.payment_id).collect();
    let prepaid: HashSet<_> = today.balances(YUNCHENG).map(|b| b.account).collect();
    let bills: HashMap<_, u32> = tomorrow.bills(YUNCHENG).map(|b| (b.account, b.period)).collect();
    let mut seen = 0;
    for p in today.day_payments(YUNCHENG).iter().filter(|p| !prepaid.contains(&p.account)) {
        // Unless it was for a bill that is no longer the latest, and so in no file any more.
        if bills.get(&p.account).is_some_and(|period| p.payment_id.contains(&format!("{:02}", period % 100)))
            && before.contains(&p.payment_id)
        {
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

fn read_back<T: Row>(province: &Province, kind: CsvKind) -> (Vec<T>, Import<T>) {
    let mut bytes = Vec::new();
    let written = province.write_csv(kind, None, &mut bytes).unwrap();
    let segments = read_segments(include_str!("../../../policies/segments.toml")).unwrap();
    let options = Options::new(province.today(), Arc::new(segments));
    let mut import = Import::<T>::csv(Box::new(Cursor::new(bytes)), "province.csv", None, &options).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = import.next_batch().unwrap() {
        assert_eq!(batch.rejects, []);
        rows.extend(batch.rows);
    }
    assert_eq!(rows.len() as u64, written);
    assert_eq!(import.summary().ignored_columns, Vec::<String>::new());
    (rows, import)
}

#[test]
fn the_importer_reads_its_files_without_a_reject() {
    let province = province(30_000);
    let codes = || PREFECTURES.iter().map(|p| PrefectureCode(p.code));
    let (rows, import) = read_back::<CustomerRow>(&province, CsvKind::Customers);
    let expected: Vec<Customer> = codes().flat_map(|c| province.customers(c)).collect();
    for (row, c) in rows.iter().zip(&expected) {
        assert_eq!((row.account, row.station, row.section), (c.account, c.station, Some(c.section)));
        assert_eq!((row.name.as_deref(), row.threshold), (Some(c.name.as_str()), c.threshold));
        assert_eq!(row.traits, c.traits);
        let phone = row.phone.unwrap_or_default();
        assert_eq!((phone.number(), phone.class()), (c.contact.phone().number(), c.contact.phone().class()));
        if phone.class() == PhoneClass::Mobile {
            assert_eq!((phone.source(), phone.verified_on()), (c.source, c.verified));
        }
    }
    // Every segment is a known one, and nothing else was hard to understand.
    let kinds: Vec<Warning> = import.summary().warnings().map(|(w, _)| w).collect();
    assert_eq!(kinds, [Warning::BadPhone, Warning::Landline]);

    let (rows, import) = read_back::<BillRow>(&province, CsvKind::Bills);
    for (row, b) in rows.iter().zip(codes().flat_map(|c| province.bills(c))) {
        assert_eq!((row.account, row.period, row.amount, row.kwh), (b.account, b.period, b.amount, b.kwh));
        assert_eq!((row.issued, row.late_fee_from, row.as_of), (b.issued, b.late_fee_from, province.today()));
    }
    assert_eq!(import.summary().warnings().count(), 0);
    let (rows, _) = read_back::<BalanceRow>(&province, CsvKind::Balances);
    for (row, b) in rows.iter().zip(codes().flat_map(|c| province.balances(c))) {
        assert_eq!((row.account, row.balance, row.as_of), (b.account, b.balance, b.as_of));
    }
    for kind in [CsvKind::Payments, CsvKind::DayPayments] {
        let (rows, _) = read_back::<PaymentRow>(&province, kind);
        let expected = codes().flat_map(|c| match kind {
            CsvKind::Payments => province.payments(c).collect::<Vec<_>>(),
            _ => province.day_payments(c),
        });
        for (row, p) in rows.iter().zip(expected) {
            assert_eq!((row.account, &*row.payment_id, row.amount), (p.account, p.payment_id.as_str(), p.amount));
            assert_eq!((row.paid_at, row.reversal), (p.paid_at, p.reversal));
        }
    }
}
