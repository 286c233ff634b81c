//! From a number to the queue whose links take a message to it: the carrier that the number was taken to (携号转网) where a link serves it, or else
//! the one that its segment was given to.

use gridbell_model::{Carrier, Channel, HoldReason, Segments, Served};
use gridbell_planner::Planned;
use gridbell_state::{Carriers, Ported, PortedNumber};
use rustc_hash::{FxHashMap, FxHashSet};

/// What a replay has for the queue of a message that caps or the reach of its run held: some link took it, and nobody knows any more which.
pub(crate) const SOME_LINK: u8 = 0;

/// What says in which queue a message waits.
pub(crate) struct Ways<'a> {
    segments: &'a Segments,
    served: &'a FxHashSet<u8>,
    numbers: Numbers<'a>,
}

/// Whose numbers are that are not their segment's.
enum Numbers<'a> {
    /// As it is known.
    Known(&'a Ported),
    /// As the record of a run says, by row: what was known of numbers then is not kept with it, since it is personal.
    Recorded(&'a FxHashMap<u32, u8>),
}

impl<'a> Ways<'a> {
    pub(crate) fn new(segments: &'a Segments, ported: &'a Ported, served: &'a FxHashSet<u8>) -> Self {
        Self { segments, served, numbers: Numbers::Known(ported) }
    }

    /// Those of a run that is done again, of which the record says by row in which queue a message waited.
    pub(crate) fn recorded(segments: &'a Segments, by_row: &'a FxHashMap<u32, u8>, served: &'a FxHashSet<u8>) -> Self {
        Self { segments, served, numbers: Numbers::Recorded(by_row) }
    }

    /// The queue whose links take the message to the customer at `row`.
    pub(crate) fn of(&self, planned: &Planned, row: u32) -> Result<u8, HoldReason> {
        self.queue(planned.channel, planned.phone.number(), row)
    }

    /// The queue whose links take a message on `channel`; of SMS, that of the carrier of `number`.
    pub(crate) fn queue(&self, channel: Channel, number: u64, row: u32) -> Result<u8, HoldReason> {
        let queue = match channel {
            Channel::Sms => {
                let own = self.segments.carrier_of(number).ok_or(HoldReason::BadAddress)?;
                match self.numbers {
                    Numbers::Known(ported) => {
                        let known = ported.get(number);
                        Served::Carrier(first(own, known, |c| self.serves(c))).queue()
                    }
                    Numbers::Recorded(by_row) => self.recorded_queue(own, by_row.get(&row).copied()),
                }
            }
            other => Served::Channel(other).queue(),
        };
        if self.served.contains(&queue) { Ok(queue) } else { Err(HoldReason::NoLink) }
    }

    fn recorded_queue(&self, own: Carrier, recorded: Option<u8>) -> u8 {
        let own_queue = Served::Carrier(own).queue();
        match recorded {
            Some(SOME_LINK) if !self.serves(own) => {
                let served = Carrier::ALL.iter().find(|c| self.serves(**c));
                served.map_or(own_queue, |c| Served::Carrier(*c).queue())
            }
            Some(queue) if queue != SOME_LINK && self.served.contains(&queue) => queue,
            _ => own_queue,
        }
    }

    fn serves(&self, carrier: Carrier) -> bool {
        self.served.contains(&Served::Carrier(carrier).queue())
    }
}

/// Who gets a message to a number of `own`'s segment of which `known` is known.
fn first(own: Carrier, known: Option<PortedNumber>, serves: impl Fn(Carrier) -> bool) -> Carrier {
    let Some(known) = known else { return own };
    if let Some(carrier) = known.carrier.filter(|c| serves(*c)) {
        return carrier;
    }
    if !known.not.has(own) {
        return own;
    }
    // Whoever has a link and has not said no; where all have, the segment's own says it again.
    Carrier::ALL.iter().copied().find(|c| serves(*c) && !known.not.has(*c)).unwrap_or(own)
}

/// Who is asked next for a message that `not` refused because the number is not theirs: whose it is known to be, its segment's own, then each that has a
/// link, those last that refused another message to it. None when all have refused this one.
pub(crate) fn next(
    own: Option<Carrier>,
    known: Option<PortedNumber>,
    not: Carriers,
    serves: impl Fn(Carrier) -> bool,
) -> Option<Carrier> {
    let likely = known.and_then(|k| k.carrier).into_iter().chain(own);
    let left: Vec<Carrier> =
        likely.chain(Carrier::ALL.iter().copied()).filter(|c| serves(*c) && !not.has(*c)).collect();
    let unlikely = |c: Carrier| known.is_some_and(|k| k.not.has(c));
    left.iter().copied().find(|c| !unlikely(*c)).or_else(|| left.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Carrier::{Broadnet, Mobile, Telecom, Unicom};
    use gridbell_state::PortedSource;

    const NUMBER: u64 = 13_812_345_678;

    fn known(carrier: Option<Carrier>, not: &[Carrier]) -> Option<PortedNumber> {
        let not = Carriers::of(not.iter().copied());
        Some(PortedNumber { carrier, not, source: PortedSource::Learned, on: None })
    }

    #[test]
    fn a_numbers_own_carrier_goes_before_its_segments_where_a_link_serves_it() {
        let both = |c: Carrier| matches!(c, Mobile | Unicom);
        assert_eq!(first(Mobile, None, both), Mobile);
        assert_eq!(first(Mobile, known(Some(Unicom), &[]), both), Unicom);
        assert_eq!(first(Mobile, known(Some(Telecom), &[]), both), Mobile, "no link serves it");
        assert_eq!(first(Mobile, known(None, &[Mobile]), both), Unicom);
        assert_eq!(first(Mobile, known(None, &[Unicom]), both), Mobile);
        assert_eq!(first(Mobile, known(None, &[Mobile, Unicom]), both), Mobile, "nobody else is left");
    }

    #[test]
    fn each_is_asked_once() {
        let all = |_: Carrier| true;
        let mut not = Carriers::of([Mobile]);
        let mut asked = Vec::new();
        while let Some(carrier) = next(Some(Mobile), known(Some(Telecom), &[]), not, all) {
            asked.push(carrier);
            not = not.and(Carriers::of([carrier]));
        }
        assert_eq!(asked, [Telecom, Unicom, Broadnet]);
        assert_eq!(next(Some(Mobile), None, Carriers::of([Unicom]), all), Some(Mobile), "it came back");
        assert_eq!(next(Some(Mobile), None, Carriers::of([Mobile]), |c| c == Mobile), None);
        let before = known(None, &[Unicom, Telecom]);
        assert_eq!(next(Some(Mobile), before, Carriers::of([Mobile]), all), Some(Broadnet));
        assert_eq!(
            next(Some(Mobile), before, Carriers::of([Mobile, Broadnet]), all),
            Some(Unicom),
            "it may have come back"
        );
    }

    #[test]
    fn a_replay_goes_by_the_record() {
        let mut segments = Segments::NONE;
        segments.give(138, Mobile).unwrap();
        segments.give(133, Telecom).unwrap();
        let served: FxHashSet<u8> = [Mobile, Unicom].map(|c| Served::Carrier(c).queue()).into_iter().collect();
        let by_row: FxHashMap<u32, u8> = [(1, Unicom as u8), (2, SOME_LINK), (3, Telecom as u8)].into_iter().collect();
        let ways = Ways::recorded(&segments, &by_row, &served);
        let queue = |number, row| ways.queue(Channel::Sms, number, row);
        assert_eq!(queue(NUMBER, 1), Ok(Unicom as u8));
        assert_eq!(queue(NUMBER, 2), Ok(Mobile as u8));
        assert_eq!(queue(13_312_345_678, 2), Ok(Mobile as u8), "some link took it");
        assert_eq!(queue(13_312_345_678, 3), Err(HoldReason::NoLink), "a queue that no link served is none");
        assert_eq!(queue(NUMBER, 9), Ok(Mobile as u8));
        assert_eq!(queue(13_312_345_678, 9), Err(HoldReason::NoLink));
        assert_eq!(queue(17_012_345_678, 1), Err(HoldReason::BadAddress), "a segment in no table");
    }
}
