//! Words of the domain: money, dates, account and org numbers, phones, customers, topics, messages.
//!
//! Pure: this crate does no I/O, reads no clock and draws no random number. Everything else in the house speaks in its types.

mod account;
mod carrier;
mod carrier_key;
mod columns;
mod contact;
mod customer;
mod error;
mod message;
mod money;
mod org;
mod phone;
mod time;
mod topic;
mod wish;

pub use account::AccountNumber;
pub use carrier::{Carrier, Segments, Served};
pub use carrier_key::CarrierKey;
pub use columns::{CHUNK_ROWS, ColumnId, ColumnSlice, CustomerView, Decision, Table};
pub use contact::{BindingSource, MAX_PLATFORM_ID, PlatformId};
pub use customer::{Preferences, Traits};
pub use error::ModelError;
pub use message::{Channel, HoldReason, Initiator, Lane, MessageId, MessageState, RunId, Sharing};
pub use money::Fen;
pub use org::{OrgCode, OrgLevel, OrgTree, OrgUnit, PrefectureCode};
pub use phone::{ContactSource, Phone, PhoneClass, mask_digits};
pub use time::{CivilMinute, Date, MINUTES_PER_DAY, Moment, SHANGHAI_OFFSET_MINUTES};
pub use topic::{Guardrail, Topic, TopicClass};
pub use wish::{Wish, WishSource};
