//! What is said about the grid: one fact about one thing, by codes, told again without harm. What a fact leaves out stays as it was.

use std::fmt;

use gridbell_model::{Moment, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::code::{Code, Kind};
use crate::error::Refusal;

/// The most octets of a name, a place or a reason.
pub const MAX_TEXT: usize = 120;

/// One fact. Variants are appended, never reordered: a journal holds their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GridFact {
    /// A substation.
    Substation(SubstationFact),
    /// A line.
    Line(LineFact),
    /// A section of a line.
    Section(SectionFact),
    /// A transformer.
    Transformer(Box<TransformerFact>),
    /// Something is no more.
    Remove(Removal),
    /// Something is fed otherwise for a while (转供电).
    Feed(Box<FeedFact>),
    /// It is not any more.
    EndFeed(EndFeed),
}

/// A substation (变电站).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubstationFact {
    /// Its code.
    pub code: Code,
    /// 城西 110 千伏变电站
    pub name: String,
    /// Where it stands.
    pub prefecture: PrefectureCode,
}

/// A line (线路). It begins with one section, which is the line itself until a section is named as its first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFact {
    /// Its code.
    pub code: Code,
    /// 10 千伏锦绣线
    pub name: String,
    /// The substation that it leaves.
    pub substation: Code,
}

/// A section of a line, fed through its switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionFact {
    /// Its code.
    pub code: Code,
    /// Its line.
    pub line: Code,
    /// The section that feeds it, or the line's code for its first one; none for the line's first.
    pub upstream: Option<Code>,
    /// The switch through which it is fed; none leaves it as it is known.
    pub switch: Option<Switch>,
}

/// A switch (开关).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its code, one section's alone.
    pub code: Code,
    /// Its name; may be empty.
    pub name: String,
}

/// A transformer (变压器), by which customers hang on the grid (台区).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformerFact {
    /// Its code.
    pub code: Code,
    /// 锦绣花园 1 号公变
    pub name: String,
    /// Whose it is: its district's, whatever the line.
    pub prefecture: PrefectureCode,
    /// What feeds it normally.
    pub hangs_on: Spot,
    /// The community or place that it feeds; none leaves it as it is known.
    pub place: Option<String>,
    /// Where it stands; none leaves it as it is known.
    pub position: Option<Position>,
    /// 专变 (one customer's own) rather than 公变; none leaves it as it is known.
    pub private: Option<bool>,
    /// Who looks after its district (台区经理); none leaves it as it is known.
    pub manager: Option<Manager>,
}

/// Where something hangs on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spot {
    /// On this section.
    Section(Code),
    /// On the first section of this line.
    Line(Code),
}

/// Degrees times a million, WGS 84 or whatever the utility's maps use: nothing is worked out from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// North, at most 90 000 000 either way.
    pub latitude: i32,
    /// East, at most 180 000 000 either way.
    pub longitude: i32,
}

/// Who looks after a transformer's district. Staff, and still nobody's business in a log: shows itself as nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// The person's name.
    pub name: String,
    /// The telephone of the office; may be empty.
    pub phone: String,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manager(…)")
    }
}

/// Something is no more. Only where nothing hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// What; a switch goes with its section.
    pub kind: Kind,
    /// Which.
    pub code: Code,
}

/// What is fed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Whom {
    /// A section, with all that it feeds.
    Section(Code),
    /// A transformer.
    Transformer(Code),
}

/// Something is fed otherwise for a while (转供电): over a tie switch, by a cable, by a mobile generator's section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedFact {
    /// What. Told again with the same moment `since` it replaces what was said.
    pub what: Whom,
    /// What feeds it meanwhile.
    pub from: Spot,
    /// From this moment on.
    pub since: Moment,
    /// Up to this moment, which is not in it; none until it is taken back.
    pub until: Option<Moment>,
    /// Why.
    pub why: String,
    /// Who said so.
    pub by: String,
}

/// Takes back what feeds something otherwise: what does so now ends now; otherwise the next that was to come is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndFeed {
    /// What is fed normally again.
    pub what: Whom,
    /// From this moment on.
    pub at: Moment,
}

/// A text that people read: not empty, bounded, no control characters.
pub(crate) fn text(field: &'static str, text: &str, may_be_empty: bool) -> Result<(), Refusal> {
    if text.trim().is_empty() && !may_be_empty {
        return Err(Refusal::field(field, "is empty"));
    }
    if text.len() > MAX_TEXT {
        return Err(Refusal::field(field, format!("is longer than {MAX_TEXT} octets, which is 40 Chinese characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::field(field, "has a control character or a line break"));
    }
    Ok(())
}

impl TransformerFact {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        text("name", &self.name, false)?;
        if let Some(place) = &self.place {
            text("place", place, true)?;
        }
        if let Some(Position { latitude, longitude }) = self.position
            && (latitude.unsigned_abs() > 90_000_000 || longitude.unsigned_abs() > 180_000_000)
        {
            return Err(Refusal::field("latitude", "or `longitude` is nowhere on earth: degrees, as 37.870000"));
        }
        let Some(Manager { name, phone }) = &self.manager else { return Ok(()) };
        text("manager", name, true)?;
        let signs = phone.bytes().all(|b| b.is_ascii_digit() || b" -+()".contains(&b));
        if !signs || phone.len() > 30 {
            return Err(Refusal::field("manager-phone", "is no telephone number: digits, spaces and hyphens"));
        }
        Ok(())
    }
}
