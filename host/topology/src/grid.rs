//! The grid as it is: things by number and code, what hangs on what, and what feeds them at a moment.

use std::sync::Arc;

use gridbell_model::{Moment, PrefectureCode};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::error::Warning;
use crate::fact::{Manager, Position, Switch};
use crate::feed::{Fed, Feed, Feeds};
use crate::table::{Codes, Named, Table};

/// Substations at most, removed ones included.
pub const MAX_SUBSTATIONS: u32 = 20_000;
/// Lines at most, removed ones included.
pub const MAX_LINES: u32 = 200_000;
/// Sections at most, removed ones and lines' first ones included.
pub const MAX_SECTIONS: u32 = 1_000_000;
/// Transformers at most, removed ones included: a province of 12.84 M customers has some 100 000.
pub const MAX_TRANSFORMERS: u32 = 2_000_000;
/// Sections one behind another at most.
pub const MAX_DEPTH: usize = 200;

/// A substation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substation {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub prefecture: PrefectureCode,
    /// Its lines, by number.
    #[serde(skip)]
    pub lines: Vec<u32>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// The substation that it leaves, by number.
    pub substation: u32,
    /// Its first section, by number.
    pub first: u32,
}

/// What a section hangs on normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hangs {
    /// It is this line's first.
    Line(u32),
    /// On this section.
    Section(u32),
}

/// A section of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its code; none for a line's first section that nobody has named.
    pub code: Option<Code>,
    /// What it hangs on normally.
    pub hangs: Hangs,
    /// The switch through which it is fed normally.
    pub switch: Option<Switch>,
    /// The sections that hang on it normally, by number.
    #[serde(skip)]
    pub downstream: Vec<u32>,
    /// The transformers that hang on it normally, by number.
    #[serde(skip)]
    pub transformers: Vec<u32>,
}

/// A transformer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transformer {
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub prefecture: PrefectureCode,
    /// The section on which it hangs normally, by number.
    pub section: u32,
    /// The community or place that it feeds; empty where nobody said.
    pub place: String,
    /// Where it stands.
    pub position: Option<Position>,
    /// 专变 rather than 公变.
    pub private: bool,
    /// Who looks after its district.
    pub manager: Option<Manager>,
}

impl Named for Substation {
    fn name(&self) -> Option<&str> {
        Some(self.code.as_str())
    }
}
impl Named for Line {
    fn name(&self) -> Option<&str> {
        Some(self.code.as_str())
    }
}
impl Named for Section {
    fn name(&self) -> Option<&str> {
        self.code.as_ref().map(Code::as_str)
    }
}
impl Named for Transformer {
    fn name(&self) -> Option<&str> {
        Some(self.code.as_str())
    }
}

/// What became of a fact that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Something is new.
    Created(Option<Warning>),
    /// Something is otherwise.
    Changed(Option<Warning>),
    /// It was known.
    Unchanged,
}

/// The grid at one version. Cheap to clone: what does not change is shared.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    pub(crate) version: u64,
    pub(crate) substations: Table<Substation>,
    pub(crate) lines: Table<Line>,
    pub(crate) sections: Table<Section>,
    pub(crate) transformers: Table<Transformer>,
    /// Sections by the codes of their switches.
    pub(crate) switches: Codes,
    pub(crate) feeds: Arc<Feeds>,
}

impl Grid {
    /// Rises by one with each fact that changed something.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether nothing was ever entered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.version == 0
    }

    /// The number of the substation with this code.
    #[must_use]
    pub fn find_substation(&self, code: &str) -> Option<u32> {
        self.substations.find(code)
    }

    /// The number of the line with this code.
    #[must_use]
    pub fn find_line(&self, code: &str) -> Option<u32> {
        self.lines.find(code)
    }

    /// The number of the section with this code.
    #[must_use]
    pub fn find_section(&self, code: &str) -> Option<u32> {
        self.sections.find(code)
    }

    /// The number of the section that is fed through the switch with this code.
    #[must_use]
    pub fn find_switch(&self, code: &str) -> Option<u32> {
        self.switches.find(code, |n| self.switch_of(n))
    }

    /// The number of the transformer with this code.
    #[must_use]
    pub fn find_transformer(&self, code: &str) -> Option<u32> {
        self.transformers.find(code)
    }

    /// A substation by number.
    #[must_use]
    pub fn substation(&self, number: u32) -> Option<&Substation> {
        self.substations.get(number)
    }

    /// A line by number.
    #[must_use]
    pub fn line(&self, number: u32) -> Option<&Line> {
        self.lines.get(number)
    }

    /// A section by number.
    #[must_use]
    pub fn section(&self, number: u32) -> Option<&Section> {
        self.sections.get(number)
    }

    /// A transformer by number.
    #[must_use]
    pub fn transformer(&self, number: u32) -> Option<&Transformer> {
        self.transformers.get(number)
    }

    /// Every substation, by number.
    pub fn substations(&self) -> impl Iterator<Item = (u32, &Substation)> {
        self.substations.iter().map(|(n, s)| (n, &**s))
    }

    /// Every line, by number.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &Line)> {
        self.lines.iter().map(|(n, l)| (n, &**l))
    }

    /// Every section, by number.
    pub fn sections(&self) -> impl Iterator<Item = (u32, &Section)> {
        self.sections.iter().map(|(n, s)| (n, &**s))
    }

    /// Every transformer, by number.
    pub fn transformers(&self) -> impl Iterator<Item = (u32, &Transformer)> {
        self.transformers.iter().map(|(n, t)| (n, &**t))
    }

    /// How many substations, lines, sections and transformers there are.
    #[must_use]
    pub fn counts(&self) -> [u32; 4] {
        [self.substations.live(), self.lines.live(), self.sections.live(), self.transformers.live()]
    }

    /// What is fed otherwise, was so of late or is to be.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter().map(|f| &**f)
    }

    /// The line to which a section belongs, by number.
    #[must_use]
    pub fn line_of(&self, section: u32) -> Option<u32> {
        let mut section = section;
        loop {
            match self.sections.get(section)?.hangs {
                Hangs::Line(line) => return Some(line),
                Hangs::Section(upstream) => section = upstream,
            }
        }
    }

    /// What a section is called: its code, or its line's where nobody named it.
    #[must_use]
    pub fn called(&self, section: u32) -> Option<&Code> {
        let its = self.sections.get(section)?;
        match (&its.code, its.hangs) {
            (Some(code), _) => Some(code),
            (None, Hangs::Line(line)) => self.lines.get(line).map(|l| &l.code),
            (None, Hangs::Section(_)) => None,
        }
    }

    /// The section that feeds `what` at `at`; none for a first section that its line feeds.
    #[must_use]
    pub fn source(&self, what: Fed, at: Moment) -> Option<u32> {
        let normal = || match what {
            Fed::Section(section) => match self.sections.get(section)?.hangs {
                Hangs::Line(_) => None,
                Hangs::Section(upstream) => Some(upstream),
            },
            Fed::Transformer(transformer) => self.transformers.get(transformer).map(|t| t.section),
        };
        self.feeds.source(what, at).or_else(normal)
    }

    /// The sections that feed `what` at `at`, from the nearest to a line's first.
    #[must_use]
    pub fn fed_through(&self, what: Fed, at: Moment) -> Vec<u32> {
        let mut seen = FxHashSet::default();
        let next = |section: &u32| self.source(Fed::Section(*section), at);
        // Of a moment that is over some feeds are known no more, so that what is left may close a circle.
        std::iter::successors(self.source(what, at), next).take_while(|section| seen.insert(*section)).collect()
    }

    /// The prefecture of the substation from which a section is fed normally.
    #[must_use]
    pub fn prefecture_of(&self, section: u32) -> Option<PrefectureCode> {
        let line = self.lines.get(self.line_of(section)?)?;
        self.substations.get(line.substation).map(|s| s.prefecture)
    }

    pub(crate) fn switch_of(&self, section: u32) -> Option<&str> {
        self.sections.get(section)?.switch.as_ref().map(|s| s.code.as_str())
    }
}
