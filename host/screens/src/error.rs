//! What can be wrong with a community, a screen or a notice.

use crate::community::{CommunityKey, ScreenId};
use crate::notice::NoticeId;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field breaks a rule.
    #[error("field `{field}` {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// There is no such community.
    #[error("there is no community `{0}`; enter it first")]
    NoCommunity(CommunityKey),
    /// There is no such screen.
    #[error("there is no screen `{0}`")]
    NoScreen(ScreenId),
    /// There is no such notice.
    #[error("there is no notice `{0}`")]
    NoNotice(NoticeId),
    /// The notice was cancelled or has expired.
    #[error("notice `{0}` is no longer in force; publish another one (公告已撤销或过期，请另发)")]
    Ended(NoticeId),
    /// Somebody changed it meanwhile.
    #[error("notice `{id}` is at revision {found}, not {expected}; read it again and repeat the change")]
    Changed {
        /// Which.
        id: NoticeId,
        /// The revision that the caller has read.
        expected: u32,
        /// The one that it has.
        found: u32,
    },
    /// What the notice is about has one already.
    #[error("`{origin}` has notice `{id}` in force; correct or cancel that one")]
    Told {
        /// What it is about.
        origin: String,
        /// Its notice.
        id: NoticeId,
    },
    /// It does not fit.
    #[error("{0}")]
    Full(String),
    /// Something still needs it.
    #[error("{0}")]
    InUse(String),
}

impl Error {
    pub(crate) fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into() }
    }
}
