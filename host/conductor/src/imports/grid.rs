//! Files of the grid: what its refusals are in a reject report, rows whose upstream section comes later in the file, and codes as numbers.

use std::collections::BTreeMap;

use gridbell_intake::{Reason, SupplyRow};
use gridbell_state::SupplyFact;
use gridbell_topology::{Code, Grid, GridFact, Kind, Refusal};

use crate::facts::Subject;

/// A transformer that is in no grid: the state refuses it.
const NOWHERE: u32 = u32::MAX;

/// Supply by codes as supply by numbers.
pub(super) fn resolve(grid: &Grid, rows: Vec<SupplyRow>) -> Vec<SupplyFact> {
    // Rows of one transformer mostly follow each other.
    let mut last: Option<(Code, u32)> = None;
    let mut facts = Vec::with_capacity(rows.len());
    for SupplyRow { account, transformer: code, source, ended } in rows {
        let transformer = match &last {
            Some((known, number)) if *known == code => *number,
            _ => grid.find_transformer(code.as_str()).unwrap_or(NOWHERE),
        };
        last = Some((code, transformer));
        facts.push(SupplyFact { account, transformer, source, ended });
    }
    facts
}

/// The field at fault, what stood there, and why, of a row about `code` that the grid refused.
pub(super) fn reject(refusal: &Refusal, code: &Code) -> (&'static str, String, Reason) {
    let value = match refusal {
        Refusal::Unknown { code, .. } => code.to_string(),
        Refusal::SwitchTaken { switch, .. } => switch.to_string(),
        Refusal::SecondFirst { line, .. } => line.to_string(),
        Refusal::OtherLine { upstream, .. } | Refusal::TooDeep { upstream, .. } => upstream.to_string(),
        Refusal::Cycle { path, .. } => circle(path),
        _ => code.to_string(),
    };
    let reason = match refusal {
        Refusal::Unknown { kind: Kind::Substation, .. } => Reason::UnknownSubstation,
        Refusal::Unknown { kind: Kind::Line, .. } => Reason::UnknownLine,
        Refusal::Unknown { kind: Kind::Transformer, .. } => Reason::UnknownTransformer,
        Refusal::Unknown { .. } => Reason::UnknownSection,
        Refusal::SwitchTaken { .. } => Reason::SwitchTaken,
        Refusal::SecondFirst { .. } => Reason::SecondFirst,
        Refusal::StaysFirst { .. } => Reason::StaysFirst,
        Refusal::OtherLine { .. } => Reason::OtherLine,
        Refusal::Cycle { .. } => Reason::Cycle,
        Refusal::TooDeep { .. } => Reason::TooDeep,
        Refusal::Field { field: "latitude", .. } => Reason::Position,
        Refusal::Field { field: "manager-phone", .. } => Reason::StaffPhone,
        Refusal::Field { .. } => Reason::Text,
        _ => Reason::GridFull,
    };
    (refusal.at_fault(), value, reason)
}

fn circle(path: &[Code]) -> String {
    path.iter().map(Code::as_str).collect::<Vec<_>>().join(" < ")
}

/// Sections whose upstream section is not there yet: it may come later in the file. Bounded by what a grid may have.
#[derive(Debug, Default)]
pub(super) struct Later(Vec<(GridFact, Subject, u64)>);

impl Later {
    /// Keeps what may be tried again; whether it may.
    pub(super) fn keep(&mut self, fact: &GridFact, subject: &Subject, line: u64, why: &Refusal) -> bool {
        let may = matches!(fact, GridFact::Section(_)) && matches!(why, Refusal::Unknown { kind: Kind::Section, .. });
        if may {
            self.0.push((fact.clone(), subject.clone(), line));
        }
        may
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self) -> Vec<(GridFact, Subject, u64)> {
        std::mem::take(&mut self.0)
    }

    /// Those whose upstream section is nowhere: their lines, and why. Sections that name each other are a circle.
    pub(super) fn refused(&mut self) -> Vec<(u64, Code, Refusal)> {
        let rows = self.take();
        let section = |fact: &GridFact| match fact {
            GridFact::Section(s) => Some((s.code.clone(), s.upstream.clone()?)),
            _ => None,
        };
        let upstream: BTreeMap<Code, Code> = rows.iter().filter_map(|(fact, _, _)| section(fact)).collect();
        let why = |code: &Code, named: &Code| {
            let mut path = vec![code.clone()];
            let mut next = Some(named);
            while let Some(of) = next.filter(|_| path.len() <= upstream.len()) {
                path.push(of.clone());
                if of == code {
                    return Refusal::Cycle { path, at: None };
                }
                next = upstream.get(of);
            }
            Refusal::Unknown { kind: Kind::Section, code: named.clone() }
        };
        let refused = rows.iter().filter_map(|(fact, _, line)| {
            let (code, named) = section(fact)?;
            let refusal = why(&code, &named);
            Some((*line, code, refusal))
        });
        refused.collect()
    }
}
