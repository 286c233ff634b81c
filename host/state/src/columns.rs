//! Chunks of customers as columns, and their form on disk as pages. Knows no meaning beyond "one value for each row".

use gridbell_model::{CHUNK_ROWS, Channel};

use crate::error::StateError;

/// Rows of one page on disk: lz4 over 512 rows packs well, and a changed row rewrites no more than this.
pub const PAGE_ROWS: usize = 512;
/// Version of the page format; a page of a later one is refused, an earlier one is read.
const PAGE_FORMAT: u8 = 1;

/// Bit of the column `flags`: the latest payment was said.
pub(crate) const PAYMENT_SAID: u8 = 1;
/// Where in the column `flags` the term of the latest bill begins: days from its issue to its late-fee date, plus one, so that a reversal finds
/// the date of a bill that was settled. 0 where none is known (data of format 1), [`TERM_BESIDE`] where the date is kept beside the columns.
pub(crate) const TERM_SHIFT: u32 = 1;
/// A term that does not fit.
pub(crate) const TERM_BESIDE: u8 = 127;

/// The highest bits of the column `preferences` are the host's own: for which platforms the customer has an address.
pub(crate) const CONTACT_BITS: u16 = 0b11 << CONTACT_SHIFT;
const CONTACT_SHIFT: u32 = 14;

/// The bit that says that there is an address for `channel`; none of them for channels without.
pub(crate) fn contact_bit(channel: Channel) -> u16 {
    let place = Channel::PLATFORMS.iter().position(|c| *c == channel);
    place.map_or(0, |n| 1 << (CONTACT_SHIFT + n as u32))
}

/// A value of fixed width in a column.
trait Cell: Copy {
    const WIDTH: usize;
    fn put(self, out: &mut Vec<u8>);
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! cells {
    ($($t:ty),*) => {$(
        impl Cell for $t {
            const WIDTH: usize = size_of::<$t>();
            fn put(self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_le_bytes()); }
            fn take(bytes: &[u8]) -> Self {
                let mut b = [0; size_of::<$t>()];
                b.copy_from_slice(bytes);
                Self::from_le_bytes(b)
            }
        }
    )*};
}
cells!(u8, u16, u32, u64, i32, i64);

macro_rules! chunk {
    ($($(#[$doc:meta])* $field:ident: $ty:ty = $none:expr;)*) => {
        /// Up to [`CHUNK_ROWS`] customers, one vector for each column, all of one length and never grown beyond their first allocation.
        #[derive(Debug)]
        pub(crate) struct Chunk {
            $($(#[$doc])* pub(crate) $field: Vec<$ty>,)*
        }

        impl Chunk {
            /// Bytes that one customer takes in a chunk.
            pub(crate) const ROW_BYTES: usize = 0 $(+ size_of::<$ty>())*;

            pub(crate) fn new() -> Self {
                Self { $($field: Vec::with_capacity(CHUNK_ROWS),)* }
            }

            /// Appends a row that knows nothing but its account number.
            pub(crate) fn push(&mut self, account: u64) {
                $(self.$field.push($none);)*
                if let Some(last) = self.account.last_mut() {
                    *last = account;
                }
            }

            /// Appends a copy of row `at` of `other`.
            pub(crate) fn push_copy(&mut self, other: &Self, at: usize) {
                $(self.$field.push(other.$field[at]);)*
            }

            /// Rows `from..to` as a page: format, row count, then each column's values little-endian.
            pub(crate) fn encode(&self, from: usize, to: usize) -> Vec<u8> {
                let mut out = Vec::with_capacity(8 + (to - from) * Self::ROW_BYTES);
                out.push(PAGE_FORMAT);
                out.extend_from_slice(&u16::try_from(to - from).unwrap_or(u16::MAX).to_le_bytes());
                $(for v in &self.$field[from..to] { v.put(&mut out); })*
                out
            }

            /// Appends the rows of a page.
            pub(crate) fn decode(&mut self, page: &[u8]) -> Result<usize, StateError> {
                let bad = |why: &'static str| StateError::Page { why };
                let [format, lo, hi, rest @ ..] = page else { return Err(bad("shorter than its header")) };
                if *format != PAGE_FORMAT {
                    return Err(bad("of a format that this version does not know"));
                }
                let rows = usize::from(u16::from_le_bytes([*lo, *hi]));
                if rows > PAGE_ROWS || rest.len() != rows * Self::ROW_BYTES || self.account.len() + rows > CHUNK_ROWS {
                    return Err(bad("of another length than its rows need"));
                }
                let mut at = 0;
                $({
                    let width = <$ty as Cell>::WIDTH;
                    self.$field.extend(rest[at..at + rows * width].chunks_exact(width).map(<$ty as Cell>::take));
                    at += rows * width;
                })*
                debug_assert_eq!(at, rest.len());
                Ok(rows)
            }
        }

        impl Clone for Chunk {
            /// Keeps the full capacity, so that a copy made beside a snapshot grows as the original would.
            fn clone(&self) -> Self {
                let mut copy = Self::new();
                $(copy.$field.extend_from_slice(&self.$field);)*
                copy
            }
        }
    };
}

chunk! {
    account: u64 = 0;
    phone: u64 = 0;
    traits: u32 = 0;
    /// [`gridbell_model::Preferences`], and above them [`CONTACT_BITS`].
    preferences: u16 = 0;
    /// Index into the prefecture's list of stations.
    station: u16 = 0;
    /// Index into the prefecture's list of reading sections.
    section: u16 = 0;
    arrears: i64 = 0;
    arrears_period: u32 = 0;
    late_fee_from: i32 = i32::MIN;
    months_owed: u8 = 0;
    reminded_step: u8 = 0;
    bill_period: u32 = 0;
    bill_issued: i32 = i32::MIN;
    bill_amount: i64 = 0;
    bill_kwh: u32 = 0;
    bill_said: u8 = 0;
    arrears_as_of: i32 = i32::MIN;
    balance: i64 = 0;
    balance_as_of: i32 = i32::MIN;
    threshold: u32 = u32::MAX;
    balance_episode: u16 = 0;
    balance_said: u8 = 0;
    paid_amount: i64 = 0;
    paid_on: i32 = i32::MIN;
    payment_key: u64 = 0;
    /// Bit 0 ([`PAYMENT_SAID`]): the latest payment was said. Bits 1 to 7 ([`TERM_SHIFT`]): the term of the latest bill.
    flags: u8 = 0;
    last_message: u32 = 0;
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.account.len()
    }

    /// Whether the customer at `at` has an address for `channel`.
    pub(crate) fn has_contact(&self, at: usize, channel: Channel) -> bool {
        self.preferences[at] & contact_bit(channel) != 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == CHUNK_ROWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_round_trip(rows in 1usize..PAGE_ROWS, arrears: i64, phone: u64) {
            let mut chunk = Chunk::new();
            for i in 0..rows {
                chunk.push(i as u64);
                chunk.arrears[i] = arrears.wrapping_add(i as i64);
                chunk.phone[i] = phone.wrapping_mul(i as u64);
            }
            let mut back = Chunk::new();
            prop_assert_eq!(back.decode(&chunk.encode(0, rows)).unwrap(), rows);
            prop_assert_eq!(&back.arrears, &chunk.arrears);
            prop_assert_eq!(&back.phone, &chunk.phone);
            prop_assert_eq!(&back.late_fee_from, &chunk.late_fee_from);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Chunk::new().decode(&bytes);
        }
    }

    #[test]
    fn a_copy_keeps_its_room_and_a_row_stays_within_budget() {
        let mut chunk = Chunk::new();
        chunk.push(1);
        assert_eq!(chunk.clone().arrears.capacity(), CHUNK_ROWS);
        let row_bytes = std::hint::black_box(Chunk::ROW_BYTES);
        assert!(row_bytes <= 116, "{row_bytes}");
    }
}
