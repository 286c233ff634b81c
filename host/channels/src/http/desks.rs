//! The callback addresses of a host: one for each account, whatever its platform.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::callback::{CallbackDesk, CallbackReply, Followers};
use super::provider::{Callback, Provider};
use crate::config::LinkName;
use crate::port::Outbox;

type Taking<'a> = Pin<Box<dyn Future<Output = CallbackReply> + Send + 'a>>;

trait Desk: Send + Sync {
    fn take<'a>(&'a self, callback: &'a Callback<'a>) -> Taking<'a>;
}

impl<P: Provider, O: Outbox, F: Followers> Desk for CallbackDesk<P, O, F> {
    fn take<'a>(&'a self, callback: &'a Callback<'a>) -> Taking<'a> {
        Box::pin(self.take(callback))
    }
}

/// The desks of all accounts, for whoever mounts `POST` and `GET /callbacks/{account}`. A clone has those that were open when it was made.
#[derive(Clone, Default)]
pub struct Desks(BTreeMap<LinkName, Arc<dyn Desk>>);

impl Desks {
    /// Opens an account's; one that it had before is closed.
    pub fn open<P: Provider, O: Outbox, F: Followers>(&mut self, desk: CallbackDesk<P, O, F>) {
        self.0.insert(desk.link().clone(), Arc::new(desk));
    }

    /// Takes a callback for an account: 404 where there is none of the name, else as [`CallbackDesk::take`].
    pub async fn take(&self, account: &str, callback: &Callback<'_>) -> CallbackReply {
        match LinkName::new(account).ok().and_then(|name| self.0.get(&name)) {
            Some(desk) => desk.take(callback).await,
            None => {
                CallbackReply { status: 404, kind: "text/plain; charset=utf-8", body: "no such account".to_owned() }
            }
        }
    }
}
