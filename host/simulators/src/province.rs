//! A generated province: Shanxi with its real prefectures and counties, and with invented stations, customers, bills, balances and payments.
//!
//! Everything follows from a seed. A customer is a function of seed, prefecture and index: neither the order in which customers are asked for nor how
//! many there are changes one of them, and nothing is held in memory but the stations. Names and numbers are drawn from tables; whom they may
//! belong to in the world is chance, so that nothing of this must ever leave a machine but to a simulated gateway.
//!
//! Must never be linked into anything but the demo, the benchmark and the tests.

mod customer;
mod draw;
mod export;
mod geography;
mod grid;
mod money;
mod names;
mod phones;

use gridbell_clock::Seed;
use gridbell_model::{AccountNumber, Date, OrgCode, OrgLevel, OrgTree, OrgUnit, PrefectureCode};

pub use customer::Customer;
pub use export::CsvKind;
pub use geography::{County, PREFECTURES, Prefecture};
pub use grid::{Line, Section, Substation, Supply, Transformer};
pub use money::{Balance, Bill, Payment};
pub use phones::Contact;

use draw::{Draw, mix};

/// The most customers of a province: each prefecture's indexes must fit the digits of an account number.
pub const MAX_CUSTOMERS: u64 = 90_000_000;

/// A province of a given size on a given day.
#[derive(Debug, Clone)]
pub struct Province {
    seed: Seed,
    today: Date,
    parts: Vec<Part>,
}

/// A prefecture's share, and what drawing one of its customers needs.
#[derive(Debug, Clone)]
struct Part {
    prefecture: &'static Prefecture,
    /// Its place among the eleven, from 0.
    index: usize,
    customers: u64,
    /// From which every draw about its customers descends.
    key: u64,
    /// Stations, those with more customers several times.
    stations: Vec<Station>,
    today: Date,
}

#[derive(Debug, Clone, Copy)]
struct Station {
    code: u32,
    county: &'static County,
}

impl Province {
    /// A province of `customers` customers (at most [`MAX_CUSTOMERS`]), as it stands in the morning of `today`.
    #[must_use]
    pub fn new(seed: Seed, customers: u64, today: Date) -> Self {
        let customers = customers.min(MAX_CUSTOMERS);
        let weights: u64 = PREFECTURES.iter().map(|p| p.weight).sum();
        let (mut before, mut given) = (0, 0);
        let parts = PREFECTURES.iter().enumerate().map(|(index, prefecture)| {
            // Shares of the running sum: they add up to the whole.
            before += prefecture.weight;
            let upto = customers * before / weights;
            let share = upto - given;
            given = upto;
            let key = seed.child(&format!("province/{}", prefecture.code)).0;
            Part { prefecture, index, customers: share, key, stations: stations(prefecture), today }
        });
        Self { seed, today, parts: parts.collect() }
    }

    /// The seed from which it follows.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The day on whose morning it stands.
    #[must_use]
    pub fn today(&self) -> Date {
        self.today
    }

    /// Its prefectures by code, each with its number of customers.
    pub fn prefectures(&self) -> impl Iterator<Item = (&'static Prefecture, u64)> + '_ {
        self.parts.iter().map(|p| (p.prefecture, p.customers))
    }

    /// Province, prefectures, counties and stations.
    #[must_use]
    pub fn org_tree(&self) -> OrgTree {
        let mut tree = OrgTree::default();
        let mut add = |code: u32, parent: Option<u32>, level, name: String| {
            tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name });
        };
        add(geography::PROVINCE.0, None, OrgLevel::Province, geography::PROVINCE.1.to_owned());
        for part in &self.parts {
            let prefecture = part.prefecture;
            add(prefecture.code, Some(geography::PROVINCE.0), OrgLevel::Prefecture, prefecture.name.to_owned());
            for county in prefecture.counties {
                add(county.code, Some(prefecture.code), OrgLevel::County, county.name.to_owned());
                for number in 1..=county.stations() {
                    let name = geography::station_name(county, number);
                    add(county.code * 100 + number, Some(county.code), OrgLevel::Station, name);
                }
            }
        }
        tree
    }

    /// The customers of a prefecture; none for a code that is none of its prefectures.
    pub fn customers(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Customer> + '_ {
        self.indexes(prefecture).map(|(part, i)| part.customer(i))
    }

    /// The bills of a prefecture: for everyone who pays afterwards the latest, and earlier ones that are still open. Several for one customer
    /// come in the order of their periods.
    pub fn bills(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Bill> + '_ {
        self.indexes(prefecture).flat_map(|(part, i)| part.bills(i))
    }

    /// The balances of a prefecture's prepaid customers; 98.8 % of them were computed today.
    pub fn balances(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Balance> + '_ {
        self.indexes(prefecture).filter_map(|(part, i)| part.balance(i))
    }

    /// The payments that were known in the morning: those of the latest bills, of days before today.
    pub fn payments(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Payment> + '_ {
        let today = self.today;
        self.indexes(prefecture).flat_map(|(part, i)| part.payments(i)).filter(move |p| p.paid_at.date() < today)
    }

    /// The payments that arrive in the course of the day, by their minute.
    #[must_use]
    pub fn day_payments(&self, prefecture: PrefectureCode) -> Vec<Payment> {
        let all = self.indexes(prefecture).flat_map(|(part, i)| part.payments(i));
        let mut payments: Vec<Payment> = all.filter(|p| p.paid_at.date() == self.today).collect();
        payments.sort_by_key(|p| (p.paid_at, p.account));
        payments
    }

    fn indexes(&self, prefecture: PrefectureCode) -> impl Iterator<Item = (&Part, u64)> + '_ {
        let part = self.parts.iter().find(|p| p.prefecture.code == prefecture.0);
        part.into_iter().flat_map(|p| (0..p.customers).map(move |i| (p, i)))
    }
}

/// Purposes of draws: each has its own stream, so that one more draw for one of them shifts no other.
#[derive(Clone, Copy)]
enum Purpose {
    Place = 1,
    Traits = 2,
    Name = 3,
    Phone = 4,
    Bills = 5,
    Balance = 6,
    Grid = 7,
}

impl Part {
    fn draw(&self, index: u64, purpose: Purpose) -> Draw {
        Draw::new(mix(self.key ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ mix(purpose as u64))
    }

    /// The account number of customer `index`: 13 digits with gaps between neighbours, and in every eighth run of 512 an old one of 10 digits
    /// with its leading zero.
    fn account(&self, index: u64) -> AccountNumber {
        let old = (index / 512) % 8 == 7;
        let (digits, value): (u64, u64) = if old && index < 10_000_000 {
            (10, (self.index as u64 + 1) * 10_000_000 + index)
        } else {
            let number = 100_000_000 + index * 3 + mix(self.key ^ index) % 3;
            (13, u64::from(self.prefecture.code / 100) * 1_000_000_000 + number)
        };
        AccountNumber::from_packed(digits << 56 | value).unwrap_or_else(|| unreachable!("13 digits hold every index"))
    }

    fn station(&self, index: u64) -> (Station, u32) {
        let mut draw = self.draw(index, Purpose::Place);
        let station = self.stations[draw.below(self.stations.len() as u64) as usize];
        // Forty sections a station, the first ten of them twice as large.
        let section = match draw.below(50) {
            n @ 0..40 => n,
            n => n - 40,
        };
        (station, station.code * 100 + 1 + section as u32)
    }
}

/// Stations of a prefecture, with repetition by their size: districts have larger ones than counties, and the first of each is the largest.
fn stations(prefecture: &'static Prefecture) -> Vec<Station> {
    let mut all = Vec::new();
    for county in prefecture.counties {
        for number in 1..=county.stations() {
            let size = county.weight() * if number <= 2 { 2 } else { 1 };
            let station = Station { code: county.code * 100 + number, county };
            all.extend(std::iter::repeat_n(station, size));
        }
    }
    all
}
