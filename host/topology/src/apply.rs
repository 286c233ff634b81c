//! How a fact changes the grid. Each is checked against what is there and taken whole, or refused and changes nothing.

use std::sync::Arc;

use gridbell_model::Moment;

use crate::code::{Code, Kind};
use crate::error::{Refusal, Warning};
use crate::fact::{
    EndFeed, FeedFact, GridFact, LineFact, Removal, SectionFact, Spot, SubstationFact, TransformerFact, Whom, text,
};
use crate::feed::{Fed, Feed, Feeds, MAX_FEEDS};
use crate::grid::{
    Done, Grid, Hangs, Line, MAX_DEPTH, MAX_LINES, MAX_SECTIONS, MAX_SUBSTATIONS, MAX_TRANSFORMERS, Section,
    Substation, Transformer,
};

fn unknown(kind: Kind, code: &Code) -> Refusal {
    Refusal::Unknown { kind, code: code.clone() }
}

fn room(kind: Kind, next: u32, bound: u32) -> Result<(), Refusal> {
    if next < bound { Ok(()) } else { Err(Refusal::Full { kind, bound: bound as usize }) }
}

/// Lists of what hangs somewhere are ascending, whatever the order in which it came.
fn join(list: &mut Vec<u32>, number: u32) {
    if let Err(at) = list.binary_search(&number) {
        list.insert(at, number);
    }
}

fn leave(list: &mut Vec<u32>, number: u32) {
    if let Ok(at) = list.binary_search(&number) {
        list.remove(at);
    }
}

impl Grid {
    /// Takes one fact in, said at `at`.
    ///
    /// # Errors
    /// Says what is wrong and what to do; then nothing is changed.
    pub fn apply(&mut self, fact: &GridFact, at: Moment) -> Result<Done, Refusal> {
        let done = match fact {
            GridFact::Substation(fact) => self.apply_substation(fact),
            GridFact::Line(fact) => self.apply_line(fact),
            GridFact::Section(fact) => self.apply_section(fact, at),
            GridFact::Transformer(fact) => self.apply_transformer(fact),
            GridFact::Remove(removal) => self.remove(removal, at),
            GridFact::Feed(fact) => self.feed(fact, at),
            GridFact::EndFeed(fact) => self.end_feed(fact, at),
        }?;
        self.version += u64::from(done != Done::Unchanged);
        Ok(done)
    }

    fn apply_substation(&mut self, fact: &SubstationFact) -> Result<Done, Refusal> {
        text("name", &fact.name, false)?;
        let SubstationFact { code, name, prefecture } = fact.clone();
        let Some(number) = self.find_substation(code.as_str()) else {
            room(Kind::Substation, self.substations.next(), MAX_SUBSTATIONS)?;
            self.substations.push(Substation { code, name, prefecture, lines: Vec::new() });
            return Ok(Done::Created(None));
        };
        if self.substation(number).is_some_and(|s| s.name == name && s.prefecture == prefecture) {
            return Ok(Done::Unchanged);
        }
        if let Some(its) = self.substations.edit(number) {
            (its.name, its.prefecture) = (name, prefecture);
        }
        Ok(Done::Changed(None))
    }

    fn apply_line(&mut self, fact: &LineFact) -> Result<Done, Refusal> {
        text("name", &fact.name, false)?;
        let substation = self.find_substation(fact.substation.as_str());
        let substation = substation.ok_or_else(|| unknown(Kind::Substation, &fact.substation))?;
        let LineFact { code, name, .. } = fact.clone();
        let Some(number) = self.find_line(code.as_str()) else {
            room(Kind::Line, self.lines.next(), MAX_LINES)?;
            room(Kind::Section, self.sections.next(), MAX_SECTIONS)?;
            let first = self.sections.push(blank(Hangs::Line(self.lines.next()), None));
            let number = self.lines.push(Line { code, name, substation, first });
            self.with_lines(substation, |lines| join(lines, number));
            return Ok(Done::Created(None));
        };
        let Some(was) = self.line(number).map(|l| (l.substation, l.name == name)) else { return Ok(Done::Unchanged) };
        if was == (substation, true) {
            return Ok(Done::Unchanged);
        }
        self.with_lines(was.0, |lines| leave(lines, number));
        self.with_lines(substation, |lines| join(lines, number));
        if let Some(its) = self.lines.edit(number) {
            (its.name, its.substation) = (name, substation);
        }
        Ok(Done::Changed(None))
    }

    fn with_lines(&mut self, substation: u32, change: impl FnOnce(&mut Vec<u32>)) {
        if let Some(its) = self.substations.edit(substation) {
            change(&mut its.lines);
        }
    }

    // ---- sections ----

    fn apply_section(&mut self, fact: &SectionFact, at: Moment) -> Result<Done, Refusal> {
        let line = self.find_line(fact.line.as_str()).ok_or_else(|| unknown(Kind::Line, &fact.line))?;
        let known = self.find_section(fact.code.as_str());
        if let Some(switch) = &fact.switch {
            text("switch-name", &switch.name, true)?;
            let holder = self.find_switch(switch.code.as_str()).filter(|holder| Some(*holder) != known);
            if let Some(section) = holder.and_then(|h| self.called(h)).cloned() {
                return Err(Refusal::SwitchTaken { switch: switch.code.clone(), section });
            }
        }
        match &fact.upstream {
            None => self.apply_first(fact, line, known),
            Some(upstream) => self.apply_further(fact, line, upstream, known, at),
        }
    }

    /// A section without one upstream: it is its line's first, or gives the first its name.
    fn apply_first(&mut self, fact: &SectionFact, line: u32, known: Option<u32>) -> Result<Done, Refusal> {
        let Some(first) = self.line(line).map(|l| l.first) else { return Ok(Done::Unchanged) };
        if known == Some(first) {
            return Ok(self.set_switch(first, fact));
        }
        if let Some(section) = known.filter(|k| self.is_first(*k)).and_then(|k| self.called(k)).cloned() {
            return Err(Refusal::StaysFirst { section });
        }
        let named = self.section(first).and_then(|s| s.code.clone());
        // A section further down cannot become the first either: that place is the first one's.
        if let Some(first) = named.or_else(|| known.and_then(|_| self.called(first).cloned())) {
            return Err(Refusal::SecondFirst { line: fact.line.clone(), first });
        }
        self.sections.rename(first, |s| s.code = Some(fact.code.clone()));
        self.set_switch(first, fact);
        Ok(Done::Created(None))
    }

    fn apply_further(
        &mut self,
        fact: &SectionFact,
        line: u32,
        upstream_code: &Code,
        known: Option<u32>,
        at: Moment,
    ) -> Result<Done, Refusal> {
        let of_line = (*upstream_code == fact.line).then(|| self.line(line).map(|l| l.first)).flatten();
        let upstream = self.find_section(upstream_code.as_str()).or(of_line);
        let upstream = upstream.ok_or_else(|| unknown(Kind::Section, upstream_code))?;
        let its = self.line_of(upstream);
        if its != Some(line) {
            let line = its.and_then(|l| self.line(l)).map_or_else(|| fact.line.clone(), |l| l.code.clone());
            return Err(Refusal::OtherLine { upstream: upstream_code.clone(), line });
        }
        let known_on = known.and_then(|k| self.section(k)).map(|s| s.hangs);
        if known_on != Some(Hangs::Section(upstream)) && self.depth(upstream) >= MAX_DEPTH {
            return Err(Refusal::TooDeep { upstream: upstream_code.clone(), bound: MAX_DEPTH });
        }
        let Some(section) = known else {
            room(Kind::Section, self.sections.next(), MAX_SECTIONS)?;
            let section = self.sections.push(blank(Hangs::Section(upstream), Some(fact.code.clone())));
            self.with_downstream(upstream, |list| join(list, section));
            self.set_switch(section, fact);
            return Ok(Done::Created(None));
        };
        let Some(Hangs::Section(before)) = known_on else {
            return Err(Refusal::StaysFirst { section: fact.code.clone() });
        };
        if before == upstream {
            return Ok(self.set_switch(section, fact));
        }
        self.rehang(section, before, upstream);
        if let Some(refusal) = self.cycle_anywhere(section, at) {
            self.rehang(section, upstream, before);
            return Err(refusal);
        }
        self.set_switch(section, fact);
        Ok(Done::Changed(None))
    }

    fn rehang(&mut self, section: u32, from: u32, to: u32) {
        self.with_downstream(from, |list| leave(list, section));
        self.with_downstream(to, |list| join(list, section));
        if let Some(its) = self.sections.edit(section) {
            its.hangs = Hangs::Section(to);
        }
    }

    fn with_downstream(&mut self, section: u32, change: impl FnOnce(&mut Vec<u32>)) {
        if let Some(its) = self.sections.edit(section) {
            change(&mut its.downstream);
        }
    }

    fn set_switch(&mut self, section: u32, fact: &SectionFact) -> Done {
        let Some(switch) = &fact.switch else { return Done::Unchanged };
        let old = self.section(section).and_then(|s| s.switch.clone());
        if old.as_ref() == Some(switch) {
            return Done::Unchanged;
        }
        if let Some(old) = old {
            self.switches.remove(old.code.as_str(), section);
        }
        let sections = &self.sections;
        let name = |n| sections.get(n)?.switch.as_ref().map(|s| s.code.as_str());
        self.switches.insert(switch.code.as_str(), section, name);
        if let Some(its) = self.sections.edit(section) {
            its.switch = Some(switch.clone());
        }
        Done::Changed(None)
    }

    fn is_first(&self, section: u32) -> bool {
        self.section(section).is_some_and(|s| matches!(s.hangs, Hangs::Line(_)))
    }

    /// How many sections lie between a section and its line.
    fn depth(&self, section: u32) -> usize {
        let up = |section: &u32| match self.section(*section)?.hangs {
            Hangs::Line(_) => None,
            Hangs::Section(upstream) => Some(upstream),
        };
        std::iter::successors(Some(section), up).take(MAX_DEPTH + 1).count()
    }

    /// The refusal where `section` feeds itself, normally or at any moment from `at` on.
    fn cycle_anywhere(&self, section: u32, at: Moment) -> Option<Refusal> {
        self.cycle(section, None).or_else(|| self.cycle_within(section, at, None))
    }

    /// The same at a moment from `from` on and before `to`.
    fn cycle_within(&self, section: u32, from: Moment, to: Option<Moment>) -> Option<Refusal> {
        if self.feeds.len() == 0 {
            return None;
        }
        self.feeds.turns(from, to).into_iter().find_map(|at| self.cycle(section, Some(at)))
    }

    /// The same at one moment, or normally.
    fn cycle(&self, section: u32, at: Option<Moment>) -> Option<Refusal> {
        let up = |of: &u32| match at {
            Some(at) => self.source(Fed::Section(*of), at),
            None => match self.section(*of)?.hangs {
                Hangs::Line(_) => None,
                Hangs::Section(upstream) => Some(upstream),
            },
        };
        let mut path = vec![section];
        let mut next = up(&section);
        // Nothing else feeds itself, so each walk comes to its end or to `section`; where a clock went back, it stops all the same.
        while let Some(of) = next.filter(|_| path.len() <= self.sections.live() as usize) {
            path.push(of);
            if of == section {
                let path = path.into_iter().filter_map(|s| self.called(s)).cloned().collect();
                return Some(Refusal::Cycle { path, at });
            }
            next = up(&of);
        }
        None
    }

    // ---- transformers ----

    /// The section that a spot is.
    fn spot(&self, spot: &Spot) -> Result<u32, Refusal> {
        match spot {
            Spot::Section(code) => self.find_section(code.as_str()).ok_or_else(|| unknown(Kind::Section, code)),
            Spot::Line(code) => {
                let line = self.find_line(code.as_str()).and_then(|l| self.line(l));
                line.map(|l| l.first).ok_or_else(|| unknown(Kind::Line, code))
            }
        }
    }

    fn apply_transformer(&mut self, fact: &TransformerFact) -> Result<Done, Refusal> {
        fact.check()?;
        let section = self.spot(&fact.hangs_on)?;
        let known = self.find_transformer(fact.code.as_str());
        let was = known.and_then(|n| self.transformer(n));
        let next = Transformer {
            code: fact.code.clone(),
            name: fact.name.clone(),
            prefecture: fact.prefecture,
            section,
            place: fact.place.clone().or_else(|| was.map(|t| t.place.clone())).unwrap_or_default(),
            position: fact.position.or_else(|| was.and_then(|t| t.position)),
            private: fact.private.or_else(|| was.map(|t| t.private)).unwrap_or_default(),
            manager: fact.manager.clone().or_else(|| was.and_then(|t| t.manager.clone())),
        };
        let substation = self.prefecture_of(section).filter(|p| *p != fact.prefecture);
        let warning = substation.map(|substation| Warning::OtherPrefecture { its: fact.prefecture, substation });
        let Some(number) = known else {
            room(Kind::Transformer, self.transformers.next(), MAX_TRANSFORMERS)?;
            let number = self.transformers.push(next);
            self.with_transformers(section, |list| join(list, number));
            return Ok(Done::Created(warning));
        };
        if was == Some(&next) {
            return Ok(Done::Unchanged);
        }
        if let Some(before) = was.map(|t| t.section) {
            self.with_transformers(before, |list| leave(list, number));
        }
        self.with_transformers(section, |list| join(list, number));
        if let Some(its) = self.transformers.edit(number) {
            *its = next;
        }
        Ok(Done::Changed(warning))
    }

    fn with_transformers(&mut self, section: u32, change: impl FnOnce(&mut Vec<u32>)) {
        if let Some(its) = self.sections.edit(section) {
            change(&mut its.transformers);
        }
    }

    // ---- removal ----

    fn remove(&mut self, removal: &Removal, at: Moment) -> Result<Done, Refusal> {
        let Removal { kind, code } = removal;
        let number = self.find(*kind, code.as_str()).ok_or_else(|| unknown(*kind, code))?;
        if let Some(by) = self.hanging_on(*kind, number, at) {
            return Err(Refusal::InUse { kind: *kind, code: code.clone(), by });
        }
        match kind {
            Kind::Substation => self.substations.remove(number),
            Kind::Line => {
                let Some((substation, first)) = self.line(number).map(|l| (l.substation, l.first)) else {
                    return Ok(Done::Unchanged);
                };
                self.with_lines(substation, |lines| leave(lines, number));
                self.forget_feeds(Fed::Section(first), Some(first));
                self.sections.remove(first);
                self.lines.remove(number);
            }
            Kind::Section => self.remove_section(number),
            Kind::Switch => self.remove_switch(number),
            Kind::Transformer => {
                if let Some(section) = self.transformer(number).map(|t| t.section) {
                    self.with_transformers(section, |list| leave(list, number));
                }
                self.forget_feeds(Fed::Transformer(number), None);
                self.transformers.remove(number);
            }
        }
        Ok(Done::Changed(None))
    }

    /// A line's first section loses its name and stays; any other goes.
    fn remove_section(&mut self, section: u32) {
        self.remove_switch(section);
        match self.section(section).map(|s| s.hangs) {
            Some(Hangs::Section(upstream)) => {
                self.with_downstream(upstream, |list| leave(list, section));
                self.forget_feeds(Fed::Section(section), Some(section));
                self.sections.remove(section);
            }
            _ => self.sections.rename(section, |s| s.code = None),
        }
    }

    fn remove_switch(&mut self, section: u32) {
        if let Some(old) = self.switch_of(section).map(str::to_owned) {
            self.switches.remove(&old, section);
            if let Some(its) = self.sections.edit(section) {
                its.switch = None;
            }
        }
    }

    /// What keeps something from going: what hangs on it, or a feed now or later.
    fn hanging_on(&self, kind: Kind, number: u32, at: Moment) -> Option<String> {
        let section = |n: u32| self.called(n).map(|c| format!("section `{c}`"));
        let on_section = |n: u32| {
            let its = self.section(n)?;
            let transformer = its.transformers.first().and_then(|t| self.transformer(*t));
            let below = its.downstream.first().and_then(|s| section(*s));
            below.or_else(|| transformer.map(|t| format!("transformer `{}`", t.code)))
        };
        match kind {
            Kind::Substation => {
                let line = self.line(*self.substation(number)?.lines.first()?)?;
                Some(format!("line `{}`", line.code))
            }
            Kind::Line => {
                let first = self.line(number)?.first;
                let named = self.section(first)?.code.is_some().then(|| section(first)).flatten();
                named.or_else(|| on_section(first)).or_else(|| self.fed_with(Fed::Section(first), Some(first), at))
            }
            Kind::Section => on_section(number).or_else(|| self.fed_with(Fed::Section(number), Some(number), at)),
            Kind::Switch => None,
            Kind::Transformer => self.fed_with(Fed::Transformer(number), None, at),
        }
    }

    /// A feed of `what`, or one by `section`, that is not over.
    fn fed_with(&self, what: Fed, section: Option<u32>, at: Moment) -> Option<String> {
        let its = |f: &&Arc<Feed>| !f.is_over(at) && (f.what == what || Some(f.from) == section);
        self.feeds.iter().find(its).map(|f| format!("what is fed otherwise since {}", f.since))
    }

    fn forget_feeds(&mut self, what: Fed, section: Option<u32>) {
        let its = |f: &Feed| f.what == what || Some(f.from) == section;
        if self.feeds.iter().any(|f| its(f)) {
            Arc::make_mut(&mut self.feeds).forget_all_of(its);
        }
    }

    // ---- feeding for a while ----

    fn whom(&self, whom: &Whom) -> Result<Fed, Refusal> {
        let (kind, code) = match whom {
            Whom::Section(code) => (Kind::Section, code),
            Whom::Transformer(code) => (Kind::Transformer, code),
        };
        let number = self.find(kind, code.as_str()).ok_or_else(|| unknown(kind, code))?;
        Ok(if kind == Kind::Section { Fed::Section(number) } else { Fed::Transformer(number) })
    }

    fn feed(&mut self, fact: &FeedFact, at: Moment) -> Result<Done, Refusal> {
        text("why", &fact.why, false)?;
        text("by", &fact.by, true)?;
        if fact.until.is_some_and(|until| until <= fact.since) {
            return Err(Refusal::field("until", "is not behind `since`"));
        }
        let (what, from) = (self.whom(&fact.what)?, self.spot(&fact.from)?);
        let FeedFact { since, until, why, by, .. } = fact.clone();
        let feed = Arc::new(Feed { what, from, since, until, why, by });
        let before = self.feeds.of(what).find(|f| f.since == since).cloned();
        if before.as_ref() == Some(&feed) {
            return Ok(Done::Unchanged);
        }
        let other = self.feeds.of(what).find(|f| f.since != since && f.meets(&feed));
        if let Some(other) = other {
            return Err(Refusal::Overlaps { since: other.since });
        }
        let mut feeds = Feeds::clone(&self.feeds);
        feeds.forget(at);
        if before.is_none() && feeds.len() >= MAX_FEEDS {
            return Err(Refusal::TooManyFeeds { bound: MAX_FEEDS });
        }
        // Where it ends earlier than before, what then feeds normally again must not be fed by what it feeds.
        let last = before.as_ref().map_or(until, |b| until.and_then(|until| b.until.map(|old| until.max(old))));
        feeds.put(feed);
        self.try_feeds(feeds, what, since.max(at), last)?;
        Ok(if before.is_some() { Done::Changed(None) } else { Done::Created(None) })
    }

    fn end_feed(&mut self, fact: &EndFeed, at: Moment) -> Result<Done, Refusal> {
        let what = self.whom(&fact.what)?;
        let feed = self.feeds.of(what).find(|f| !f.is_over(fact.at)).cloned().ok_or(Refusal::NotFed)?;
        let mut feeds = Feeds::clone(&self.feeds);
        feeds.remove(what, feed.since);
        if feed.since < fact.at {
            feeds.put(Arc::new(Feed { until: Some(fact.at), ..Feed::clone(&feed) }));
        }
        feeds.forget(at);
        self.try_feeds(feeds, what, fact.at.max(feed.since).max(at), feed.until)?;
        Ok(Done::Changed(None))
    }

    /// Takes `feeds` unless something then feeds itself from `from` on and before `to`.
    fn try_feeds(&mut self, feeds: Feeds, what: Fed, from: Moment, to: Option<Moment>) -> Result<(), Refusal> {
        let before = std::mem::replace(&mut self.feeds, Arc::new(feeds));
        let within = to.is_none_or(|to| from < to);
        if let Fed::Section(section) = what
            && within
            && let Some(refusal) = self.cycle_within(section, from, to)
        {
            self.feeds = before;
            return Err(refusal);
        }
        Ok(())
    }
}

fn blank(hangs: Hangs, code: Option<Code>) -> Section {
    Section { code, hangs, switch: None, downstream: Vec::new(), transformers: Vec::new() }
}
