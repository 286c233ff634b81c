//! The grid as records of a checkpoint, and back. Numbers stay what they were; what hangs where is worked out again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::code::Kind;
use crate::error::Refusal;
use crate::feed::{Fed, Feed, Feeds};
use crate::grid::{Grid, Hangs, Line, Section, Substation, Transformer};
use crate::table::{Named, Table};

/// Things of one record at most.
pub const RECORD_ENTRIES: usize = 4_096;

/// A piece of the grid. Variants are appended, never reordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum GridRecord {
    /// The version, and how many numbers of each kind were given.
    Head(u64, [u32; 4]),
    /// Substations by number.
    Substations(Vec<(u32, Arc<Substation>)>),
    /// Lines by number.
    Lines(Vec<(u32, Arc<Line>)>),
    /// Sections by number.
    Sections(Vec<(u32, Arc<Section>)>),
    /// Transformers by number.
    Transformers(Vec<(u32, Arc<Transformer>)>),
    /// What is fed otherwise.
    Feeds(Vec<Arc<Feed>>),
}

fn cut<T>(all: impl Iterator<Item = T>, record: impl Fn(Vec<T>) -> GridRecord) -> impl Iterator<Item = GridRecord> {
    let mut all = all;
    let next = move || Some(all.by_ref().take(RECORD_ENTRIES).collect::<Vec<_>>()).filter(|some| !some.is_empty());
    std::iter::from_fn(next).map(record)
}

fn shared<T: Named>(table: &Table<T>) -> impl Iterator<Item = (u32, Arc<T>)> {
    table.iter().map(|(n, thing)| (n, Arc::clone(thing)))
}

impl Grid {
    /// Everything; nothing where nothing was ever entered.
    pub fn records(&self) -> impl Iterator<Item = GridRecord> {
        let given = [self.substations.next(), self.lines.next(), self.sections.next(), self.transformers.next()];
        let head = (!self.is_empty()).then_some(GridRecord::Head(self.version, given));
        head.into_iter()
            .chain(cut(shared(&self.substations), GridRecord::Substations))
            .chain(cut(shared(&self.lines), GridRecord::Lines))
            .chain(cut(shared(&self.sections), GridRecord::Sections))
            .chain(cut(shared(&self.transformers), GridRecord::Transformers))
            .chain(cut(self.feeds.iter().map(Arc::clone), GridRecord::Feeds))
    }
}

/// A grid that is being put together from records.
#[derive(Debug, Default)]
pub struct Restored(Grid);

fn put<T: Named>(table: &mut Table<T>, things: Vec<(u32, Arc<T>)>) {
    for (number, thing) in things {
        if table.get(number).is_none() {
            table.put(number, thing);
        }
    }
}

impl Restored {
    /// Takes one record in, in any order.
    pub fn take(&mut self, record: GridRecord) {
        let grid = &mut self.0;
        match record {
            GridRecord::Head(version, [substations, lines, sections, transformers]) => {
                grid.version = version;
                grid.substations.reserve(substations);
                grid.lines.reserve(lines);
                grid.sections.reserve(sections);
                grid.transformers.reserve(transformers);
            }
            GridRecord::Substations(some) => put(&mut grid.substations, some),
            GridRecord::Lines(some) => put(&mut grid.lines, some),
            GridRecord::Sections(some) => put(&mut grid.sections, some),
            GridRecord::Transformers(some) => put(&mut grid.transformers, some),
            GridRecord::Feeds(some) => {
                let feeds: &mut Feeds = Arc::make_mut(&mut grid.feeds);
                some.into_iter().for_each(|feed| feeds.put(feed));
            }
        }
    }

    /// The grid, once every record was taken.
    ///
    /// # Errors
    /// When something hangs on what is not there: the records are damaged.
    pub fn finish(self) -> Result<Grid, Refusal> {
        let mut grid = self.0;
        let missing = |kind: Kind, index: u32| Refusal::Damaged { kind, index };
        let lines: Vec<(u32, u32)> = grid.lines().map(|(n, l)| (n, l.substation)).collect();
        for (line, substation) in lines {
            let its = grid.substations.edit(substation).ok_or_else(|| missing(Kind::Substation, substation))?;
            its.lines.push(line);
        }
        let sections: Vec<(u32, Hangs)> = grid.sections().map(|(n, s)| (n, s.hangs)).collect();
        for (section, hangs) in sections {
            match hangs {
                Hangs::Line(line) => drop(grid.line(line).ok_or_else(|| missing(Kind::Line, line))?),
                Hangs::Section(upstream) => {
                    let its = grid.sections.edit(upstream).ok_or_else(|| missing(Kind::Section, upstream))?;
                    its.downstream.push(section);
                }
            }
            if let Some(code) = grid.switch_of(section).map(str::to_owned) {
                let sections = &grid.sections;
                let name = |n| sections.get(n)?.switch.as_ref().map(|s| s.code.as_str());
                grid.switches.insert(&code, section, name);
            }
        }
        let transformers: Vec<(u32, u32)> = grid.transformers().map(|(n, t)| (n, t.section)).collect();
        for (transformer, section) in transformers {
            let its = grid.sections.edit(section).ok_or_else(|| missing(Kind::Section, section))?;
            its.transformers.push(transformer);
        }
        let firsts = grid.lines().find(|(_, l)| grid.section(l.first).is_none());
        if let Some((_, line)) = firsts {
            return Err(missing(Kind::Section, line.first));
        }
        for feed in grid.feeds() {
            let (kind, index) = match feed.what {
                Fed::Section(n) if grid.section(n).is_none() => (Kind::Section, n),
                Fed::Transformer(n) if grid.transformer(n).is_none() => (Kind::Transformer, n),
                _ if grid.section(feed.from).is_none() => (Kind::Section, feed.from),
                _ => continue,
            };
            return Err(missing(kind, index));
        }
        Ok(grid)
    }
}
