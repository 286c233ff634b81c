//! An outbox in memory that keeps the port's rules, knows crashes, and remembers what it was told; and a server for callbacks.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test uses a part of it, and ends where its rules are broken"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::http::{Callback, CallbackDesk, Followers, HttpHandle, Provider, Said, start_http};
use gridbell_channels::{
    Action, Address, Answer, Body, Inbound, LinkName, Outbox, OutboxError, Outcome, Outgoing, PartSet, Report,
    TemplateBody, Unsent, Which,
};
use gridbell_clock::Clock;
use gridbell_exchange::{Handler, Incoming, Reply, serve};
use gridbell_model::{CarrierKey, MessageId, PrefectureCode};
use gridbell_platform::Method;
use gridbell_providers::{Account, AccountConfig, Built};
use gridbell_simulators::web::{Gateway, Platform};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    Accepted(CarrierKey),
    Declined(String, Action),
    GaveUp,
}

pub struct Life {
    pub message: Outgoing,
    in_hand: bool,
    intended: bool,
    pub marked: bool,
    pub fate: Option<Fate>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<MessageId>,
    later: BTreeMap<(Duration, MessageId), ()>,
    lives: HashMap<MessageId, Life>,
    reports: Vec<Report>,
    said: Vec<Said>,
    failing: u32,
    next: u32,
    most_in_hand: usize,
}

pub struct Memory {
    clock: Clock,
    inner: Mutex<Inner>,
    wake: Notify,
    told: watch::Sender<u64>,
    /// While it is shut no answer becomes durable.
    pub shut: watch::Sender<bool>,
}

impl Memory {
    pub fn new(clock: &Clock) -> Arc<Self> {
        let (inner, wake, told) = (Mutex::default(), Notify::new(), watch::Sender::new(0));
        Arc::new(Self { clock: clock.clone(), inner, wake, told, shut: watch::Sender::new(false) })
    }

    pub fn put(&self, to: Address, body: Body) -> MessageId {
        let mut inner = self.inner.lock();
        inner.next += 1;
        let id = MessageId::new(PrefectureCode(140_100), inner.next);
        let message = Outgoing {
            id,
            to,
            sender: "95598".into(),
            body,
            open: PartSet::one(1),
            attempt: 0,
            urgent: false,
            valid_until: None,
        };
        inner.queue.push_back(id);
        let life = Life { message, in_hand: false, intended: false, marked: false, fate: None };
        inner.lives.insert(id, life);
        drop(inner);
        self.wake.notify_one();
        id
    }

    /// The next `times` calls that make something durable fail.
    pub fn fail(&self, times: u32) {
        self.inner.lock().failing = times;
    }

    pub fn fate(&self, id: MessageId) -> Option<Fate> {
        self.inner.lock().lives[&id].fate.clone()
    }

    pub fn is_marked(&self, id: MessageId) -> bool {
        self.inner.lock().lives[&id].marked
    }

    pub fn fates(&self) -> Vec<Option<Fate>> {
        let inner = self.inner.lock();
        let mut all: Vec<_> = inner.lives.values().map(|life| (life.message.id, life.fate.clone())).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, fate)| fate).collect()
    }

    pub fn accepted(&self) -> usize {
        self.fates().iter().filter(|fate| matches!(fate, Some(Fate::Accepted(_)))).count()
    }

    pub fn open(&self) -> usize {
        self.fates().iter().filter(|fate| fate.is_none()).count()
    }

    pub fn in_hand(&self) -> usize {
        self.inner.lock().lives.values().filter(|life| life.in_hand).count()
    }

    /// The most that ever were in a link's hands.
    pub fn most_in_hand(&self) -> usize {
        self.inner.lock().most_in_hand
    }

    pub fn reports(&self) -> Vec<Report> {
        self.inner.lock().reports.clone()
    }

    pub fn said(&self) -> Vec<Said> {
        self.inner.lock().said.clone()
    }

    /// The process ended: what was intended may have gone, the rest has not.
    pub fn crash(&self) {
        let mut inner = self.inner.lock();
        let mut back = Vec::new();
        for life in inner.lives.values_mut().filter(|life| life.in_hand) {
            life.marked |= life.intended;
            (life.in_hand, life.intended) = (false, false);
            back.push(life.message.id);
        }
        back.sort_unstable();
        inner.queue.extend(back);
    }

    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut told = self.told.subscribe();
        while !holds(self) {
            told.changed().await.unwrap();
        }
    }

    fn commit(&self) -> Result<(), OutboxError> {
        let mut inner = self.inner.lock();
        if inner.failing > 0 {
            inner.failing -= 1;
            return Err(OutboxError("no space left on device".into()));
        }
        Ok(())
    }

    fn tell(&self) {
        self.told.send_modify(|n| *n += 1);
        self.wake.notify_one();
    }
}

impl Inner {
    fn take_back(&mut self, id: MessageId) -> &mut Life {
        let life = self.lives.get_mut(&id).unwrap();
        assert!(life.in_hand, "{id} is in no link's hands");
        (life.in_hand, life.intended) = (false, false);
        life
    }
}

impl Outbox for Memory {
    async fn claim(&self, _: &LinkName, max: usize, _: Which) -> Result<Vec<Outgoing>, OutboxError> {
        let now = self.clock.monotonic();
        let mut inner = self.inner.lock();
        while let Some(entry) = inner.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, id) = *entry.key();
            entry.remove();
            inner.queue.push_back(id);
        }
        let count = max.min(inner.queue.len());
        let ids: Vec<_> = inner.queue.drain(..count).collect();
        let mut claimed = Vec::new();
        for id in ids {
            let life = inner.lives.get_mut(&id).unwrap();
            assert!(!life.in_hand && life.fate.is_none(), "{id} is handed out twice");
            life.in_hand = true;
            claimed.push(life.message.clone());
        }
        let in_hand = inner.lives.values().filter(|life| life.in_hand).count();
        inner.most_in_hand = inner.most_in_hand.max(in_hand);
        drop(inner);
        self.told.send_modify(|n| *n += 1);
        Ok(claimed)
    }

    async fn ready(&self, _: &LinkName) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = self.clock.sleep(Duration::from_millis(20)) => {}
        }
    }

    async fn intend(&self, _: &LinkName, messages: &[MessageId]) -> Result<Vec<MessageId>, OutboxError> {
        self.commit()?;
        let mut inner = self.inner.lock();
        for id in messages {
            inner.lives.get_mut(id).unwrap().intended = true;
        }
        drop(inner);
        self.told.send_modify(|n| *n += 1);
        Ok(messages.to_vec())
    }

    async fn answered(&self, _: &LinkName, answers: &[Answer]) -> Result<(), OutboxError> {
        self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
        self.commit()?;
        let now = self.clock.monotonic();
        {
            let mut inner = self.inner.lock();
            for answer in answers {
                let id = answer.message;
                let life = inner.take_back(id);
                let mut again = None;
                match &answer.outcome {
                    Outcome::Accepted { key } => life.fate = Some(Fate::Accepted(key.clone())),
                    Outcome::Declined { action: Action::Retry { after }, .. } => {
                        life.message.attempt += 1;
                        again = Some(*after);
                    }
                    Outcome::Declined { action: Action::Requeue, .. } => again = Some(Duration::ZERO),
                    Outcome::Declined { code, action } => life.fate = Some(Fate::Declined(code.to_string(), *action)),
                    Outcome::Unanswered { again: true } => {
                        life.marked = true;
                        life.message.attempt += 1;
                        again = Some(Duration::ZERO);
                    }
                    Outcome::Unanswered { again: false } => {
                        life.marked = true;
                        life.fate = Some(Fate::GaveUp);
                    }
                    _ => life.fate = Some(Fate::GaveUp),
                }
                match again {
                    Some(Duration::ZERO) => inner.queue.push_back(id),
                    Some(after) => drop(inner.later.insert((now + after, id), ())),
                    None => {}
                }
            }
        }
        self.tell();
        Ok(())
    }

    async fn reported(&self, _: &LinkName, reports: &[Report]) -> Result<(), OutboxError> {
        self.commit()?;
        self.inner.lock().reports.extend_from_slice(reports);
        self.tell();
        Ok(())
    }

    async fn inbound(&self, _: &LinkName, _: &[Inbound]) -> Result<(), OutboxError> {
        self.commit()
    }

    async fn release(&self, _: &LinkName, unsent: &[Unsent]) -> Result<(), OutboxError> {
        self.commit()?;
        let mut inner = self.inner.lock();
        for one in unsent {
            inner.take_back(one.message);
            inner.queue.push_back(one.message);
        }
        drop(inner);
        self.tell();
        Ok(())
    }
}

impl Followers for Memory {
    async fn said(&self, _: &LinkName, said: &[Said]) -> Result<(), OutboxError> {
        self.commit()?;
        self.inner.lock().said.extend_from_slice(said);
        self.tell();
        Ok(())
    }
}

/// A desk behind a socket.
struct Door<P: Provider>(CallbackDesk<P, Memory, Memory>);

impl<P: Provider> Handler for Door<P> {
    async fn handle(&self, request: Incoming) -> Reply {
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let method = if request.method == "GET" { Method::Get } else { Method::Post };
        let callback = Callback { method, query: &request.query, headers: &headers, body: &request.body };
        let reply = self.0.take(&callback).await;
        Reply::Answer { status: reply.status, kind: reply.kind, body: reply.body.into_bytes() }
    }
}

/// A place for callbacks that is known before the account exists.
pub struct Place {
    listener: TcpListener,
    pub url: String,
}

impl Place {
    pub async fn new(query: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/callbacks/account{query}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub fn open<P: Provider>(
        self,
        name: LinkName,
        provider: &Arc<P>,
        outbox: &Arc<Memory>,
        clock: &Clock,
    ) -> CancellationToken {
        let desk = CallbackDesk::new(name, Arc::clone(provider), Arc::clone(outbox), Arc::clone(outbox), clock.clone());
        let stop = CancellationToken::new();
        tokio::spawn(serve(self.listener, Arc::new(Door(desk)), clock.clone(), stop.clone()));
        stop
    }
}

pub async fn simulate<P: Platform>(config: P::Config, clock: &Clock) -> Gateway<P> {
    Gateway::start(config, clock.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

/// The account of a configuration, `{address}` and `{dir}` filled in, its secrets in files of `dir`.
pub fn build(text: &str, address: SocketAddr, dir: &std::path::Path, clock: &Clock) -> Built {
    for (name, secret) in [
        ("secret", "secret"),
        ("token", "gridbell"),
        ("aes", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"),
        ("key", "0123456789abcdef0123456789abcdef"),
        ("whsec", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"),
    ] {
        std::fs::write(dir.join(name), secret).unwrap();
    }
    let text = text.replace("{address}", &address.to_string()).replace("{dir}", dir.to_str().unwrap());
    let config: AccountConfig = toml::from_str(&text).unwrap();
    config.build(clock.clone()).unwrap()
}

pub fn link(built: Built, outbox: &Arc<Memory>, clock: &Clock) -> (HttpHandle, Arc<Account>) {
    let account = Arc::new(built.account);
    let (provider, exchange) = (Arc::clone(&account), Arc::new(built.client));
    let handle = start_http(built.terms, provider, Arc::clone(outbox), exchange, clock.clone()).unwrap();
    (handle, account)
}

pub fn template(id: &str, values: &[(&str, &str)]) -> Body {
    let values = values.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
    Body::Template(TemplateBody { id: id.into(), values, url: String::new() })
}

pub fn openid(n: usize) -> Address {
    Address::OpenId(format!("oABCDEFGHIJKLMNOPQRST{n:07}").into())
}

pub const WECHAT: &str = r#"
    address = "http://{address}"
    plain-http = true
    [link]
    name = "wechat"
    timers = { breaker-min-ms = 20, breaker-max-s = 1, throttle-min-ms = 5, repeat-min-ms = 5 }
    [account]
    kind = "wechat"
    appid = "wx0123456789abcdef"
    secret = { file = "{dir}/secret" }
    callback-token = { file = "{dir}/token" }
    callback-aes-key = { file = "{dir}/aes" }
    notices = ["NOTICE"]
"#;
