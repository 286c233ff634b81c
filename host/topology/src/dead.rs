//! Which transformers are without power where something is switched off.

use gridbell_model::Moment;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::code::{Code, Kind};
use crate::error::Refusal;
use crate::feed::Fed;
use crate::grid::Grid;
use crate::set::TransformerSet;

/// What is switched off, by codes. What is fed otherwise at the moment is not touched by what feeds it normally.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// All lines of these substations.
    #[serde(default)]
    pub substations: Vec<Code>,
    /// These lines, as at their first section's breaker.
    #[serde(default)]
    pub lines: Vec<Code>,
    /// These switches are opened: what their section feeds, unless it is fed otherwise anyhow.
    #[serde(default)]
    pub switches: Vec<Code>,
    /// These sections are dead, whatever feeds them.
    #[serde(default)]
    pub sections: Vec<Code>,
    /// These transformers are dead, whatever feeds them.
    #[serde(default)]
    pub transformers: Vec<Code>,
    /// But not these transformers.
    #[serde(default)]
    pub except: Vec<Code>,
}

impl Scope {
    /// Everything that it names.
    pub fn named(&self) -> impl Iterator<Item = (Kind, &Code)> {
        let lists = [
            (Kind::Substation, &self.substations),
            (Kind::Line, &self.lines),
            (Kind::Switch, &self.switches),
            (Kind::Section, &self.sections),
            (Kind::Transformer, &self.transformers),
            (Kind::Transformer, &self.except),
        ];
        lists.into_iter().flat_map(|(kind, codes)| codes.iter().map(move |code| (kind, code)))
    }
}

impl Grid {
    /// The number of what has `code`; of a switch its section's.
    #[must_use]
    pub fn find(&self, kind: Kind, code: &str) -> Option<u32> {
        match kind {
            Kind::Substation => self.find_substation(code),
            Kind::Line => self.find_line(code),
            Kind::Section => self.find_section(code),
            Kind::Switch => self.find_switch(code),
            Kind::Transformer => self.find_transformer(code),
        }
    }

    /// Whether everything that `scope` names is there.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check_scope(&self, scope: &Scope) -> Result<(), Refusal> {
        let unknown = scope.named().find(|(kind, code)| self.find(*kind, code.as_str()).is_none());
        unknown.map_or(Ok(()), |(kind, code)| Err(Refusal::Unknown { kind, code: code.clone() }))
    }

    /// The transformers that `scope` leaves without power, as everything is fed at `at`. What it names and is not there counts for nothing: see
    /// [`Grid::check_scope`].
    #[must_use]
    pub fn dead(&self, scope: &Scope, at: Moment) -> TransformerSet {
        let find = |kind, codes: &[Code]| -> Vec<u32> {
            codes.iter().filter_map(|code| self.find(kind, code.as_str())).collect()
        };
        let now = self.feeds.at(at);
        let substations = find(Kind::Substation, &scope.substations);
        let of_substations = substations.into_iter().filter_map(|s| self.substation(s)).flat_map(|s| s.lines.clone());
        let lines = find(Kind::Line, &scope.lines).into_iter().chain(of_substations);
        let firsts = lines.filter_map(|line| Some(self.line(line)?.first));
        // A breaker or switch takes nothing from what is fed past it.
        let switched = firsts.chain(find(Kind::Switch, &scope.switches));
        let mut next: Vec<u32> = switched.filter(|s| !now.is_away(Fed::Section(*s))).collect();
        next.extend(find(Kind::Section, &scope.sections));
        let mut dead = find(Kind::Transformer, &scope.transformers);
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        while let Some(section) = next.pop() {
            if !seen.insert(section) {
                continue;
            }
            let Some(its) = self.section(section) else { continue };
            next.extend(its.downstream.iter().filter(|s| !now.is_away(Fed::Section(**s))));
            dead.extend(its.transformers.iter().filter(|t| !now.is_away(Fed::Transformer(**t))));
            for guest in now.guests(section) {
                match guest {
                    Fed::Section(section) => next.push(*section),
                    Fed::Transformer(transformer) => dead.push(*transformer),
                }
            }
        }
        let except: TransformerSet = find(Kind::Transformer, &scope.except).into_iter().collect();
        dead.into_iter().collect::<TransformerSet>().without(&except)
    }
}
