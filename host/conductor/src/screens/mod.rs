//! Screens of communities: the book of notices, kept durable. What is said is written down first, then shown; each change is one commit with its
//! audit note.
//!
//! Whoever decides about an outage calls [`Screens::say`] with the outage as origin: the first time it publishes, later it corrects, and
//! [`Screens::cancel`] takes it back. It must never show what was not committed, and never write a contact's number anywhere but into its document.

mod record;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_model::{Moment, PrefectureCode};
use gridbell_screens::{
    Book, CancelOrder, Community, CommunityKey, Error, Notice, NoticeId, NoticeOrder, Screen, ScreenId, ScreenKind,
};
use gridbell_state::{AuditNote, DocChange, State};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::documents::note;
use crate::error::HostError;
use record::{COMMUNITY, NOTICE, SCREEN};
use seen::Seen;
pub use seen::{Acknowledged, MAX_SHOWN, SEEN_EVERY};

/// What alerts and pages say of who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenSettings {
    /// The sender of alerts, which players may be told to trust: ASCII without spaces and commas, as `notices@95598.example`.
    pub sender: String,
    /// Who speaks, for people; none for the name of the prefecture's unit.
    pub author: Option<String>,
    /// Where players and televisions reach this host, as `https://screens.example.cn`; none where each request's own address is right.
    pub public_url: Option<String>,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self { sender: "gridbell".to_owned(), author: None, public_url: None }
    }
}

/// A screen to enter.
#[derive(Clone, Debug)]
pub struct NewScreen {
    /// Where it hangs.
    pub community: CommunityKey,
    /// Where exactly.
    pub place: String,
    /// How it gets what it shows.
    pub kind: ScreenKind,
    /// SHA-256 of the secret of its address, as hex.
    pub secret: String,
}

/// Communities, screens and notices. Cheap to clone.
#[derive(Clone)]
pub struct Screens(Arc<Inner>);

struct Inner {
    state: State,
    clock: Clock,
    book: RwLock<Book>,
    /// One change at a time: what is drafted from the book is true until it is written.
    changing: Arc<tokio::sync::Mutex<()>>,
    /// Counts changes of the book.
    changed: watch::Sender<u64>,
    seen: Seen,
    settings: RwLock<Arc<ScreenSettings>>,
    position: Mutex<BTreeMap<String, u64>>,
}

/// Whoever has it may change the book.
type Turn = tokio::sync::OwnedMutexGuard<()>;

/// What a change is in the book, once it is durable.
enum Entry {
    Community(Box<Community>),
    NoCommunity(CommunityKey),
    Screen(Screen),
    NoScreen(ScreenId),
    Notice(Box<Notice>, Vec<NoticeId>),
}

impl Screens {
    /// Reads what the state has of them.
    ///
    /// # Errors
    /// When a document cannot be read.
    pub fn open(state: State, clock: Clock) -> Result<Self, HostError> {
        let book = record::book(&state)?;
        let (seen, position) = (Seen::load(&state)?, record::positions(&state)?);
        let (changed, _) = watch::channel(0);
        Ok(Self(Arc::new(Inner {
            state,
            clock,
            book: RwLock::new(book),
            changing: Arc::default(),
            changed,
            seen,
            settings: RwLock::default(),
            position: Mutex::new(position),
        })))
    }

    /// Reads from the book. Nothing changes while `read` looks: it must be quick.
    pub fn book<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.0.book.read())
    }

    /// Counts up whenever the book changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// What alerts and pages say of who speaks.
    #[must_use]
    pub fn settings(&self) -> Arc<ScreenSettings> {
        Arc::clone(&self.0.settings.read())
    }

    /// Replaces [`Screens::settings`]. What was published keeps its sender.
    pub fn set_settings(&self, settings: ScreenSettings) {
        *self.0.settings.write() = Arc::new(settings);
    }

    /// Who speaks to the people of `prefecture`.
    #[must_use]
    pub fn author(&self, prefecture: PrefectureCode) -> String {
        let unit = || self.0.state.org().get(prefecture.org()).map(|u| u.name.clone());
        self.settings().author.clone().or_else(unit).unwrap_or_else(|| "供电公司".to_owned())
    }

    async fn turn(&self) -> Turn {
        Arc::clone(&self.0.changing).lock_owned().await
    }

    fn now(&self) -> Moment {
        self.0.clock.now()
    }

    /// Enters a community, or changes it; whether it is new.
    ///
    /// # Errors
    /// Where it breaks a rule, or the store refuses.
    pub async fn put_community(&self, community: Community, who: &str) -> Result<bool, HostError> {
        let detail = serde_json::json!({
            "name": community.name, "transformers": community.transformers.len(),
            "sections": community.sections.len(), "contacts": community.contacts.len(),
        });
        let audit = note(who, "community.put", &community.key.to_string(), detail);
        let held = self.turn().await;
        let created = self.book(|book| {
            book.check_community(&community)?;
            Ok::<_, Error>(book.community(&community.key).is_none())
        })?;
        let doc = record::put(COMMUNITY, &community.key.to_string(), &community)?;
        self.write(held, vec![doc], audit, Entry::Community(Box::new(community))).await?;
        Ok(created)
    }

    /// Removes a community without screens and notices.
    ///
    /// # Errors
    /// Where there is no such, something is in it, or the store refuses.
    pub async fn remove_community(&self, key: &CommunityKey, who: &str) -> Result<(), HostError> {
        let held = self.turn().await;
        self.book(|book| book.check_removal(key, self.now()))?;
        let audit = note(who, "community.remove", &key.to_string(), ());
        let doc = crate::documents::delete(COMMUNITY, &key.to_string());
        self.write(held, vec![doc], audit, Entry::NoCommunity(key.clone())).await
    }

    /// Enters a screen.
    ///
    /// # Errors
    /// Where it breaks a rule, its community is unknown, or the store refuses.
    pub async fn add_screen(&self, new: NewScreen, who: &str) -> Result<Screen, HostError> {
        let held = self.turn().await;
        let NewScreen { community, place, kind, secret } = new;
        let id = self.book(Book::next_screen);
        let screen = Screen { id, community, place, kind, secret, by: who.to_owned(), at: self.now() };
        self.book(|book| book.check_screen(&screen))?;
        let detail =
            serde_json::json!({ "community": screen.community, "place": screen.place, "kind": screen.kind.word() });
        let audit = note(who, "screen.create", &screen.id.to_string(), detail);
        self.put_screen(held, screen, audit).await
    }

    /// Gives a screen another secret: its old address is worth nothing any more.
    ///
    /// # Errors
    /// Where there is no such screen, or the store refuses.
    pub async fn rotate_screen(&self, id: ScreenId, secret: String, who: &str) -> Result<Screen, HostError> {
        let held = self.turn().await;
        let screen = self.book(|book| book.screen(id).cloned()).ok_or(Error::NoScreen(id))?;
        let audit = note(who, "screen.rotate", &id.to_string(), ());
        self.put_screen(held, Screen { secret, ..screen }, audit).await
    }

    async fn put_screen(&self, held: Turn, screen: Screen, audit: AuditNote) -> Result<Screen, HostError> {
        let doc = record::put(SCREEN, &screen.id.to_string(), &screen)?;
        self.write(held, vec![doc], audit, Entry::Screen(screen.clone())).await?;
        Ok(screen)
    }

    /// Removes a screen.
    ///
    /// # Errors
    /// Where there is no such screen, or the store refuses.
    pub async fn remove_screen(&self, id: ScreenId, who: &str) -> Result<(), HostError> {
        let held = self.turn().await;
        self.book(|book| book.screen(id).map(|_| ()).ok_or(Error::NoScreen(id)))?;
        let audit = note(who, "screen.remove", &id.to_string(), ());
        let docs = vec![crate::documents::delete(SCREEN, &id.to_string()), seen::forgotten(id)];
        self.write(held, docs, audit, Entry::NoScreen(id)).await
    }

    /// Publishes a notice; with `dry_run` only says what it would be.
    ///
    /// # Errors
    /// Where it breaks a rule, or the store refuses.
    pub async fn publish(&self, order: NoticeOrder, dry_run: bool) -> Result<Notice, HostError> {
        let held = self.turn().await;
        let order = self.signed(order);
        let notice = self.book(|book| book.publish(order, self.now()))?;
        if !dry_run {
            self.put_notice(held, "notice.publish", notice.clone()).await?;
        }
        Ok(notice)
    }

    /// Makes notice `id` say something else; with `dry_run` only says what it would be. None where it says that already.
    ///
    /// # Errors
    /// Where it breaks a rule, is no longer in force or at another revision, or the store refuses.
    pub async fn correct(
        &self,
        id: NoticeId,
        expected: Option<u32>,
        order: NoticeOrder,
        dry_run: bool,
    ) -> Result<Option<Notice>, HostError> {
        let held = self.turn().await;
        let order = self.signed(order);
        let Some(notice) = self.book(|book| book.correct(id, expected, order, self.now()))? else { return Ok(None) };
        if !dry_run {
            self.put_notice(held, "notice.correct", notice.clone()).await?;
        }
        Ok(Some(notice))
    }

    /// Publishes, or corrects the notice in force of the same origin; none where it says that already.
    ///
    /// # Errors
    /// As [`Screens::publish`] and [`Screens::correct`].
    pub async fn say(&self, order: NoticeOrder) -> Result<Option<Notice>, HostError> {
        let held = self.turn().await;
        let order = self.signed(order);
        let Some(notice) = self.book(|book| book.say(order, self.now()))? else { return Ok(None) };
        let action = if notice.revisions.len() == 1 { "notice.publish" } else { "notice.correct" };
        self.put_notice(held, action, notice.clone()).await?;
        Ok(Some(notice))
    }

    /// Takes a notice back; with `dry_run` only says what it would be.
    ///
    /// # Errors
    /// Where it is no longer in force or at another revision, or the store refuses.
    pub async fn cancel(&self, order: CancelOrder, dry_run: bool) -> Result<Notice, HostError> {
        let held = self.turn().await;
        let order = CancelOrder { sender: self.settings().sender.clone(), ..order };
        let notice = self.book(|book| book.cancel(order, self.now()))?;
        if !dry_run {
            self.put_notice(held, "notice.cancel", notice.clone()).await?;
        }
        Ok(notice)
    }

    fn signed(&self, order: NoticeOrder) -> NoticeOrder {
        NoticeOrder { sender: self.settings().sender.clone(), ..order }
    }

    async fn put_notice(&self, held: Turn, action: &'static str, notice: Notice) -> Result<(), HostError> {
        let over = self.book(|book| book.over(self.now()))?;
        let over: Vec<NoticeId> = over.into_iter().filter(|id| *id != notice.id).collect();
        let mut docs = vec![record::put(NOTICE, &notice.id.to_string(), &notice)?];
        docs.extend(over.iter().map(|id| crate::documents::delete(NOTICE, &id.to_string())));
        let audit = record::audit(action, &notice);
        self.write(held, docs, audit, Entry::Notice(Box::new(notice), over)).await
    }

    /// Makes a change durable, then visible. In a task of its own: a caller who goes away must not part the two.
    async fn write(&self, held: Turn, docs: Vec<DocChange>, audit: AuditNote, entry: Entry) -> Result<(), HostError> {
        let screens = self.clone();
        let work = async move {
            screens.0.state.put_docs(docs, vec![audit]).await?;
            screens.put_in(entry);
            drop(held);
            Ok(())
        };
        tokio::spawn(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn put_in(&self, entry: Entry) {
        let mut book = self.0.book.write();
        match entry {
            Entry::Community(community) => book.put_community(*community),
            Entry::NoCommunity(key) => book.remove_community(&key),
            Entry::Screen(screen) => book.put_screen(screen),
            Entry::NoScreen(id) => {
                book.remove_screen(id);
                self.0.seen.forget(id);
            }
            Entry::Notice(notice, over) => {
                over.into_iter().for_each(|id| book.remove_notice(id));
                book.put_notice(*notice);
            }
        }
        drop(book);
        self.0.changed.send_modify(|n| *n += 1);
    }

    /// How far `listener` has taken changes of notices: the number of the last; 0 for none.
    #[must_use]
    pub fn position(&self, listener: &str) -> u64 {
        self.0.position.lock().get(listener).copied().unwrap_or(0)
    }

    /// Keeps how far `listener` has taken changes of notices.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn save_position(&self, listener: &str, change: u64) -> Result<(), HostError> {
        let doc = record::put(record::POSITION, listener, &change)?;
        self.0.state.put_docs(vec![doc], Vec::new()).await?;
        self.0.position.lock().insert(listener.to_owned(), change);
        Ok(())
    }

    /// Notices that are shown somewhere.
    #[must_use]
    pub fn in_force(&self) -> Vec<Arc<Notice>> {
        let now = self.now();
        self.book(|book| book.notices().filter(|n| n.in_force(now)).cloned().collect())
    }

    /// Notices that changed after change number `after`, in the order in which they did; at most `most`.
    #[must_use]
    pub fn changed_after(&self, after: u64, most: usize) -> Vec<Arc<Notice>> {
        let mut later: Vec<Arc<Notice>> =
            self.book(|book| book.notices().filter(|n| n.change > after).cloned().collect());
        later.sort_by_key(|n| n.change);
        later.truncate(most);
        later
    }
}
