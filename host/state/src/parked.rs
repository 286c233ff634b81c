//! Reports that came before the answer which says whose they are: kept for a while, bounded, the newest.

use gridbell_model::{CarrierKey, Moment};

use crate::outbox::{LinkKey, MAX_PARKED_REPORTS, Outbox, PARKED_FOR_MS};

impl Outbox {
    pub(crate) fn parked(&self) -> impl Iterator<Item = (&LinkKey, &(String, Moment))> {
        self.parked.iter()
    }

    /// What the report says that waits for the answer with `key`.
    pub(crate) fn parked_as(&self, link: &str, key: &CarrierKey) -> Option<&str> {
        self.parked.get(&(link.to_owned(), key.clone())).map(|(stat, _)| stat.as_str())
    }

    /// Keeps a report until its answer comes; of several about one part the one that says how it ended, since those of two connections come in
    /// any order.
    pub(crate) fn park(&mut self, key: LinkKey, stat: String, at: Moment) {
        self.forget_parked(at);
        let ended = |(before, _): &(String, Moment)| before == "DELIVRD" || stat == "ACCEPTD";
        if self.parked.get(&key).is_some_and(ended) {
            return;
        }
        if self.parked.insert(key.clone(), (stat, at)).is_none() {
            self.parked_order.push_back(key);
        }
        while self.parked_order.len() > MAX_PARKED_REPORTS {
            let Some(oldest) = self.parked_order.pop_front() else { break };
            if self.parked.remove(&oldest).is_some() {
                self.parked_dropped += 1;
            }
        }
    }

    /// Drops reports that have waited longer than [`PARKED_FOR_MS`] at `now`.
    pub(crate) fn forget_parked(&mut self, now: Moment) {
        while let Some(key) = self.parked_order.front() {
            match self.parked.get(key) {
                Some((_, at)) if at.plus_ms(PARKED_FOR_MS) > now => break,
                Some(_) => drop(self.parked.remove(&key.clone())),
                None => {}
            }
            self.parked_order.pop_front();
        }
    }
}
