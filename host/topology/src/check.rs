//! What of the grid somebody should look at, though nothing of it is wrong.

use crate::grid::Grid;

/// Something to look at, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A substation that no line leaves.
    EmptySubstation(u32),
    /// A line on which no transformer hangs.
    EmptyLine(u32),
    /// A transformer that hangs on a line of another prefecture's substation.
    OtherPrefecture(u32),
}

impl Grid {
    /// What somebody should look at, by kind, then by number. Looks at everything.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        let substations = self.substations().filter(|(_, s)| s.lines.is_empty());
        let lines = self.lines().filter(|(_, l)| self.is_bare(l.first));
        let elsewhere = |t: &crate::Transformer| self.prefecture_of(t.section).is_some_and(|p| p != t.prefecture);
        let transformers = self.transformers().filter(move |(_, t)| elsewhere(t));
        let substations = substations.map(|(n, _)| Finding::EmptySubstation(n));
        let lines = lines.map(|(n, _)| Finding::EmptyLine(n));
        substations.chain(lines).chain(transformers.map(|(n, _)| Finding::OtherPrefecture(n)))
    }

    /// Whether nothing hangs on a section or below it.
    fn is_bare(&self, section: u32) -> bool {
        let mut next = vec![section];
        while let Some(its) = next.pop().and_then(|s| self.section(s)) {
            if !its.transformers.is_empty() {
                return false;
            }
            next.extend(&its.downstream);
        }
        true
    }
}
