//! The province's grid: substations, lines in sections, transformers, and which of them customers hang on. Invented, but for where the cities lie.
//!
//! Customers hang on transformers in the order of their indexes, so that who lives side by side has power side by side.

use gridbell_model::{AccountNumber, PrefectureCode, Traits};

use super::geography::Prefecture;
use super::{Part, Province, Purpose, names};

/// Customers of one transformer.
const OF_TRANSFORMER: u64 = 200;
/// Transformers of one line: a line has 8 000 customers.
const OF_LINE: u64 = 40;
/// Sections of one line: a first one, one behind it, and two behind that one.
const OF_SECTIONS: u64 = 4;
/// Lines of one substation.
const OF_SUBSTATION: u64 = 12;

/// Where the prefectures' cities lie, in the order of their codes: longitude and latitude in millionths of a degree.
const CITIES: [(i32, i32); 11] = [
    (112_549_000, 37_870_000),
    (113_300_000, 40_077_000),
    (113_580_000, 37_857_000),
    (113_116_000, 36_195_000),
    (112_852_000, 35_490_000),
    (112_433_000, 39_332_000),
    (112_753_000, 37_687_000),
    (111_007_000, 35_027_000),
    (112_734_000, 38_416_000),
    (111_519_000, 36_088_000),
    (111_144_000, 37_519_000),
];

/// A substation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substation {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub prefecture: PrefectureCode,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The code of the substation that it leaves.
    pub substation: String,
}

/// A section of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its code.
    pub code: String,
    /// Its line's code.
    pub line: String,
    /// The section that feeds it; none of the first.
    pub upstream: Option<String>,
    /// The switch through which it is fed; none of the first.
    pub switch: Option<String>,
}

/// A transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transformer {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub prefecture: PrefectureCode,
    /// The code of the section on which it hangs.
    pub section: String,
    /// The community that it feeds.
    pub place: String,
    /// Longitude and latitude in millionths of a degree.
    pub position: (i32, i32),
    /// Who looks after its district. Invented.
    pub manager: String,
}

/// A customer's supply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// 户号
    pub account: AccountNumber,
    /// The transformer's code.
    pub transformer: String,
    /// Which of the customer's sources it is: 1 or 2.
    pub source: u8,
}

fn substation_code(p: &Prefecture, n: u64) -> String {
    format!("S{}{n:03}", p.code)
}

fn line_code(p: &Prefecture, n: u64) -> String {
    format!("L{}{n:04}", p.code)
}

fn section_code(p: &Prefecture, line: u64, n: u64) -> String {
    format!("{}-{}", line_code(p, line), n + 1)
}

fn transformer_code(p: &Prefecture, n: u64) -> String {
    format!("T{}{n:06}", p.code)
}

impl Part {
    fn transformers(&self) -> u64 {
        self.customers.div_ceil(OF_TRANSFORMER)
    }

    fn lines(&self) -> u64 {
        self.transformers().div_ceil(OF_LINE)
    }

    fn transformer(&self, n: u64) -> Transformer {
        let (line, on_line) = (n / OF_LINE, n % OF_LINE);
        let (longitude, latitude) = CITIES[self.index % CITIES.len()];
        // Lines side by side, their transformers one behind another: some two kilometres between lines, two hundred metres between transformers.
        let (row, column) = ((line % 24) as i32 - 12, (line / 24 % 12) as i32 - 6);
        let position = (
            longitude + column * 110_000 + on_line as i32 * 2_400,
            latitude + row * 20_000 + (on_line % 3) as i32 * 900,
        );
        let mut draw = self.draw(n, Purpose::Grid);
        Transformer {
            code: transformer_code(self.prefecture, n),
            name: format!("{}{}线{}号公变", self.prefecture.name.trim_end_matches('市'), line + 1, on_line + 1),
            prefecture: PrefectureCode(self.prefecture.code),
            section: section_code(self.prefecture, line, on_line * OF_SECTIONS / OF_LINE),
            place: format!("{}线{}区", line + 1, on_line / 5 + 1),
            position,
            manager: names::person(&mut draw),
        }
    }
}

impl Province {
    fn part(&self, prefecture: PrefectureCode) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |p| p.prefecture.code == prefecture.0)
    }

    /// The substations of a prefecture.
    pub fn substations(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Substation> + '_ {
        self.part(prefecture).flat_map(move |part| {
            (0..part.lines().div_ceil(OF_SUBSTATION)).map(move |n| Substation {
                code: substation_code(part.prefecture, n),
                name: format!("{}{}号变电站", part.prefecture.name, n + 1),
                prefecture,
            })
        })
    }

    /// Its lines.
    pub fn lines(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Line> + '_ {
        self.part(prefecture).flat_map(|part| {
            (0..part.lines()).map(move |n| Line {
                code: line_code(part.prefecture, n),
                name: format!("10千伏{}{}线", part.prefecture.name.trim_end_matches('市'), n + 1),
                substation: substation_code(part.prefecture, n / OF_SUBSTATION),
            })
        })
    }

    /// Their sections.
    pub fn sections(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Section> + '_ {
        self.part(prefecture).flat_map(|part| {
            (0..part.lines() * OF_SECTIONS).map(move |n| {
                let (line, at) = (n / OF_SECTIONS, n % OF_SECTIONS);
                let code = section_code(part.prefecture, line, at);
                let switch = (at > 0).then(|| format!("K{code}"));
                let upstream = (at > 0).then(|| section_code(part.prefecture, line, (at - 1).min(1)));
                Section { code, line: line_code(part.prefecture, line), upstream, switch }
            })
        })
    }

    /// Its transformers.
    pub fn transformers(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Transformer> + '_ {
        self.part(prefecture).flat_map(|part| (0..part.transformers()).map(|n| part.transformer(n)))
    }

    /// Which transformers its customers hang on; those with several sources hang on one of another line, too, where there is one.
    pub fn supply(&self, prefecture: PrefectureCode) -> impl Iterator<Item = Supply> + '_ {
        self.indexes(prefecture).flat_map(|(part, index)| {
            let (n, all) = (index / OF_TRANSFORMER, part.transformers());
            let several = part.traits(index, part.station(index).1).has(Traits::MULTIPLE_SOURCES);
            let second = (n + OF_LINE) % all;
            let sources = [(1, Some(n)), (2, Some(second).filter(|second| several && *second != n))];
            sources.into_iter().filter_map(move |(source, n)| {
                let transformer = transformer_code(part.prefecture, n?);
                Some(Supply { account: part.account(index), transformer, source })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use gridbell_clock::Seed;
    use gridbell_model::Date;

    use super::*;

    #[test]
    fn everything_hangs_on_something_that_is_there_and_important_customers_on_two() {
        let province = Province::new(Seed(7), 60_000, Date(20_777));
        let (mut several, mut customers) = (0, 0);
        for (prefecture, count) in province.prefectures() {
            let code = PrefectureCode(prefecture.code);
            let substations: BTreeSet<_> = province.substations(code).map(|s| s.code).collect();
            let lines: BTreeSet<_> =
                province.lines(code).map(|l| (substations.contains(&l.substation), l.code)).collect();
            assert!(lines.iter().all(|(known, _)| *known));
            let sections: Vec<_> = province.sections(code).collect();
            let codes: BTreeSet<_> = sections.iter().map(|s| s.code.clone()).collect();
            assert_eq!(sections.iter().filter(|s| s.upstream.is_none()).count(), lines.len());
            assert!(sections.iter().filter_map(|s| s.upstream.as_ref()).all(|up| codes.contains(up)));
            let transformers: BTreeMap<_, _> = province.transformers(code).map(|t| (t.code, t.section)).collect();
            assert!(transformers.values().all(|section| codes.contains(section)));
            let supply: Vec<_> = province.supply(code).collect();
            assert!(supply.iter().all(|s| transformers.contains_key(&s.transformer)));
            assert_eq!(supply.iter().filter(|s| s.source == 1).count() as u64, count);
            several += supply.iter().filter(|s| s.source == 2).count();
            customers += count;
        }
        assert!(several > 0 && (several as u64) < customers / 10, "{several} of {customers}");
    }
}
