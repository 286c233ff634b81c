//! Addresses at platforms as sending needs them: read when a message is handed out, looked at once more before it goes, ended when the platform
//! says so. A message keeps none: what a customer had erased is nowhere else.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use gridbell_channels::{Address, Body, TemplateBody};
use gridbell_model::{
    AccountNumber, BindingSource, Channel, HoldReason, MessageId, Moment, PlatformId, PrefectureCode,
};
use gridbell_planner::PlatformText;
use gridbell_state::{Contact, ContactFact, CustomerChange, Facts, Outcome, OutgoingMessage, QueuedMessage};

use crate::documents::note;
use crate::error::HostError;
use crate::followers::{refused_wish, source_of};
use crate::host::Host;

/// Accounts of one address that its platform's word changes at most: landlords have many, nobody has more.
const MAX_ACCOUNTS: usize = 1_000;
/// Changes that one errand has under way.
const CHANGES_AT_ONCE: usize = 512;
/// Alipay's user ids are 2088 and twelve more digits; its open ids are longer.
const ALIPAY_USER: &str = "2088";
const ALIPAY_USER_DIGITS: usize = 16;

/// The addresses of those of `messages` that go to a platform, as they are now. Of SMS it costs one look at the channel.
pub(crate) fn addresses_of(
    host: &Host,
    messages: &[OutgoingMessage],
) -> Result<BTreeMap<MessageId, Contact>, HostError> {
    let mut wanted: BTreeMap<(PrefectureCode, Channel), (Vec<MessageId>, Vec<u32>)> = BTreeMap::new();
    for message in messages {
        if let Outcome::Queued(queued) = &message.decision.outcome
            && queued.channel.is_platform()
        {
            let (ids, rows) = wanted.entry((message.id.prefecture(), queued.channel)).or_default();
            ids.push(message.id);
            rows.push(message.decision.row);
        }
    }
    let mut found = BTreeMap::new();
    for ((prefecture, channel), (ids, rows)) in wanted {
        let contacts = host.state().contacts_at(prefecture, &rows, channel)?;
        // An id says nothing at another account than its own.
        let app = host.app_of(channel);
        let ours = |c: &Contact| c.app.is_empty() || app.as_ref().is_none_or(|app| *app == c.app);
        let contacts = contacts.into_iter().map(|contact| contact.filter(ours));
        found.extend(ids.into_iter().zip(contacts).filter_map(|(id, contact)| Some((id, contact?))));
    }
    Ok(found)
}

/// Why a message must not go to its platform any more: the address is gone, or is another than when it was queued.
pub(crate) fn address_lost(
    message: &OutgoingMessage,
    queued: &QueuedMessage,
    now: Option<&Contact>,
) -> Option<HoldReason> {
    match now {
        _ if !queued.channel.is_platform() => None,
        None => Some(HoldReason::NoAddress),
        Some(contact) if contact.since > message.queued_at => Some(HoldReason::AddressChanged),
        Some(_) => None,
    }
}

/// To whom a message goes, in its channel's words. One whose address is gone is handed out without any: the last look cancels it.
pub(crate) fn address(queued: &QueuedMessage, contact: Option<&Contact>) -> Address {
    let id = contact.map_or("", |c| c.id.expose());
    let is_user = id.len() == ALIPAY_USER_DIGITS && id.starts_with(ALIPAY_USER);
    match queued.channel {
        Channel::Alipay if is_user => Address::UserId(id.into()),
        Channel::Wechat | Channel::Alipay => Address::OpenId(id.into()),
        Channel::Sms | Channel::Screen | Channel::Webhook => queued.phone.into(),
    }
}

/// What a message says, in its channel's words.
pub(crate) fn body(queued: &QueuedMessage) -> Body {
    let read = queued.channel.is_platform().then(|| PlatformText::parse(&queued.text)).flatten();
    match read {
        Some(PlatformText { template, url, fields }) => Body::Template(TemplateBody {
            id: template.into(),
            values: fields.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            url: url.to_owned(),
        }),
        None => queued.text.clone().into(),
    }
}

impl Host {
    /// The platform said that nobody is at `id` any more: unfollowed, closed, never there. Ends its bindings to all accounts, with the platform as
    /// source in the audit log; returns to how many.
    ///
    /// # Errors
    /// When the state refuses: the platform is to say it again.
    pub async fn address_ended(&self, channel: Channel, app: &str, id: &PlatformId) -> Result<usize, HostError> {
        let accounts = self.accounts_of(channel, app, id).await?;
        let detail = serde_json::json!({ "channel": channel, "source": BindingSource::Platform });
        let audit = accounts.iter().map(|a| note("system", "contact.unbind", &a.to_string(), &detail)).collect();
        let ends: Vec<_> =
            accounts.iter().map(|account| ContactFact { account: *account, channel, address: None }).collect();
        let count = ends.len();
        if count > 0 {
            self.state().facts(Facts::Contacts(ends), false, audit).await?;
        }
        Ok(count)
    }

    /// The platform said that the customer refuses messages there (拒收): service messages stop on that channel and on no other, what is statutory
    /// goes on by other ways. Returns for how many accounts.
    ///
    /// # Errors
    /// When the state refuses: the platform is to say it again.
    pub async fn channel_refused(&self, channel: Channel, app: &str, id: &PlatformId) -> Result<usize, HostError> {
        let (Some(wish), Some(source)) = (refused_wish(channel), source_of(channel)) else { return Ok(0) };
        let accounts = self.accounts_of(channel, app, id).await?;
        for account in &accounts {
            let change = CustomerChange::Asked { wish, on: false, source };
            let detail = serde_json::json!({ "channel": channel, "source": BindingSource::Platform });
            let audit = vec![note("system", "preference.opt-out", &account.to_string(), detail)];
            self.state().change_customer(*account, vec![change], Vec::new(), audit).await?;
        }
        Ok(accounts.len())
    }

    /// The accounts to which `id` is bound, with `app` named or left out: where there is but one, nobody writes it.
    pub(crate) async fn accounts_of(
        &self,
        channel: Channel,
        app: &str,
        id: &PlatformId,
    ) -> Result<Vec<AccountNumber>, HostError> {
        let (host, app, id) = (self.clone(), app.to_owned(), id.clone());
        let find = move || {
            let mut found = host.state().by_contact(channel, &app, &id, MAX_ACCOUNTS)?;
            if !app.is_empty() {
                found.extend(host.state().by_contact(channel, "", &id, MAX_ACCOUNTS)?);
            }
            Ok::<_, HostError>(found)
        };
        let found = self.clock().offload(find).await.map_err(|e| HostError::Task(e.to_string()))??;
        Ok(found.into_iter().map(|(_, view)| view.account).take(MAX_ACCOUNTS).collect())
    }

    /// The platform refused `messages` because their addresses are none: the bindings end, unless they are newer ones.
    pub(crate) async fn addresses_refused(&self, messages: Vec<MessageId>) -> Result<(), HostError> {
        let contacts = self.addresses_sent_to(messages).await?;
        at_once(contacts, |contact| async move {
            self.address_ended(contact.channel, &contact.app, &contact.id).await.map(drop)
        })
        .await
    }

    /// The customers of `messages` refuse their platform, as [`Host::channel_refused`].
    pub(crate) async fn channels_refused(&self, messages: Vec<MessageId>) -> Result<(), HostError> {
        let contacts = self.addresses_sent_to(messages).await?;
        at_once(contacts, |contact| async move {
            self.channel_refused(contact.channel, &contact.app, &contact.id).await.map(drop)
        })
        .await
    }

    /// The addresses that `messages` went to, those that are the customers' still; none of what went to a number, or is archived.
    async fn addresses_sent_to(&self, messages: Vec<MessageId>) -> Result<Vec<Contact>, HostError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let host = self.clone();
        let read = move || {
            let mut wanted: BTreeMap<(PrefectureCode, Channel), (Vec<u32>, Vec<Moment>)> = BTreeMap::new();
            for detail in host.state().messages_at(&messages)? {
                let Outcome::Queued(queued) = &detail.decision.outcome else { continue };
                if queued.channel.is_platform() {
                    let (rows, times) = wanted.entry((detail.id.prefecture(), queued.channel)).or_default();
                    rows.push(detail.decision.row);
                    times.push(detail.status.queued_at);
                }
            }
            let mut found = Vec::new();
            for ((prefecture, channel), (rows, times)) in wanted {
                let contacts = host.state().contacts_at(prefecture, &rows, channel)?;
                let same = |(contact, at): (Option<Contact>, Moment)| contact.filter(|c| c.since <= at);
                found.extend(contacts.into_iter().zip(times).filter_map(same));
            }
            Ok::<_, HostError>(found)
        };
        self.clock().offload(read).await.map_err(|e| HostError::Task(e.to_string()))?
    }
}

/// Does `change` for each, many at once, so that one commit takes them together.
pub(crate) async fn at_once<T, E, F: Future<Output = Result<(), E>>>(
    of: Vec<T>,
    change: impl Fn(T) -> F,
) -> Result<(), E> {
    futures_util::stream::iter(of.into_iter().map(Ok)).try_for_each_concurrent(CHANGES_AT_ONCE, change).await
}
