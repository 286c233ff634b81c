//! A feed of the alerts in force, as Atom (RFC 4287): what a player polls.

use std::collections::HashSet;

use gridbell_model::Moment;

use crate::alert::Alert;
use crate::error::Error;
use crate::write::{Document, is_xml, time};
use crate::{ALERT_TYPE, FEED_TYPE};

/// The most alerts of one feed; a community has a handful.
pub const MAX_ENTRIES: usize = 500;

/// The most octets of an address.
const MAX_ADDRESS: usize = 2048;

/// An alert and where its document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The alert.
    pub alert: Alert,
    /// The address of its document, served as [`ALERT_TYPE`].
    pub address: String,
}

/// A feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The address of the feed, which is its name too: it never changes.
    pub address: String,
    /// What it is, for people.
    pub title: String,
    /// Who makes it.
    pub author: String,
    /// When it last changed.
    pub updated: Moment,
    /// All alerts that may be shown; those that were replaced, cancelled or have expired are left out as it is written.
    pub entries: Vec<Entry>,
}

impl Feed {
    /// What is shown at `now`, the newest first: in force, and replaced by none of the others that has been sent. A cancellation is shown until
    /// it expires, so that a player that missed the moment takes the notice down too.
    #[must_use]
    pub fn shown(&self, now: Moment) -> Vec<&Entry> {
        let sent = |entry: &&Entry| entry.alert.reference.sent <= now;
        let replaced: HashSet<_> =
            self.entries.iter().filter(sent).flat_map(|entry| entry.alert.kind.references()).collect();
        let replaced: HashSet<_> = replaced.into_iter().map(|reference| reference.key()).collect();
        let in_force = |entry: &&Entry| entry.alert.in_force(now) && !replaced.contains(&entry.alert.reference.key());
        let mut shown: Vec<&Entry> = self.entries.iter().filter(sent).filter(in_force).collect();
        shown.sort_by(|a, b| {
            b.alert.reference.sent.cmp(&a.alert.reference.sent).then_with(|| a.address.cmp(&b.address))
        });
        shown
    }

    /// The document.
    ///
    /// # Errors
    /// Where an address or a text is none, an alert is not as the standard asks, or more than [`MAX_ENTRIES`] are to be shown.
    pub fn xml(&self, now: Moment) -> Result<String, Error> {
        address(&self.address)?;
        for (field, text) in [("title", &self.title), ("author", &self.author)] {
            if text.trim().is_empty() || text.len() > 1024 || !is_xml(text) {
                return Err(Error::Field {
                    field,
                    why: "is empty, longer than 1024 octets, or has a control character",
                });
            }
        }
        let shown = self.shown(now);
        if shown.len() > MAX_ENTRIES {
            return Err(Error::TooMany { field: "entry", most: MAX_ENTRIES });
        }
        for entry in &shown {
            entry.alert.check()?;
            address(&entry.address)?;
        }
        let mut document = Document::new();
        document.nest("feed", &[("xmlns", "http://www.w3.org/2005/Atom")], |feed| {
            feed.text("id", &self.address);
            feed.text("title", &self.title);
            feed.text("updated", &time(self.updated));
            feed.nest("author", &[], |author| author.text("name", &self.author));
            feed.empty("link", &[("rel", "self"), ("type", FEED_TYPE), ("href", &self.address)]);
            for entry in shown {
                feed.nest("entry", &[], |element| entry.write(element));
            }
        });
        Ok(document.finish())
    }
}

impl Entry {
    fn write(&self, entry: &mut Document) {
        let sent = time(self.alert.reference.sent);
        entry.text("id", &self.address);
        entry.text("title", self.alert.infos.first().map_or("", |info| &info.headline));
        entry.text("updated", &sent);
        entry.text("published", &sent);
        entry.empty("category", &[("term", self.alert.kind.name())]);
        entry.empty("link", &[("rel", "alternate"), ("type", ALERT_TYPE), ("href", &self.address)]);
        entry.text("summary", self.alert.infos.first().map_or("", |info| &info.description));
    }
}

fn address(text: &str) -> Result<(), Error> {
    let scheme = text.starts_with("https://") || text.starts_with("http://");
    if !scheme || text.len() > MAX_ADDRESS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Field { field: "link", why: "is no address: `https://`, ASCII, no spaces" });
    }
    Ok(())
}
