//! Against a real broker, Debian's mosquitto: what a player gets that was there, that comes later, that the broker lost its memory for, and that
//! nothing is forgotten while it is away.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_model::{Moment, PrefectureCode};
use gridbell_mqtt::{Broker, BrokerTls, MqttError, Publisher, Saved, Source};
use gridbell_screens::{
    Book, CancelOrder, Certainty, Community, CommunityKey, Content, Kind, Notice, NoticeId, NoticeOrder, Severity,
    Urgency,
};
use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const TAIYUAN: PrefectureCode = PrefectureCode(140_100);

/// The broker's program; none, and a line why, where it is not installed.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(sbin).map(|dir| dir.join("mosquitto")).find(|p| p.is_file());
    if found.is_none() {
        println!("SKIPPED: mosquitto is not here: apt-get install mosquitto");
    }
    found
}

/// A broker that keeps nothing over its end; killed at the end of the test.
struct Mosquitto {
    child: Child,
}

impl Mosquitto {
    fn start(program: &Path, dir: &Path, port: u16) -> Self {
        Self::with(program, dir, port, "")
    }

    fn with(program: &Path, dir: &Path, port: u16, more: &str) -> Self {
        let config = dir.join("mosquitto.conf");
        let users = dir.join("users");
        // `gridbell` with the password `secret`, as mosquitto_passwd writes it.
        std::fs::write(&users, include_str!("users")).unwrap();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\npassword_file {}\n{more}",
            users.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        let child = command.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Notices in memory.
struct Board {
    book: Mutex<Book>,
    position: Mutex<u64>,
    changes: watch::Sender<u64>,
    trouble: watch::Sender<Option<String>>,
    clock: Clock,
}

impl Source for Board {
    fn changed_after(&self, after: u64, most: usize) -> Vec<Arc<Notice>> {
        let book = self.book.lock();
        let mut later: Vec<_> = book.notices().filter(|n| n.change > after).cloned().collect();
        later.sort_by_key(|n| n.change);
        later.truncate(most);
        later
    }

    fn in_force(&self) -> Vec<Arc<Notice>> {
        let now = self.clock.now();
        self.book.lock().notices().filter(|n| n.in_force(now)).cloned().collect()
    }

    fn position(&self) -> u64 {
        *self.position.lock()
    }

    fn save(&self, change: u64) -> Saved<'_> {
        *self.position.lock() = change;
        Box::pin(async { Ok(()) })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn trouble(&self, why: Option<&MqttError>) {
        self.trouble.send_replace(Some(why.map(ToString::to_string).unwrap_or_default()));
    }
}

fn key(code: &str) -> CommunityKey {
    CommunityKey::new(TAIYUAN, code).unwrap()
}

impl Board {
    fn new() -> Arc<Self> {
        let clock = Clock::starting_at(Moment::from_unix_ms(1_795_000_000_000));
        let mut book = Book::default();
        for code in ["jinxiu", "xingfu"] {
            book.put_community(Community {
                key: key(code),
                name: "小区".into(),
                transformers: Default::default(),
                sections: Default::default(),
                contacts: Vec::new(),
            });
        }
        let (changes, _) = watch::channel(0);
        let (trouble, _) = watch::channel(None);
        Arc::new(Self { book: Mutex::new(book), position: Mutex::new(0), changes, trouble, clock })
    }

    fn order(&self, title: &str, communities: &[&str]) -> NoticeOrder {
        NoticeOrder {
            prefecture: TAIYUAN,
            origin: String::new(),
            content: Content {
                kind: Kind::PlannedOutage,
                severity: Severity::Moderate,
                urgency: Urgency::Future,
                certainty: Certainty::Likely,
                title: title.into(),
                body: "10kV城南线检修。".into(),
                begins: None,
                ends: None,
                expires: self.clock.now().plus_ms(3_600_000),
            },
            communities: communities.iter().map(|c| key(c)).collect(),
            by: "wang".into(),
            why: "变更".into(),
            sender: "gridbell".into(),
        }
    }

    fn put(&self, notice: Notice) -> NoticeId {
        let id = notice.id;
        self.book.lock().put_notice(notice);
        self.changes.send_modify(|n| *n += 1);
        id
    }

    fn publish(&self, title: &str, communities: &[&str]) -> NoticeId {
        let notice = self.book.lock().publish(self.order(title, communities), self.clock.now()).unwrap();
        self.put(notice)
    }

    fn correct(&self, id: NoticeId, title: &str, communities: &[&str]) {
        let order = self.order(title, communities);
        let notice = self.book.lock().correct(id, None, order, self.clock.now()).unwrap().unwrap();
        self.put(notice);
    }

    fn cancel(&self, id: NoticeId) {
        let order =
            CancelOrder { id, expected: None, by: "wang".into(), why: "取消".into(), sender: "gridbell".into() };
        let notice = self.book.lock().cancel(order, self.clock.now()).unwrap();
        self.put(notice);
    }

    async fn until_trouble(&self, wanted: impl Fn(&str) -> bool) {
        let mut trouble = self.trouble.subscribe();
        trouble.wait_for(|t| t.as_deref().is_some_and(&wanted)).await.unwrap();
    }
}

fn broker(port: u16, login: Option<(&str, &str)>) -> Broker {
    Broker {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        login: login.map(|(n, p)| (n.into(), p.into())),
        client_id: "gridbell-test".into(),
        topic: "gridbell/screens".into(),
    }
}

fn started(board: &Arc<Board>, broker: Broker) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    let publisher = Publisher::new(broker, Arc::clone(board), board.clock.clone(), Seed(1)).unwrap();
    (stop.clone(), tokio::spawn(publisher.run(stop)))
}

/// A player: what it would show, by community and notice.
struct Player {
    events: EventLoop,
    _client: AsyncClient,
    shown: BTreeMap<String, String>,
}

impl Player {
    async fn subscribed(port: u16) -> Self {
        loop {
            let mut options = MqttOptions::new("player", "127.0.0.1", port);
            options.set_clean_start(true);
            let (client, mut events) = AsyncClient::new(options, 8);
            client.subscribe("gridbell/screens/#", QoS::AtLeastOnce).await.unwrap();
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        return Self { events, _client: client, shown: BTreeMap::new() };
                    }
                    Ok(_) => {}
                    // The broker is on its way.
                    Err(_) => break,
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes messages until it shows exactly `wanted`: topics' ends with their titles.
    async fn shows(&mut self, wanted: &[(&str, &str)]) {
        let wanted: BTreeMap<String, String> = wanted.iter().map(|(t, s)| ((*t).into(), (*s).into())).collect();
        while self.shown != wanted {
            if let Event::Incoming(Packet::Publish(message)) = self.events.poll().await.unwrap() {
                self.take(&message);
            }
        }
    }

    fn take(&mut self, message: &Publish) {
        let topic = String::from_utf8(message.topic.to_vec()).unwrap();
        let place = topic.strip_prefix("gridbell/screens/140100/").unwrap().to_owned();
        if message.payload.is_empty() {
            self.shown.remove(&place);
            return;
        }
        let payload: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        let properties = message.properties.as_ref().unwrap();
        assert!(properties.message_expiry_interval.is_some_and(|s| s <= 3_600), "{properties:?}");
        assert_eq!(properties.content_type.as_deref(), Some("application/json"));
        self.shown.insert(place, payload["title"].as_str().unwrap().to_owned());
    }
}

#[tokio::test]
async fn a_player_shows_what_is_in_force_through_corrections_a_broker_without_memory_and_a_host_that_comes_again() {
    let Some(program) = program() else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let board = Board::new();
    let first = board.publish("计划停电", &["jinxiu", "xingfu"]);
    // The broker is not there yet: that is told, and made good.
    let (stop, host) = started(&board, broker(port, None));
    board.until_trouble(|t| t.contains("does not answer")).await;
    let running = Mosquitto::start(&program, dir.path(), port);
    let mut player = Player::subscribed(port).await;
    player.shows(&[("jinxiu/N00000001", "计划停电"), ("xingfu/N00000001", "计划停电")]).await;
    board.correct(first, "推迟停电", &["jinxiu"]);
    player.shows(&[("jinxiu/N00000001", "推迟停电")]).await;
    let second = board.publish("用电安全", &["xingfu"]);
    player.shows(&[("jinxiu/N00000001", "推迟停电"), ("xingfu/N00000002", "用电安全")]).await;

    // A broker that lost all it kept has it again.
    drop(running);
    board.until_trouble(|t| !t.is_empty()).await;
    board.cancel(first);
    let running = Mosquitto::start(&program, dir.path(), port);
    let mut player = Player::subscribed(port).await;
    player.shows(&[("xingfu/N00000002", "用电安全")]).await;
    board.until_trouble(str::is_empty).await;

    // What changes while no host runs goes when one does, and is told to who comes later.
    stop.cancel();
    host.await.unwrap();
    board.cancel(second);
    let third = board.publish("故障停电", &["jinxiu"]);
    let (stop, host) = started(&board, broker(port, None));
    player.shows(&[("jinxiu/N00000003", "故障停电")]).await;
    Player::subscribed(port).await.shows(&[("jinxiu/N00000003", "故障停电")]).await;
    stop.cancel();
    host.await.unwrap();
    assert_eq!((third, board.position()), (NoticeId(3), board.book.lock().last_change()));
    drop(running);
}

#[tokio::test]
async fn a_wrong_password_is_told_in_words() {
    let Some(program) = program() else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let _running = Mosquitto::start(&program, dir.path(), port);
    Player::subscribed(port).await;
    let board = Board::new();
    let (stop, host) = started(&board, broker(port, Some(("gridbell", "wrong"))));
    board.until_trouble(|t| t.contains("refuses")).await;
    stop.cancel();
    host.await.unwrap();
    let (stop, host) = started(&board, broker(port, Some(("gridbell", "secret"))));
    board.until_trouble(str::is_empty).await;
    stop.cancel();
    host.await.unwrap();
}

#[tokio::test]
async fn tls_believes_the_authority_that_was_named_and_no_other() {
    let Some(program) = program() else { return };
    let (dir, port, open) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/tls");
    let (certificate, key) = (keys.join("cert.pem"), keys.join("key.pem"));
    // A second listener without TLS: what the player gets there came in through the first.
    let tls = format!("certfile {}\nkeyfile {}\nlistener {open} 127.0.0.1\n", certificate.display(), key.display());
    let _running = Mosquitto::with(&program, dir.path(), port, &tls);
    let mut player = Player::subscribed(open).await;
    let board = Board::new();
    board.publish("计划停电", &["jinxiu"]);
    let with = |ca| Broker { host: "localhost".into(), tls: Some(BrokerTls { ca }), ..broker(port, None) };
    let (stop, host) = started(&board, with(None));
    board.until_trouble(|t| t.contains("does not answer")).await;
    stop.cancel();
    host.await.unwrap();
    let (stop, host) = started(&board, with(Some(certificate)));
    player.shows(&[("jinxiu/N00000001", "计划停电")]).await;
    stop.cancel();
    host.await.unwrap();
}
