//! Who a customer is.

use gridbell_model::{AccountNumber, ContactSource, Date, Fen, OrgCode, Traits};

use super::phones::{Contact, contact};
use super::{Part, Purpose, names};

/// A customer as the archive has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    /// 户号
    pub account: AccountNumber,
    /// The station it hangs on.
    pub station: OrgCode,
    /// The reading section (抄表段).
    pub section: u32,
    /// 户名. Invented.
    pub name: String,
    /// The number. Invented.
    pub contact: Contact,
    /// Where the number came from.
    pub source: ContactSource,
    /// When it was verified; [`Date::NONE`] for never.
    pub verified: Date,
    /// What kind of customer it is and how its account stands. What the host works out by itself is left out.
    pub traits: Traits,
    /// A warning threshold of its own.
    pub threshold: Option<Fen>,
}

impl std::fmt::Debug for Customer {
    /// Without the name: invented ones are treated as real ones are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer")
            .field("account", &self.account)
            .field("station", &self.station)
            .field("contact", &self.contact)
            .field("traits", &self.traits)
            .finish_non_exhaustive()
    }
}

impl Part {
    pub(super) fn customer(&self, index: u64) -> Customer {
        let (station, section) = self.station(index);
        let traits = self.traits(index, section);
        let mut draw = self.draw(index, Purpose::Name);
        let name = if traits.has(Traits::FIRM) {
            names::firm(&mut draw, self.prefecture)
        } else if traits.has(Traits::SCHOOL) {
            names::school(&mut draw, station.county)
        } else if traits.has(Traits::PUBLIC) {
            names::office(&mut draw, station.county)
        } else {
            names::person(&mut draw)
        };
        let mut draw = self.draw(index, Purpose::Phone);
        let contact = contact(&mut draw, self.key, index, self.prefecture.area_code);
        let source = match draw.below(20) {
            0..14 => ContactSource::Archive,
            14..17 => ContactSource::Counter,
            17..19 => ContactSource::Online,
            _ => ContactSource::Field,
        };
        // Within the last three years, if at all.
        let verified =
            if draw.chance(6_000) { self.today.plus_days(-1 - draw.below(1_095) as i32) } else { Date::NONE };
        let threshold = (traits.has(Traits::PREPAID) && draw.chance(2_500))
            .then(|| Fen(draw.one(&[1_000, 2_000, 3_000, 5_000, 10_000])));
        Customer {
            account: self.account(index),
            station: OrgCode(station.code),
            section,
            name,
            contact,
            source,
            verified,
            traits,
            threshold,
        }
    }

    /// Shares of ten thousand, in the order of what is known of such provinces: nine in ten are residents, more than half are prepaid.
    pub(super) fn traits(&self, index: u64, section: u32) -> Traits {
        use Traits as T;
        let mut draw = self.draw(index, Purpose::Traits);
        let mut traits = match draw.below(10_000) {
            0..9_000 => T::RESIDENT,
            9_000..9_840 => T::FIRM,
            9_840..9_880 => T::SCHOOL,
            9_880..9_960 => T::PUBLIC,
            // Farms, wells, street lights.
            _ => T::default(),
        };
        let resident = traits.has(T::RESIDENT);
        let mut set = |bit: T, chance: u64| {
            if draw.chance(chance) {
                traits = traits | bit;
            }
            traits.has(bit)
        };
        let prepaid = set(T::PREPAID, if resident { 5_600 } else { 3_000 });
        let important = set(T::IMPORTANT, if resident { 2 } else { 300 });
        set(T::MULTIPLE_SOURCES, if important { 4_000 } else { 0 });
        set(T::ELDERLY, if resident { 600 } else { 0 });
        let bank_debit = set(T::BANK_DEBIT, if prepaid { 0 } else { 1_800 });
        set(T::SUBSCRIBES_BILL, if prepaid { 0 } else { 2_500 });
        set(T::SUBSCRIBES_BALANCE, if prepaid { 7_000 } else { 0 });
        set(T::DISPUTED, 20);
        set(T::CLOSED, 150);
        set(T::PAUSED, 10);
        set(T::DO_NOT_REMIND, 30);
        set(T::READS_WECHAT, if resident { 3_500 } else { 1_000 });
        set(T::READS_ALIPAY, if resident { 2_000 } else { 500 });
        if bank_debit && !traits.has(T::CLOSED) && self.debit_is_pending(section) {
            traits = traits | T::DEBIT_PENDING;
        }
        traits
    }
}
