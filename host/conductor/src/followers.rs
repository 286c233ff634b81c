//! What followers of an account do at its platform: who leaves has no address there any more, what they write comes to the inbox as an SMS reply
//! does. Nothing of it is in a log; a platform that tells something twice changes nothing twice.

use std::collections::{BTreeMap, VecDeque};

use gridbell_channels::http::{Followers, Said};
use gridbell_channels::{LinkName, OutboxError};
use gridbell_model::{BindingSource, CarrierKey, Channel, Moment, Phone, PlatformId, Preferences};
use gridbell_state::{ContactFact, CustomerChange, Facts, InboundMessage};

use crate::documents::note;
use crate::error::HostError;
use crate::host::Host;
use crate::port::failed;
use crate::words::Word;

/// The longest text of a follower's that is kept, in characters; platforms let people write a few hundred.
const MAX_TEXT: usize = 2_000;
/// Texts whose repetition is known again. Platforms repeat within seconds; a process that starts anew knows none.
const MAX_HEARD: usize = 10_000;
/// How much later than the platform's second a binding may be that its word is about.
const SAME_SECOND_MS: i64 = 999;

/// The followers of one account.
pub(crate) struct AccountFollowers {
    pub(crate) host: Host,
    pub(crate) channel: Channel,
    /// The account's own id at the platform.
    pub(crate) app: String,
}

impl Followers for AccountFollowers {
    async fn said(&self, link: &LinkName, said: &[Said]) -> Result<(), OutboxError> {
        for one in said {
            self.take(link, one).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl AccountFollowers {
    async fn take(&self, link: &LinkName, said: &Said) -> Result<(), HostError> {
        match said {
            // Whose account it is, a person or the website says: following alone binds nothing.
            Said::Followed { .. } => Ok(()),
            Said::Left { id, at } => self.left(id, *at).await,
            Said::Wrote { id, key, text, .. } => {
                match self.host.heard().lock().begin(link, key) {
                    Begin::New => {}
                    Begin::Kept => return Ok(()),
                    // Acknowledged it would be lost should the first not become durable.
                    Begin::UnderWay => return Err(HostError::Refused("it is being kept already".to_owned())),
                }
                let kept = self.wrote(link, id, text).await;
                self.host.heard().lock().end(link, key, kept.is_ok());
                kept
            }
        }
    }

    /// Ends the bindings that were there when the follower left; one that was made since holds.
    async fn left(&self, id: &str, at: Moment) -> Result<(), HostError> {
        // What is no id of the platform's is bound to nobody.
        let Ok(id) = id.parse::<PlatformId>() else { return Ok(()) };
        let mut ends = Vec::new();
        for account in self.host.accounts_of(self.channel, &self.app, &id).await? {
            let host = self.host.clone();
            let contacts = self.host.clock().offload(move || host.state().contacts(account)).await;
            let contacts = contacts.map_err(|e| HostError::Task(e.to_string()))??;
            let before = |c: &gridbell_state::Contact| c.since.unix_ms() <= at.unix_ms() + SAME_SECOND_MS;
            if contacts.iter().any(|c| c.channel == self.channel && c.id == id && before(c)) {
                ends.push(account);
            }
        }
        if ends.is_empty() {
            return Ok(());
        }
        let detail = serde_json::json!({ "channel": self.channel, "source": BindingSource::Platform });
        let audit = ends.iter().map(|a| note("system", "contact.unbind", &a.to_string(), &detail)).collect();
        let facts = ends.into_iter().map(|account| ContactFact { account, channel: self.channel, address: None });
        self.host.state().facts(Facts::Contacts(facts.collect()), false, audit).await?;
        Ok(())
    }

    /// Stores a text with what it changes, in one commit. It is kept as from the number of the account that the address is bound to, under which the
    /// inbox is searched, archived and erased; from nobody where it is bound to none.
    async fn wrote(&self, link: &LinkName, id: &str, text: &str) -> Result<(), HostError> {
        let accounts = match id.parse::<PlatformId>() {
            Ok(id) => self.host.accounts_of(self.channel, &self.app, &id).await?,
            Err(_) => Vec::new(),
        };
        let views = accounts.iter().filter_map(|account| self.host.state().customer(*account)).map(|(_, view)| view);
        let from = views.map(|view| view.phone).find(|phone| *phone != Phone::NONE).unwrap_or(Phone::NONE);
        let opt_out = Word::of(text) == Some(Word::OptOut) && !accounts.is_empty();
        let (mut changes, mut audit) = (Vec::new(), Vec::new());
        if let Some(bits) = refused_bits(self.channel).filter(|_| opt_out) {
            for account in &accounts {
                changes.push((*account, CustomerChange::Preferences { bits, on: true }));
                let detail = serde_json::json!({ "channel": self.channel, "word": true });
                audit.push(note("customer", "preference.opt-out", &account.to_string(), detail));
            }
        }
        let record = InboundMessage {
            number: 0,
            at: self.host.clock().now(),
            link: link.to_string(),
            from,
            to: self.channel.word().to_owned(),
            text: text.chars().take(MAX_TEXT).collect(),
            handled: if opt_out { "opt-out" } else { "inbox" }.to_owned(),
        };
        self.host.state().inbound(record, changes, audit).await?;
        Ok(())
    }
}

/// What stops when a customer refuses a channel; none for one that no customer refuses as such.
pub(crate) const fn refused_bits(channel: Channel) -> Option<Preferences> {
    match channel {
        Channel::Wechat => Some(Preferences::NO_WECHAT_SERVICE),
        Channel::Alipay => Some(Preferences::NO_ALIPAY_SERVICE),
        Channel::Sms | Channel::Screen | Channel::Webhook => None,
    }
}

/// Texts that were taken lately or are being taken.
#[derive(Default)]
pub(crate) struct Heard {
    known: BTreeMap<(LinkName, CarrierKey), Stage>,
    /// Those that were kept, in their order.
    order: VecDeque<(LinkName, CarrierKey)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    UnderWay,
    Kept,
}

/// What to do about a text.
enum Begin {
    New,
    UnderWay,
    Kept,
}

impl Heard {
    fn begin(&mut self, link: &LinkName, key: &CarrierKey) -> Begin {
        match self.known.insert((link.clone(), key.clone()), Stage::UnderWay) {
            None => Begin::New,
            Some(stage) => {
                self.known.insert((link.clone(), key.clone()), stage);
                if stage == Stage::Kept { Begin::Kept } else { Begin::UnderWay }
            }
        }
    }

    /// It is durable, or could not be made so: then it is new when the platform tells it again.
    fn end(&mut self, link: &LinkName, key: &CarrierKey, kept: bool) {
        let text = (link.clone(), key.clone());
        if !kept {
            self.known.remove(&text);
            return;
        }
        self.known.insert(text.clone(), Stage::Kept);
        self.order.push_back(text);
        while self.order.len() > MAX_HEARD {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}
