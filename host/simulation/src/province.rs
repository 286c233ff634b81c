//! A small province: its org tree, its customers and its policies.

use gridbell_clock::Seed;
use gridbell_model::{AccountNumber, Date, Fen, OrgCode, OrgLevel, OrgTree, OrgUnit, Phone, PrefectureCode, Traits};
use gridbell_state::{BalanceFact, BillFact, CustomerFact};

use crate::dice::Dice;

/// The prefectures.
pub(crate) const PREFECTURES: [(PrefectureCode, &str); 2] =
    [(PrefectureCode(140_100), "太原"), (PrefectureCode(140_200), "大同")];
/// A segment of each gateway's carrier.
const SEGMENTS: [&str; 3] = ["138", "130", "133"];

/// A customer as the simulation knows it.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) account: AccountNumber,
    pub(crate) prefecture: PrefectureCode,
    pub(crate) phone: String,
    pub(crate) traits: Traits,
    /// What is owed for the bill issued, as far as it was told.
    pub(crate) owed: i64,
    /// What the customer has ahead.
    pub(crate) balance: i64,
    /// On which day of the simulation its bill is issued.
    pub(crate) billed_on: i32,
    /// Days from the bill to its late fee.
    pub(crate) term: i32,
}

/// The province.
pub(crate) struct Province {
    pub(crate) org: OrgTree,
    pub(crate) customers: Vec<Customer>,
}

impl Province {
    pub(crate) fn new(seed: Seed, customers: usize, days: i32) -> Self {
        let mut dice = Dice::new(seed, "province");
        let mut made: Vec<Customer> = Vec::with_capacity(customers);
        for n in 0..customers {
            let prefecture = PREFECTURES[n % PREFECTURES.len()].0;
            let segment = dice.one(&SEGMENTS).copied().unwrap_or("138");
            // A few share the phone of an earlier one.
            let shared = dice.chance(60).then(|| dice.one(&made).map(|c| c.phone.clone())).flatten();
            let phone = shared.unwrap_or_else(|| format!("{segment}{:08}", 20_000_000 + n * 37));
            let kind = dice.between(0, 99);
            let mut traits = Traits::RESIDENT;
            traits = traits.with(Traits::PREPAID | Traits::SUBSCRIBES_BALANCE, kind < 25);
            traits = traits.with(Traits::SUBSCRIBES_BILL, (25..60).contains(&kind));
            traits = traits.with(Traits::IMPORTANT, kind == 99);
            let Ok(account) = format!("01{:08}", 1_000 + n).parse() else { continue };
            made.push(Customer {
                account,
                prefecture,
                phone,
                traits,
                owed: 0,
                balance: i64::try_from(dice.between(500, 9_000)).unwrap_or(0),
                billed_on: i32::try_from(dice.between(0, u64::from(days.unsigned_abs()))).unwrap_or(0),
                term: i32::try_from(dice.between(1, 8)).unwrap_or(1),
            });
        }
        Self { org: org(), customers: made }
    }

    pub(crate) fn facts(&self) -> Vec<CustomerFact> {
        let fact = |c: &Customer| CustomerFact {
            account: c.account,
            station: station(c.prefecture),
            section: Some(1),
            traits: c.traits,
            traits_given: c.traits,
            name: Some("某某".to_owned()),
            phone: Some(Phone::from_text(&c.phone)),
            threshold: None,
        };
        self.customers.iter().map(fact).collect()
    }

    /// The bill of customer `at`, issued on `today`; each amount exists once, so that each text does.
    pub(crate) fn bill(&self, at: usize, today: Date) -> BillFact {
        let customer = &self.customers[at];
        let (year, month, _) = today.ymd();
        BillFact {
            account: customer.account,
            period: u32::try_from(year).unwrap_or(2026) * 100 + month,
            amount: Fen(3_000 + i64::try_from(at).unwrap_or(0)),
            kwh: 100,
            issued: today,
            late_fee_from: today.plus_days(customer.term),
            as_of: today,
        }
    }

    pub(crate) fn balance(&self, at: usize, today: Date) -> BalanceFact {
        let customer = &self.customers[at];
        BalanceFact { account: customer.account, balance: Fen(customer.balance), as_of: today, debit_pending: None }
    }
}

fn station(prefecture: PrefectureCode) -> OrgCode {
    OrgCode(prefecture.0 * 100 + 1)
}

fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    let mut add = |code: OrgCode, parent: Option<OrgCode>, level, name: &str| {
        tree.insert(OrgUnit { code, parent, level, name: name.to_owned() });
    };
    add(OrgCode(14), None, OrgLevel::Province, "山西");
    for (code, name) in PREFECTURES {
        add(code.org(), Some(OrgCode(14)), OrgLevel::Prefecture, name);
        add(station(code), Some(code.org()), OrgLevel::Station, &format!("{name}供电所"));
    }
    tree
}

/// Plugins, texts, calendar and segments as the house brings them.
pub(crate) const PLUGINS: [&[u8]; 4] = [
    include_bytes!("../../../plugins/prebuilt/arrears-reminder.wasm"),
    include_bytes!("../../../plugins/prebuilt/bill-notice.wasm"),
    include_bytes!("../../../plugins/prebuilt/balance-warning.wasm"),
    include_bytes!("../../../plugins/prebuilt/payment-received.wasm"),
];
pub(crate) const CALENDAR: &str = include_str!("../../../policies/calendar.toml");
pub(crate) const TEMPLATES: &str = include_str!("../../../policies/templates.toml");
pub(crate) const CARRIERS: &str = include_str!("../../../policies/segments.toml");

/// The house's rules with facts that stay fresh for as long as the simulation lasts: bills are not told again each day here. Whoever writes is not
/// answered: an answer goes at any hour and to whoever opted out, which no other message here may.
pub(crate) fn rules() -> String {
    let rules = include_str!("../../../policies/province.toml").replace("freshness_days = 2", "freshness_days = 30");
    rules.replace("enabled = true", "enabled = false")
}

/// Send windows of one policy, as a policy file has them; all within the quiet hours 21:00 to 08:00.
pub(crate) const WINDOWS: [&[(u16, u16)]; 4] =
    [&[(540, 690), (900, 1_050)], &[(510, 720)], &[(600, 660), (840, 870), (1_140, 1_230)], &[(480, 1_260)]];

/// What a prefecture's policies say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Index into [`WINDOWS`], for all but payments received.
    pub(crate) windows: usize,
    /// Days before the late fee, first step.
    pub(crate) first_step: u8,
    pub(crate) ceiling: u32,
}

impl Terms {
    /// The policy file.
    pub(crate) fn file(self, prefecture: PrefectureCode, name: &str) -> String {
        let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let windows: Vec<String> =
            WINDOWS[self.windows].iter().map(|(a, b)| format!("\"{}-{}\"", clock(*a), clock(*b))).collect();
        let (windows, first, ceiling) = (windows.join(", "), self.first_step, self.ceiling);
        let policy = |topic: &str, lane: &str, windows: &str, more: &str| {
            format!(
                "[[policy]]\nname = \"{topic}\"\ntitle = \"{topic}\"\nplugin = \"{topic}\"\nversion = \"0.1\"\n\
                 topic = \"{topic}\"\nwindows = [{windows}]\ndays = \"all\"\ncost_per_part_milli_fen = 3500\n\
                 routes = {{ sms = [{{ channel = \"sms\" }}] }}\nlane = \"{lane}\"\nceiling = {ceiling}\n{more}\n"
            )
        };
        let schedule =
            |cron: &str| format!("[[policy.schedule]]\nname = \"daily\"\ncron = \"{cron}\"\ncatch_up_minutes = 240\n");
        let mut text = format!("prefecture = {prefecture}\nname = \"{name}\"\n");
        text += &policy(
            "arrears-reminder",
            "bulk",
            &windows,
            &format!(
                "[policy.parameters]\nsteps = [{first}, 3, 1]\ncounting = \"calendar\"\nminimum = 100\n\
                 important_steps = [10, 5, 2]\nprepaid_steps = []\noverdue_every = 7\noverdue_times = 2\n{}",
                schedule("30 8 * * *")
            ),
        );
        text += &policy(
            "bill-notice",
            "bulk",
            &windows,
            &format!(
                "[policy.parameters]\ndays = 1\ncounting = \"calendar\"\nlate = 5\nminimum = 0\n{}",
                schedule("0 9 * * *")
            ),
        );
        text += &policy(
            "balance-warning",
            "bulk",
            &windows,
            &format!("[policy.parameters]\nthreshold = 3000\nhalf = true\nnegative = true\n{}", schedule("45 8 * * *")),
        );
        text + &policy(
            "payment-received",
            "urgent",
            "\"08:00-21:00\"",
            "events = [\"payment-received\"]\n[policy.parameters]\nminimum = 1\nsubscribers_only = false\nwithin = 1\n",
        )
    }
}
