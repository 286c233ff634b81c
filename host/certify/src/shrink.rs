//! From an input that shows a fault to the smallest that does: fewer rows, facts that are not known, plain amounts, default parameters, a plain day.
//! Every step asks the plugin again, so what comes out shows the fault for certain.

use gridbell_contract::{ColumnDef, Registry, column};
use gridbell_workshop::CaseText;
use serde_json::Value;

use crate::certificate::{Check, Counterexample};
use crate::customer::{Customer, blank, columns, holds};
use crate::error::CertifyError;
use crate::probe::{Input, Probe, Shown};
use crate::subject::{Scene, Subject};

/// Questions to the plugin for one fault; a shrunk input is a help, not a proof.
const MAX_TRIES: usize = 600;
/// Neighbours that a case describes.
const MAX_NEIGHBOURS: usize = 6;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// Visits the customers of an input that are changed together.
type Visit<'v> = dyn Fn(&mut Input, &mut dyn FnMut(&mut Customer)) + 'v;

struct Shrinker<'a> {
    subject: &'a Subject<'a>,
    probe: Probe,
    plain: &'a Scene,
    /// Whether time is over.
    late: &'a dyn Fn() -> bool,
    tries: usize,
    best: Input,
    shown: Shown,
}

/// The smallest input found that shows the fault that `input` shows, as a counterexample; none if it shows it no longer.
pub(crate) fn smallest(
    subject: &Subject<'_>,
    check: Check,
    probe: Probe,
    input: Input,
    plain: &Scene,
    late: &dyn Fn() -> bool,
) -> Result<Option<Counterexample>, CertifyError> {
    let Some(shown) = probe.shows(subject, &input)? else { return Ok(None) };
    let mut s = Shrinker { subject, probe, plain, late, tries: 0, best: input, shown };
    s.settle();
    loop {
        let before = s.best.clone();
        s.rows()?;
        s.facts_of_the_run()?;
        s.columns()?;
        if s.best == before || s.is_over() {
            break;
        }
    }
    Ok(Some(s.counterexample(check)))
}

impl Shrinker<'_> {
    fn is_over(&self) -> bool {
        self.tries >= MAX_TRIES || (self.late)()
    }

    /// Takes `candidate` if it shows the fault.
    fn attempt(&mut self, candidate: Input) -> Result<bool, CertifyError> {
        if self.is_over() || candidate == self.best {
            return Ok(false);
        }
        self.tries += 1;
        let Some(shown) = self.probe.shows(self.subject, &candidate)? else { return Ok(false) };
        (self.best, self.shown) = (candidate, shown);
        self.settle();
        Ok(true)
    }

    /// A question about neighbours is from now on about the customer that showed it.
    fn settle(&mut self) {
        if self.probe == Probe::Neighbours {
            self.best.about = self.shown.about;
        }
    }

    /// Drops as many rows as it can: halves first, single rows last.
    fn rows(&mut self) -> Result<(), CertifyError> {
        if self.best.customers.len() > MAX_NEIGHBOURS && self.probe != Probe::Neighbours && self.alike()? {
            return Ok(());
        }
        // Not all of the tries: columns want theirs.
        let end = self.tries + MAX_TRIES / 3;
        let mut size = self.best.customers.len() / 2;
        while size > 0 && self.best.customers.len() > 1 {
            let mut from = 0;
            while from < self.best.customers.len() && self.best.customers.len() > 1 && self.tries < end {
                let smaller = match self.without(from, size) {
                    Some(candidate) => self.attempt(candidate)?,
                    None => false,
                };
                if !smaller {
                    from += size;
                }
            }
            size = if size > self.best.customers.len() { self.best.customers.len() / 2 } else { size / 2 };
        }
        Ok(())
    }

    /// Where many rows are needed, as many of one customer will do: then as few of it as do.
    fn alike(&mut self) -> Result<bool, CertifyError> {
        let Some(one) = self.shown.about.and_then(|n| self.best.customers.get(n)).cloned() else { return Ok(false) };
        let of = |this: &Self, n: usize| Input { customers: vec![one.clone(); n], ..this.best.clone() };
        let (mut fails, mut shows) = (0, self.best.customers.len());
        let all = of(self, shows);
        if all != self.best && !self.attempt(all)? {
            return Ok(false);
        }
        while shows - fails > 1 && !self.is_over() {
            let middle = fails.midpoint(shows);
            if self.attempt(of(self, middle))? { shows = middle } else { fails = middle }
        }
        Ok(true)
    }

    fn without(&self, from: usize, size: usize) -> Option<Input> {
        let to = (from + size).min(self.best.customers.len());
        let mut candidate = self.best.clone();
        match candidate.about {
            Some(about) if (from..to).contains(&about) => return None,
            Some(about) if about >= to => candidate.about = Some(about - (to - from)),
            _ => {}
        }
        candidate.customers.drain(from..to);
        if !candidate.others.is_empty() {
            candidate.others.drain(from..to);
        }
        (!candidate.customers.is_empty()).then_some(candidate)
    }

    /// Parameters, numbers about the trigger, the schedule, the trigger and the day.
    fn facts_of_the_run(&mut self) -> Result<(), CertifyError> {
        // Without its own parameters a customer that is never caught up may only be one whose last step it was.
        if self.probe != Probe::NotCaughtUp {
            self.parameters()?;
        }
        for n in (0..self.best.scene.facts.len()).rev() {
            let mut candidate = self.best.clone();
            candidate.scene.facts.remove(n);
            self.attempt(candidate)?;
        }
        let plain = self.plain.clone();
        for change in [
            (|s: &mut Scene, p: &Scene| s.schedule.clone_from(&p.schedule)) as fn(&mut Scene, &Scene),
            |s, p| s.trigger = p.trigger,
            |s, p| s.now = s.now.date().at(p.now.minute_of_day() / 60, p.now.minute_of_day() % 60),
        ] {
            let mut candidate = self.best.clone();
            change(&mut candidate.scene, &plain);
            self.attempt(candidate)?;
        }
        let days = (plain.now.0.div_euclid(DAY)) - self.best.scene.now.0.div_euclid(DAY);
        let mut candidate = self.best.clone();
        candidate.scene.now = plain.now;
        for c in candidate.customers.iter_mut().chain(&mut candidate.others) {
            for def in columns().iter().filter(|def| def.unit == "date" && c.knows(def.id)).collect::<Vec<_>>() {
                c.set(def.id, c.get(def.id).saturating_add(days));
            }
        }
        if !self.attempt(candidate)? {
            let mut candidate = self.best.clone();
            candidate.scene.now = plain.now;
            self.attempt(candidate)?;
        }
        Ok(())
    }

    fn parameters(&mut self) -> Result<(), CertifyError> {
        let mut candidate = self.best.clone();
        candidate.scene.given.clone_from(&self.plain.given);
        if self.attempt(candidate)? {
            return Ok(());
        }
        let keys: Vec<String> =
            self.best.scene.given.as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect();
        for key in keys {
            let mut candidate = self.best.clone();
            if let Some(map) = candidate.scene.given.as_object_mut() {
                map.remove(&key);
            }
            if self.attempt(candidate)? {
                continue;
            }
            let items = self.best.scene.given.get(&key).and_then(Value::as_array).map_or(0, Vec::len);
            for n in (0..items).rev() {
                let mut candidate = self.best.clone();
                if let Some(list) =
                    candidate.scene.given.get_mut(&key).and_then(Value::as_array_mut).filter(|l| n < l.len())
                {
                    list.remove(n);
                }
                self.attempt(candidate)?;
            }
        }
        Ok(())
    }

    fn columns(&mut self) -> Result<(), CertifyError> {
        // What the plugin does not ask for it does not see, unless its interest looks at it.
        let seen = self.subject.columns().to_vec();
        let mut candidate = self.best.clone();
        for c in candidate.customers.iter_mut().chain(&mut candidate.others) {
            columns().iter().filter(|def| !seen.contains(&def.id)).for_each(|def| c.set(def.id, blank(def)));
        }
        let same = self.best.customers.windows(2).all(|w| w[0] == w[1]);
        self.attempt(candidate)?;
        for def in columns() {
            if same && self.best.others.is_empty() {
                // Rows that are alike stay alike.
                self.column(def, &|input, change| input.customers.iter_mut().for_each(change))?;
                continue;
            }
            for n in 0..self.best.customers.len().min(MAX_NEIGHBOURS * 4) {
                self.column(def, &|input, change| input.customers.get_mut(n).into_iter().for_each(change))?;
                self.column(def, &|input, change| input.others.get_mut(n).into_iter().for_each(change))?;
            }
        }
        Ok(())
    }

    /// Makes one column plain in the customers that `each` visits.
    fn column(&mut self, def: &ColumnDef, each: &Visit<'_>) -> Result<(), CertifyError> {
        let mut value = None;
        each(&mut self.best.clone(), &mut |c| value = Some(c.get(def.id)));
        let Some(value) = value.filter(|v| *v != blank(def)) else { return Ok(()) };
        let put = |this: &mut Self, v: i64| {
            let mut candidate = this.best.clone();
            each(&mut candidate, &mut |c| c.set(def.id, v));
            this.attempt(candidate)
        };
        if put(self, blank(def))? {
            return Ok(());
        }
        if def.unit == "bits" {
            for bit in 0..32 {
                let mut now = value;
                each(&mut self.best.clone(), &mut |c| now = c.get(def.id));
                if now >> bit & 1 == 1 {
                    put(self, now & !(1 << bit))?;
                }
            }
            return Ok(());
        }
        // Towards what is plain: as near as the fault allows.
        let target = match &*def.unit {
            "date" => self.best.scene.now.0.div_euclid(DAY),
            "yyyymm" => crate::make::month(self.best.scene.now.date(), -1),
            _ => 0,
        };
        if !holds(def, target) || value == target || put(self, target)? {
            return Ok(());
        }
        let (mut fails, mut shows) = (target, value);
        while (shows - fails).abs() > 1 && !self.is_over() {
            let middle = fails + (shows - fails) / 2;
            if put(self, middle)? { shows = middle } else { fails = middle }
        }
        Ok(())
    }

    fn counterexample(self, check: Check) -> Counterexample {
        let explanation = self.shown.explanation.clone();
        let case = match &self.shown.case {
            Some((scene, customer)) => self.case(check, scene, customer),
            None => {
                let mut case = self.text(check, &self.best.scene, Vec::new());
                case.comments
                    .push("A case has one customer: this one shows where it was, not the fault itself.".to_owned());
                case
            }
        };
        Counterexample { check, explanation, case_toml: case.toml() }
    }

    fn text(&self, check: Check, scene: &Scene, customer: Vec<(gridbell_model::ColumnId, i64)>) -> CaseText {
        CaseText {
            name: format!("certification: {check}"),
            comments: vec![self.shown.explanation.clone()],
            now: scene.now,
            trigger: scene.trigger,
            schedule: scene.schedule.clone(),
            parameters: scene.given.clone(),
            facts: scene.facts.clone(),
            customer,
            expect: self.shown.expect.clone(),
        }
    }

    fn case(&self, check: Check, scene: &Scene, customer: &Customer) -> CaseText {
        let known = |c: &Customer| -> Vec<_> {
            let own = columns()
                .iter()
                .filter(|def| c.knows(def.id) || def.none.is_some() && self.subject.columns().contains(&def.id));
            own.map(|def| (def.id, c.get(def.id))).collect()
        };
        let mut case = self.text(check, scene, known(customer));
        let unnamed =
            Registry::get().traits().iter().fold(customer.get(column::TRAITS), |bits, t| bits & !(1 << t.bit));
        if unnamed != 0 {
            case.comments
                .push(format!("`traits` has bits that have no name and that a case cannot say: {unnamed:#x}."));
        }
        let many = self.best.customers.len() > 1 || matches!(self.probe, Probe::SameTwice | Probe::BatchSize);
        match self.probe {
            Probe::SameTwice | Probe::BatchSize | Probe::RowOrder | Probe::Neighbours => {
                case.comments
                    .push("A case asks about one customer alone, so it does not show this. The batch:".to_owned());
            }
            _ if many => case.comments.push("A case asks about one customer alone. The batch:".to_owned()),
            _ => return case,
        }
        let show = |c: &Customer| {
            let fields = known(c).into_iter().filter_map(|(id, v)| {
                let def = Registry::get().column(id)?;
                Some(format!("{} = {}", def.name, gridbell_workshop::show_value(def, v)))
            });
            fields.collect::<Vec<_>>().join(", ")
        };
        for (n, c) in self.best.customers.iter().enumerate().take(MAX_NEIGHBOURS) {
            let this = if self.shown.about == Some(n) { " (this one)" } else { "" };
            case.comments.push(format!("  row {n}{this}: {}", show(c)));
            if let Some(other) = self.best.others.get(n).filter(|_| self.shown.about != Some(n)) {
                case.comments.push(format!("  row {n}, then: {}", show(other)));
            }
        }
        let more = self.best.customers.len().saturating_sub(MAX_NEIGHBOURS);
        if more > 0 {
            let same = self.best.customers.windows(2).all(|w| w[0] == w[1]);
            case.comments.push(format!("  and {more} more{}", if same { " of the same" } else { "" }));
        }
        case
    }
}
