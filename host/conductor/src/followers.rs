//! What followers of an account do at its platform: who leaves has no address there any more, what they write comes to the inbox as an SMS reply
//! does. Nothing of it is in a log; a platform that tells something twice changes nothing twice.

use gridbell_channels::http::{Followers, Said};
use gridbell_channels::{LinkName, OutboxError};
use gridbell_model::{BindingSource, CarrierKey, Channel, Moment, Phone, PlatformId, Wish, WishSource};
use gridbell_state::{ContactFact, Facts, InboundMessage};

use crate::answers::Wrote;
use crate::documents::note;
use crate::error::HostError;
use crate::host::Host;
use crate::inbound::{Effect, Whose, Written};
use crate::port::failed;
use crate::words::Word;

/// The longest text of a follower's that is kept, in characters; platforms let people write a few hundred.
const MAX_TEXT: usize = 2_000;
/// How much later than the platform's second a binding may be that its word is about.
const SAME_SECOND_MS: i64 = 999;

/// The followers of one account.
#[derive(Clone)]
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
                let wrote = Wrote::of_platform(link.as_str(), key.to_string());
                let (its, link, id, key, text) = (self.clone(), link.clone(), id.clone(), key.clone(), text.clone());
                self.host.once(wrote, async move { its.wrote(&link, &id, &key, &text).await }).await
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

    /// Stores a text with what it changes and what it asks for, in one commit. It is kept as from the number of the account that the address is bound to,
    /// under which the inbox is searched, archived and erased; from nobody where it is bound to none.
    async fn wrote(&self, link: &LinkName, id: &str, key: &CarrierKey, text: &str) -> Result<(), HostError> {
        let accounts = match id.parse::<PlatformId>() {
            Ok(id) => self.host.accounts_of(self.channel, &self.app, &id).await?,
            Err(_) => Vec::new(),
        };
        let views: Vec<Whose> = accounts.iter().filter_map(|account| self.host.state().customer(*account)).collect();
        let phones = views.iter().map(|(_, view)| view.phone);
        let from = phones.into_iter().find(|phone| *phone != Phone::NONE).unwrap_or(Phone::NONE);
        let record = InboundMessage {
            number: 0,
            at: self.host.clock().now(),
            link: link.to_string(),
            from,
            to: self.channel.word().to_owned(),
            text: short(text),
            handled: String::new(),
            key: key.to_string(),
            answer: String::new(),
        };
        // Somebody without a number is counted by his account.
        let of_account = || views.first().map_or(0, |(_, view)| view.account.packed());
        let counted = if from.number() == 0 { of_account() } else { from.number() };
        let limited = self.host.limit(counted, &record);
        let (host, channel) = (self.host.clone(), self.channel);
        let written = source_of(channel).map(|source| Written { channel, source });
        let word = Word::of(text).filter(|_| !views.is_empty());
        let work = move || match (word, written) {
            (Some(word), Some(written)) => host.effect(word, &views, written),
            _ => Effect::inbox(),
        };
        let effect = self.host.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?;
        self.host.keep_written(record, effect, limited, counted, self.channel).await
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// From where a wish comes that is said on a channel; none for one on which nobody says any.
pub(crate) const fn source_of(channel: Channel) -> Option<WishSource> {
    match channel {
        Channel::Wechat => Some(WishSource::Wechat),
        Channel::Alipay => Some(WishSource::Alipay),
        Channel::Sms | Channel::Screen | Channel::Webhook => None,
    }
}

/// What stops when a customer refuses a channel; none for one that no customer refuses as such.
pub(crate) const fn refused_wish(channel: Channel) -> Option<Wish> {
    match channel {
        Channel::Wechat => Some(Wish::ServiceWechat),
        Channel::Alipay => Some(Wish::ServiceAlipay),
        Channel::Sms | Channel::Screen | Channel::Webhook => None,
    }
}
