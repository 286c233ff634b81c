//! What few customers have and no column holds: in memory by row, on disk one record for each page that has any. Knows no rule.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::supply::{Run, Supply};

/// One unpaid bill of a customer that has several, or whose oldest is not its latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OpenBill {
    pub(crate) period: u32,
    pub(crate) amount: i64,
    pub(crate) outstanding: i64,
    pub(crate) late_fee_from: i32,
}

/// Bills and payments that the columns have no room for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extra {
    /// All open bills, oldest first; empty when the columns alone say it.
    pub(crate) bills: Vec<OpenBill>,
    /// Payments other than the latest: key and day.
    pub(crate) payments: Vec<(u64, i32)>,
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        self.bills.is_empty() && self.payments.is_empty()
    }
}

/// A payment that no run has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The sequence at which it came in.
    pub(crate) seq: u64,
    pub(crate) amount: i64,
    pub(crate) paid_on: i32,
}

/// When and from where a customer asked for something or refused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AskedAt {
    /// Seconds since 1970: a province has millions of these.
    pub(crate) at: u32,
    /// [`gridbell_model::WishSource`] as a number.
    pub(crate) source: u8,
    pub(crate) on: bool,
}

/// Numbers that a customer had before, kept of each: the newest count.
const MAX_FORMER: usize = 8;

/// Everything beside the columns of a prefecture.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) extras: BTreeMap<u32, Extra>,
    /// Late-fee dates of latest bills whose term does not fit its column.
    pub(crate) late_fee_dates: BTreeMap<u32, i32>,
    /// The policy's threshold of the latest balance warning, in fen, for those with a step said in this episode.
    pub(crate) warned_below: BTreeMap<u32, u32>,
    /// By row and the payment's key.
    pub(crate) waiting: BTreeMap<(u32, u64), Waiting>,
    /// Numbers to which messages may have gone before the present one, the newest first: messages are searched by the number that they went to.
    pub(crate) former_numbers: BTreeMap<u32, Vec<u64>>,
    /// By row and [`gridbell_model::Wish`] as a number: some 24 bytes each.
    pub(crate) asked: BTreeMap<(u32, u8), AskedAt>,
    /// Transformers.
    pub(crate) supply: Supply,
}

impl Beside {
    /// Forgets what `row` asked for; what it refused is kept.
    pub(crate) fn forget_granted(&mut self, row: u32) {
        let granted = self.asked.range((row, 0)..=(row, u8::MAX)).filter(|(_, asked)| asked.on);
        let keys: Vec<_> = granted.map(|(key, _)| *key).collect();
        for key in keys {
            self.asked.remove(&key);
        }
    }

    /// Notes that `row` had `number` until now.
    pub(crate) fn had_number(&mut self, row: u32, number: u64) {
        let former = self.former_numbers.entry(row).or_default();
        former.retain(|n| *n != number);
        former.insert(0, number);
        former.truncate(MAX_FORMER);
    }

    /// What the rows of one page have; their main transformers apart, which [`PageBeside::set_mains`] adds.
    pub(crate) fn of_page(&self, rows: Range<u32>) -> PageBeside {
        let waiting = self.waiting.range((rows.start, 0)..(rows.end, 0));
        let asked = self.asked.range((rows.start, 0)..(rows.end, 0));
        PageBeside {
            extras: self.extras.range(rows.clone()).map(|(row, e)| (*row, e.clone())).collect(),
            since_2: Since2 {
                late_fee_dates: self.late_fee_dates.range(rows.clone()).map(|(row, day)| (*row, *day)).collect(),
                warned_below: self.warned_below.range(rows.clone()).map(|(row, fen)| (*row, *fen)).collect(),
                former_numbers: self.former_numbers.range(rows.clone()).map(|(row, n)| (*row, n.clone())).collect(),
                waiting: waiting.map(|((row, key), w)| (*row, *key, *w)).collect(),
            },
            since_5: Since5 { asked: asked.map(|((row, wish), a)| (*row, *wish, *a)).collect() },
            since_6: Since6 { mains: Vec::new(), further: self.supply.further(rows) },
        }
    }

    /// Takes in what a page has.
    pub(crate) fn extend(&mut self, page: PageBeside) {
        self.extras.extend(page.extras);
        self.late_fee_dates.extend(page.since_2.late_fee_dates);
        self.warned_below.extend(page.since_2.warned_below);
        self.former_numbers.extend(page.since_2.former_numbers);
        self.waiting.extend(page.since_2.waiting.into_iter().map(|(row, key, w)| ((row, key), w)));
        self.asked.extend(page.since_5.asked.into_iter().map(|(row, wish, a)| ((row, wish), a)));
        for (first, rows, transformer) in page.since_6.mains {
            (first..).take(usize::from(rows)).for_each(|row| self.supply.set(row, 1, Some(transformer)));
        }
        for (row, source, transformer) in page.since_6.further {
            self.supply.set(row, source, Some(transformer));
        }
    }
}

/// What the rows of one page have, as its record on disk. Each part follows the one before it; a record ends after the last part that its
/// version knew, and the parts that it lacks are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PageBeside {
    extras: Vec<(u32, Extra)>,
    since_2: Since2,
    since_5: Since5,
    since_6: Since6,
}

/// What data of format 6 added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Since6 {
    /// Rows behind each other on one transformer.
    mains: Vec<Run>,
    /// Row, source and transformer.
    further: Vec<(u32, u8, u32)>,
}

/// What data of format 5 added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Since5 {
    asked: Vec<(u32, u8, AskedAt)>,
}

/// What data of format 2 added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Since2 {
    late_fee_dates: Vec<(u32, i32)>,
    warned_below: Vec<(u32, u32)>,
    waiting: Vec<(u32, u64, Waiting)>,
    former_numbers: Vec<(u32, Vec<u64>)>,
}

impl PageBeside {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the main transformers of the page's rows.
    pub(crate) fn set_mains(&mut self, mains: Vec<Run>) {
        self.since_6.mains = mains;
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let bytes = postcard::to_extend(&self.since_2, postcard::to_stdvec(&self.extras)?)?;
        let bytes = postcard::to_extend(&self.since_5, bytes)?;
        postcard::to_extend(&self.since_6, bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (extras, rest) = postcard::take_from_bytes(bytes)?;
        let (since_2, rest) =
            if rest.is_empty() { (Since2::default(), rest) } else { postcard::take_from_bytes(rest)? };
        let (since_5, rest) =
            if rest.is_empty() { (Since5::default(), rest) } else { postcard::take_from_bytes(rest)? };
        let since_6 = if rest.is_empty() { Since6::default() } else { postcard::from_bytes(rest)? };
        Ok(Self { extras, since_2, since_5, since_6 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(n: u64) -> Extra {
        let bill = OpenBill { period: 202_610, amount: 5_000, outstanding: 100, late_fee_from: 20_777 };
        Extra { bills: vec![bill], payments: vec![(n, 20_770)] }
    }

    #[test]
    fn a_record_of_format_1_is_read() {
        let extras: Vec<(u32, Extra)> = (0..9).map(|row| (row, extra(u64::from(row)))).collect();
        let page = PageBeside::decode(&postcard::to_stdvec(&extras).unwrap()).unwrap();
        assert_eq!(page, PageBeside { extras, ..PageBeside::default() });
        // One of format 2 ends after its part.
        let bytes = postcard::to_extend(&Since2::default(), postcard::to_stdvec(&page.extras).unwrap()).unwrap();
        assert_eq!(PageBeside::decode(&bytes).unwrap(), page);
        // And one of format 5 after its own.
        let bytes = postcard::to_extend(&Since5::default(), bytes).unwrap();
        assert_eq!(PageBeside::decode(&bytes).unwrap(), page);
    }

    #[test]
    fn a_page_takes_its_own_rows_and_comes_back() {
        let mut all = Beside::default();
        for row in 510..520 {
            all.extras.insert(row, extra(7));
            all.late_fee_dates.insert(row, -3);
            all.warned_below.insert(row, 5_000);
            for number in 1..=20 {
                all.had_number(row, number);
            }
            all.had_number(row, 15);
            for key in [0, 9, u64::MAX] {
                all.waiting.insert((row, key), Waiting { seq: 4, amount: 100, paid_on: 20_770 });
            }
            for wish in [0, 7, u8::MAX] {
                all.asked.insert((row, wish), AskedAt { at: 5, source: 1, on: wish < 9 });
            }
            all.supply.set(row, 2, Some(row));
        }
        let page = all.of_page(512..1024);
        let mut back = Beside::default();
        back.extend(PageBeside::decode(&page.encode().unwrap()).unwrap());
        assert_eq!((back.extras.len(), back.late_fee_dates.len(), back.waiting.len()), (8, 8, 24));
        assert_eq!((back.asked.len(), back.supply.get(512, 2), back.supply.get(511, 2)), (24, Some(512), None));
        back.forget_granted(513);
        let kept = |wish| back.asked.contains_key(&(513, wish));
        assert_eq!((back.asked.len(), kept(7), kept(u8::MAX)), (22, false, true), "of one row, what was granted");
        back.asked.clone_from(&all.asked);
        back.asked.retain(|(row, _), _| *row >= 512);
        assert_eq!(back.of_page(512..1024), page);
        assert_eq!(back.former_numbers[&519], [15, 20, 19, 18, 17, 16, 14, 13], "the newest, each once");
        assert!(all.of_page(0..510).is_empty());
        assert!(PageBeside::decode(&[9, 1]).is_err());
    }
}
