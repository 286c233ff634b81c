//! One connection to the broker: packets out, acknowledgements in.

use std::time::Duration;

use gridbell_clock::Clock;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::broker::MqttError;

/// Messages that are unacknowledged at a time.
pub const WINDOW: usize = 16;
/// How long the broker may take for a window.
pub const ANSWER: Duration = Duration::from_secs(30);
/// Events that wait to be read.
const EVENTS: usize = 64;

/// A retained message; an empty payload takes down what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Seconds until the broker forgets it; none for an empty one.
    pub(crate) expiry_s: Option<u32>,
}

enum Heard {
    Connected,
    Acknowledged(PubAckReason),
    Lost(MqttError),
}

/// A connection. Dropped, it is closed.
pub(crate) struct Session {
    client: AsyncClient,
    heard: mpsc::Receiver<Heard>,
    reader: JoinHandle<()>,
    clock: Clock,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Session {
    /// Connects and signs in.
    pub(crate) async fn open(options: MqttOptions, clock: Clock) -> Result<Self, MqttError> {
        let (client, events) = AsyncClient::new(options, WINDOW);
        let (tell, heard) = mpsc::channel(EVENTS);
        // In a task of its own: reading is never cut off in the middle by something else that happens.
        let reader = tokio::spawn(read(events, tell));
        let mut session = Self { client, heard, reader, clock };
        match session.hear(ANSWER).await? {
            Heard::Connected => Ok(session),
            Heard::Lost(why) => Err(why),
            Heard::Acknowledged(_) => Err(MqttError::Connection("it acknowledges what was not sent".to_owned())),
        }
    }

    /// Publishes all of them; when this returns the broker has them.
    pub(crate) async fn publish(&mut self, items: Vec<Item>) -> Result<(), MqttError> {
        for some in items.chunks(WINDOW) {
            for item in some {
                let properties = PublishProperties {
                    message_expiry_interval: item.expiry_s,
                    payload_format_indicator: item.expiry_s.map(|_| 1),
                    content_type: item.expiry_s.map(|_| "application/json".to_owned()),
                    ..PublishProperties::default()
                };
                let (topic, payload) = (item.topic.clone(), item.payload.clone());
                let sent =
                    self.client.publish_with_properties(topic, QoS::AtLeastOnce, true, payload, properties).await;
                sent.map_err(|e| MqttError::Connection(e.to_string()))?;
            }
            for _ in some {
                self.acknowledged().await?;
            }
        }
        Ok(())
    }

    async fn acknowledged(&mut self) -> Result<(), MqttError> {
        match self.hear(ANSWER).await? {
            Heard::Acknowledged(PubAckReason::Success | PubAckReason::NoMatchingSubscribers) => Ok(()),
            Heard::Acknowledged(why) => Err(MqttError::Refused(format!("{why:?}"))),
            Heard::Lost(why) => Err(why),
            Heard::Connected => Err(MqttError::Connection("the connection was made anew".to_owned())),
        }
    }

    /// Waits until the connection is lost.
    pub(crate) async fn lost(&mut self) -> MqttError {
        loop {
            match self.heard.recv().await {
                Some(Heard::Lost(why)) => return why,
                Some(_) => {}
                None => return MqttError::Connection("the connection ended".to_owned()),
            }
        }
    }

    async fn hear(&mut self, within: Duration) -> Result<Heard, MqttError> {
        let clock = self.clock.clone();
        tokio::select! {
            heard = self.heard.recv() => heard.ok_or_else(|| MqttError::Connection("the connection ended".to_owned())),
            () = clock.sleep(within) => Err(MqttError::Late(within)),
        }
    }

    /// Says that we go, so that the broker does not wait for us.
    pub(crate) async fn close(mut self) {
        if self.client.disconnect().await.is_ok() {
            let clock = self.clock.clone();
            tokio::select! {
                _ = self.lost() => {}
                () = clock.sleep(Duration::from_secs(1)) => {}
            }
        }
    }
}

/// Moves packets until the connection is lost: the client would make another by itself, which is the publisher's to decide.
async fn read(mut events: EventLoop, tell: mpsc::Sender<Heard>) {
    loop {
        let heard = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Heard::Connected,
            Ok(Event::Incoming(Packet::PubAck(ack))) => Heard::Acknowledged(ack.reason),
            Ok(Event::Incoming(Packet::Disconnect(gone))) => {
                Heard::Lost(MqttError::Refused(format!("it ends the connection ({:?})", gone.reason_code)))
            }
            Ok(_) => continue,
            Err(ConnectionError::ConnectionRefused(code)) => Heard::Lost(MqttError::Refused(format!("{code:?}"))),
            Err(e) => Heard::Lost(MqttError::Connection(e.to_string())),
        };
        let over = matches!(heard, Heard::Lost(_));
        if tell.send(heard).await.is_err() || over {
            return;
        }
    }
}
