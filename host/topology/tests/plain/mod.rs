//! The plain model: everything by name, nothing kept that follows from something else.

use std::collections::{BTreeMap, BTreeSet};

use gridbell_model::{Moment, PrefectureCode};
use gridbell_topology::{Code, GridFact, KEEP_ENDED_MS, Kind, Scope, SectionFact, Spot, Switch, Whom};

/// A section: by its code, or as the first of a line that nobody named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Coded(String),
    First(String),
}

#[derive(Clone, Debug)]
struct Section {
    /// None for a first one.
    upstream: Option<Name>,
    /// Of a first one.
    line: Option<String>,
    switch: Option<Switch>,
}

#[derive(Clone, Debug, PartialEq)]
struct Transformer {
    name: String,
    prefecture: PrefectureCode,
    on: Name,
}

#[derive(Clone, Debug, PartialEq)]
struct Feed {
    what: Thing,
    from: Name,
    since: Moment,
    until: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Section(Name),
    Transformer(String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Plain {
    substations: BTreeMap<String, (String, PrefectureCode)>,
    lines: BTreeMap<String, (String, String)>,
    sections: BTreeMap<Name, Section>,
    transformers: BTreeMap<String, Transformer>,
    feeds: Vec<Feed>,
}

type Answer = (&'static str, bool);
const CREATED: Answer = ("created", false);
const CHANGED: Answer = ("changed", false);
const UNCHANGED: Answer = ("unchanged", false);

fn no(why: &'static str) -> Answer {
    (why, false)
}

fn over(feed: &Feed, at: Moment) -> bool {
    feed.until.is_some_and(|until| until <= at)
}

impl Plain {
    pub(crate) fn knows(&self, kind: Kind, code: &str) -> bool {
        match kind {
            Kind::Substation => self.substations.contains_key(code),
            Kind::Line => self.lines.contains_key(code),
            Kind::Section => self.sections.contains_key(&Name::Coded(code.into())),
            Kind::Switch => self.behind(code).is_some(),
            Kind::Transformer => self.transformers.contains_key(code),
        }
    }

    fn behind(&self, switch: &str) -> Option<&Name> {
        let its = |s: &Section| s.switch.as_ref().is_some_and(|s| s.code.as_str() == switch);
        self.sections.iter().find(|(_, s)| its(s)).map(|(name, _)| name)
    }

    fn first_of(&self, line: &str) -> Name {
        self.sections.iter().find(|(_, s)| s.line.as_deref() == Some(line)).map(|(n, _)| n.clone()).unwrap()
    }

    fn spot(&self, spot: &Spot) -> Result<Name, Answer> {
        match spot {
            Spot::Section(code) if self.knows(Kind::Section, code.as_str()) => Ok(Name::Coded(code.to_string())),
            Spot::Section(_) => Err(no("unknown-section")),
            Spot::Line(code) if self.knows(Kind::Line, code.as_str()) => Ok(self.first_of(code.as_str())),
            Spot::Line(_) => Err(no("unknown-line")),
        }
    }

    fn line_of(&self, section: &Name) -> String {
        let its = &self.sections[section];
        its.line.clone().unwrap_or_else(|| self.line_of(its.upstream.as_ref().unwrap()))
    }

    fn fed_by(&self, thing: &Thing, at: Option<Moment>) -> Option<Name> {
        let holds = |f: &&Feed, at| f.what == *thing && f.since <= at && !over(f, at);
        if let Some(feed) = at.and_then(|at| self.feeds.iter().find(|f| holds(f, at))) {
            return Some(feed.from.clone());
        }
        match thing {
            Thing::Section(name) => self.sections[name].upstream.clone(),
            Thing::Transformer(code) => Some(self.transformers[code].on.clone()),
        }
    }

    /// Whether anything feeds itself, normally or from `at` on.
    fn turns_round(&self, at: Moment) -> bool {
        let mut times: BTreeSet<Moment> = self.feeds.iter().flat_map(|f| [Some(f.since), f.until]).flatten().collect();
        times.insert(at);
        let times = times.into_iter().filter(|t| *t >= at).map(Some).chain([None]);
        times.into_iter().any(|time| {
            self.sections.keys().any(|section| {
                let mut next = Some(section.clone());
                (0..=self.sections.len()).all(|_| {
                    next = next.take().and_then(|s| self.fed_by(&Thing::Section(s), time));
                    next.is_some()
                })
            })
        })
    }

    pub(crate) fn apply(&mut self, fact: &GridFact, at: Moment) -> Answer {
        let before = self.clone();
        let answer = self.try_apply(fact, at).unwrap_or_else(|answer| answer);
        let taken = matches!(answer.0, "created" | "changed" | "unchanged");
        if taken && !self.turns_round(at) {
            return answer;
        }
        *self = before;
        if taken { no("cycle") } else { answer }
    }

    fn try_apply(&mut self, fact: &GridFact, at: Moment) -> Result<Answer, Answer> {
        match fact {
            GridFact::Substation(s) => {
                let value = (s.name.clone(), s.prefecture);
                Ok(match self.substations.insert(s.code.to_string(), value.clone()) {
                    None => CREATED,
                    Some(old) if old == value => UNCHANGED,
                    Some(_) => CHANGED,
                })
            }
            GridFact::Line(l) => {
                if !self.knows(Kind::Substation, l.substation.as_str()) {
                    return Err(no("unknown-substation"));
                }
                let (code, value) = (l.code.to_string(), (l.name.clone(), l.substation.to_string()));
                Ok(match self.lines.insert(code.clone(), value.clone()) {
                    None => {
                        let first = Section { upstream: None, line: Some(code.clone()), switch: None };
                        self.sections.insert(Name::First(code), first);
                        CREATED
                    }
                    Some(old) if old == value => UNCHANGED,
                    Some(_) => CHANGED,
                })
            }
            GridFact::Section(s) => self.section(s),
            GridFact::Transformer(t) => {
                let on = self.spot(&t.hangs_on)?;
                let substation = &self.lines[&self.line_of(&on)].1;
                let elsewhere = self.substations[substation].1 != t.prefecture;
                let value = Transformer { name: t.name.clone(), prefecture: t.prefecture, on };
                Ok(match self.transformers.insert(t.code.to_string(), value.clone()) {
                    None => ("created", elsewhere),
                    Some(old) if old == value => UNCHANGED,
                    Some(_) => ("changed", elsewhere),
                })
            }
            GridFact::Remove(r) => self.remove(r.kind, &r.code, at),
            GridFact::Feed(f) => {
                if f.until.is_some_and(|until| until <= f.since) {
                    return Err(no("field"));
                }
                let what = self.whom(&f.what)?;
                let feed = Feed { what: what.clone(), from: self.spot(&f.from)?, since: f.since, until: f.until };
                if self.feeds.contains(&feed) {
                    return Ok(UNCHANGED);
                }
                let ends_before = |a: &Feed, b: &Feed| a.until.is_some_and(|until| until <= b.since);
                let meets = |o: &Feed| o.what == what && !ends_before(o, &feed) && !ends_before(&feed, o);
                if self.feeds.iter().any(|o| o.since != f.since && meets(o)) {
                    return Err(no("fed-otherwise"));
                }
                let count = self.feeds.len();
                self.feeds.retain(|o| o.what != what || o.since != f.since);
                let answer = if self.feeds.len() == count { CREATED } else { CHANGED };
                self.feeds.retain(|o| !over(o, at.plus_ms(-KEEP_ENDED_MS)));
                self.feeds.push(feed);
                Ok(answer)
            }
            GridFact::EndFeed(e) => {
                let what = self.whom(&e.what)?;
                self.feeds.sort_by_key(|f| f.since);
                let Some(n) = self.feeds.iter().position(|f| f.what == what && !over(f, e.at)) else {
                    return Err(no("not-fed-otherwise"));
                };
                if self.feeds[n].since < e.at {
                    self.feeds[n].until = Some(e.at);
                } else {
                    self.feeds.remove(n);
                }
                self.feeds.retain(|o| !over(o, at.plus_ms(-KEEP_ENDED_MS)));
                Ok(CHANGED)
            }
        }
    }

    fn whom(&self, whom: &Whom) -> Result<Thing, Answer> {
        match whom {
            Whom::Section(code) => self.spot(&Spot::Section(code.clone())).map(Thing::Section),
            Whom::Transformer(code) if self.knows(Kind::Transformer, code.as_str()) => {
                Ok(Thing::Transformer(code.to_string()))
            }
            Whom::Transformer(_) => Err(no("unknown-transformer")),
        }
    }

    fn section(&mut self, fact: &SectionFact) -> Result<Answer, Answer> {
        let line = fact.line.to_string();
        if !self.lines.contains_key(&line) {
            return Err(no("unknown-line"));
        }
        let name = Name::Coded(fact.code.to_string());
        let known = self.sections.get(&name).cloned();
        let holder = fact.switch.as_ref().and_then(|s| self.behind(s.code.as_str()));
        if holder.is_some_and(|holder| *holder != name) {
            return Err(no("switch-taken"));
        }
        let switch = fact.switch.clone().or_else(|| known.as_ref().and_then(|k| k.switch.clone()));
        let switched = known.as_ref().is_some_and(|k| k.switch != switch);
        let Some(upstream) = &fact.upstream else {
            return match (known, self.first_of(&line)) {
                (Some(_), first) if first == name => {
                    self.sections.get_mut(&name).unwrap().switch = switch;
                    Ok(if switched { CHANGED } else { UNCHANGED })
                }
                (Some(Section { line: Some(_), .. }), _) => Err(no("stays-first-section")),
                (None, Name::First(_)) => {
                    self.rename(&Name::First(line), &name);
                    self.sections.get_mut(&name).unwrap().switch = switch;
                    Ok(CREATED)
                }
                _ => Err(no("second-first-section")),
            };
        };
        let coded = Name::Coded(upstream.to_string());
        let upstream = match self.sections.contains_key(&coded) {
            true => coded,
            false if *upstream == fact.line => self.first_of(&line),
            false => return Err(no("unknown-section")),
        };
        if self.line_of(&upstream) != line {
            return Err(no("other-line"));
        }
        let answer = match &known {
            None => CREATED,
            Some(Section { upstream: None, .. }) => return Err(no("stays-first-section")),
            Some(k) if k.upstream.as_ref() == Some(&upstream) && !switched => UNCHANGED,
            Some(_) => CHANGED,
        };
        self.sections.insert(name, Section { upstream: Some(upstream), line: None, switch });
        Ok(answer)
    }

    fn rename(&mut self, from: &Name, to: &Name) {
        let section = self.sections.remove(from).unwrap();
        self.sections.insert(to.clone(), section);
        let swap = |name: &mut Name| {
            if name == from {
                *name = to.clone();
            }
        };
        self.sections.values_mut().filter_map(|s| s.upstream.as_mut()).for_each(swap);
        self.transformers.values_mut().for_each(|t| swap(&mut t.on));
        for feed in &mut self.feeds {
            swap(&mut feed.from);
            if let Thing::Section(name) = &mut feed.what {
                swap(name);
            }
        }
    }

    fn remove(&mut self, kind: Kind, code: &Code, at: Moment) -> Result<Answer, Answer> {
        let code = code.to_string();
        if !self.knows(kind, &code) {
            return Err(match kind {
                Kind::Substation => no("unknown-substation"),
                Kind::Line => no("unknown-line"),
                Kind::Section => no("unknown-section"),
                Kind::Switch => no("unknown-switch"),
                Kind::Transformer => no("unknown-transformer"),
            });
        }
        let feeds = |thing: &Thing| {
            let from = |f: &Feed| matches!(thing, Thing::Section(name) if f.from == *name);
            self.feeds.iter().any(|f| !over(f, at) && (f.what == *thing || from(f)))
        };
        let bears = |name: &Name| {
            self.sections.values().any(|s| s.upstream.as_ref() == Some(name))
                || self.transformers.values().any(|t| t.on == *name)
                || feeds(&Thing::Section(name.clone()))
        };
        let forget = |all: &mut Vec<Feed>, thing: &Thing| {
            let from = |f: &Feed| matches!(thing, Thing::Section(name) if f.from == *name);
            all.retain(|f| f.what != *thing && !from(f));
        };
        match kind {
            Kind::Substation if self.lines.values().any(|l| l.1 == code) => return Err(no("in-use")),
            Kind::Substation => drop(self.substations.remove(&code)),
            Kind::Line => {
                let first = Name::First(code.clone());
                if self.first_of(&code) != first || bears(&first) {
                    return Err(no("in-use"));
                }
                self.sections.remove(&first);
                self.lines.remove(&code);
                forget(&mut self.feeds, &Thing::Section(first));
            }
            Kind::Section => {
                let name = Name::Coded(code);
                if bears(&name) {
                    return Err(no("in-use"));
                }
                match self.sections[&name].line.clone() {
                    Some(line) => {
                        self.sections.get_mut(&name).unwrap().switch = None;
                        self.rename(&name, &Name::First(line));
                    }
                    None => {
                        self.sections.remove(&name);
                        forget(&mut self.feeds, &Thing::Section(name));
                    }
                }
            }
            Kind::Switch => {
                let name = self.behind(&code).unwrap().clone();
                self.sections.get_mut(&name).unwrap().switch = None;
            }
            Kind::Transformer => {
                let thing = Thing::Transformer(code.clone());
                if feeds(&thing) {
                    return Err(no("in-use"));
                }
                self.transformers.remove(&code);
                forget(&mut self.feeds, &thing);
            }
        }
        Ok(CHANGED)
    }

    /// Codes of the transformers that `scope` leaves dead.
    pub(crate) fn dead(&self, scope: &Scope, at: Moment) -> Vec<String> {
        let named = |codes: &[Code], code: &str| codes.iter().any(|c| c.as_str() == code);
        let dead = |code: &String| {
            if named(&scope.except, code) {
                return false;
            }
            if named(&scope.transformers, code) {
                return true;
            }
            let mut next = self.fed_by(&Thing::Transformer(code.clone()), Some(at));
            for _ in 0..=self.sections.len() {
                let Some(name) = next else { break };
                let (its, thing) = (&self.sections[&name], Thing::Section(name.clone()));
                if matches!(&name, Name::Coded(code) if named(&scope.sections, code)) {
                    return true;
                }
                next = self.fed_by(&thing, Some(at));
                let normally = !self.feeds.iter().any(|f| f.what == thing && f.since <= at && !over(f, at));
                let line = its.line.as_deref().unwrap_or("");
                let of_line = || named(&scope.lines, line) || named(&scope.substations, &self.lines[line].1);
                let opened = its.switch.as_ref().is_some_and(|s| named(&scope.switches, s.code.as_str()));
                if normally && (opened || !line.is_empty() && of_line()) {
                    return true;
                }
            }
            false
        };
        self.transformers.keys().filter(|code| dead(code)).cloned().collect()
    }
}
