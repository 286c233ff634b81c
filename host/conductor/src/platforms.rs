//! Links to platforms: started as carriers' are, and what comes to their callback addresses. It knows no platform and opens no socket; what is
//! let in is what the account's provider has verified.

use std::sync::Arc;

use gridbell_channels::http::{
    Callback, CallbackDesk, CallbackReply, Exchange, HttpTerms, Method, Provider, start_http,
};
use gridbell_model::{Channel, Served};

use crate::any_link::AnyLink;
use crate::error::HostError;
use crate::followers::AccountFollowers;
use crate::host::Host;

/// An account at a platform, ready to be linked.
pub struct PlatformLink<P, E> {
    /// Name, pace, limits.
    pub terms: HttpTerms,
    /// What the platform says.
    pub provider: P,
    /// Calls it.
    pub exchange: E,
    /// What the link takes from the outbox.
    pub serves: Vec<Served>,
    /// The channel of the messages that it takes.
    pub channel: Channel,
    /// The account's own id at the platform, to which customers' ids belong; empty where ids belong to none.
    pub app: String,
}

/// A request to a callback address, as it came. Query, headers and body are signed and personal: nothing shows them.
pub struct IncomingCallback {
    /// Whether it is a GET, with which consoles try an address; a POST otherwise.
    pub is_get: bool,
    /// The query without its `?`.
    pub query: String,
    /// Headers with their values, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`MAX_CALLBACK`](gridbell_channels::http::MAX_CALLBACK) octets.
    pub body: Vec<u8>,
}

impl Host {
    /// Starts a link to a platform and opens its callback address.
    ///
    /// # Errors
    /// When its terms cannot be, or a link of its name or an account for its channel is there already.
    pub fn start_platform<P: Provider, E: Exchange>(&self, link: PlatformLink<P, E>) -> Result<(), HostError> {
        let PlatformLink { terms, provider, exchange, serves, channel, app } = link;
        self.check_new_link(&terms.name)?;
        if channel.is_platform() {
            self.set_app(channel, &terms.name, app.clone())?;
        }
        let (provider, outbox) = (Arc::new(provider), Arc::new(self.outbox()));
        let handle =
            start_http(terms, Arc::clone(&provider), Arc::clone(&outbox), Arc::new(exchange), self.clock().clone())?;
        let followers = Arc::new(AccountFollowers { host: self.clone(), channel, app });
        self.desks().write().open(CallbackDesk::of(&handle, provider, outbox, followers));
        self.serve_link(handle.name(), &serves);
        self.push_link(AnyLink::Platform(handle));
        self.rule_links();
        Ok(())
    }

    /// Takes what came to the callback address of `account`: 200 only when all that it says is durable, 403 where it proves nothing, 404 where there
    /// is no such account.
    pub async fn callback(&self, account: &str, callback: &IncomingCallback) -> CallbackReply {
        let headers: Vec<(&str, &str)> = callback.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let method = if callback.is_get { Method::Get } else { Method::Post };
        let callback = Callback { method, query: &callback.query, headers: &headers, body: &callback.body };
        let desks = self.desks().read().clone();
        desks.take(account, &callback).await
    }
}
