//! What happens when: customers, people, carriers and machines, all drawn from the seed beforehand, so that no draw depends on the host.

use std::collections::BTreeMap;
use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_conductor::Extent;
use gridbell_model::Topic;

use crate::dice::Dice;
use crate::gateway::Mood;
use crate::process::LINKS;
use crate::province::{PREFECTURES, Province, Terms, WINDOWS};

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The day's bills and balances come in.
    Facts(i32),
    /// These customers pay what they owe.
    Pay(Vec<usize>),
    /// A customer's number is corrected.
    Correct(usize, String),
    /// A customer goes on the do-not-remind list.
    Exempt(usize),
    Terms(usize, Terms),
    Stop(Extent),
    Release(Extent),
    /// A person runs a policy.
    Run(usize, &'static str),
    /// A person takes back what a policy's latest run has queued.
    Recall,
    /// Another person releases runs that wait.
    Approve,
    Checkpoint,
    Mood(usize, Mood),
    Down(usize, bool),
    Cut(Option<usize>),
    Breaks(u64),
    Disk(bool),
    /// The power fails during the commit so many from now.
    PowerFails(u64),
    /// The process is killed.
    Kill,
    /// Everything is compared.
    Look,
    /// No schedule begins any more.
    Rest,
}

/// What happens, in order.
pub(crate) type Agenda = BTreeMap<(Duration, u64), Action>;

struct Writer {
    agenda: Agenda,
    dice: Dice,
    order: u64,
}

impl Writer {
    fn add(&mut self, at: Duration, action: Action) {
        self.order += 1;
        self.agenda.insert((at, self.order), action);
    }

    /// At `minute` of `day`, to a drawn second and millisecond.
    fn at(&mut self, day: i32, from: u64, to: u64) -> Duration {
        let minute = self.dice.between(from, to);
        day_start(day) + Duration::from_secs(minute * 60) + self.dice.millis(0, 59_999)
    }
}

/// The begin of day `day` of the simulation, from 0.
pub(crate) fn day_start(day: i32) -> Duration {
    Duration::from_secs(u64::from(day.unsigned_abs()) * 86_400)
}

/// Draws all that happens in `days` days.
pub(crate) fn draw(seed: Seed, province: &Province, days: i32) -> Agenda {
    let mut w = Writer { agenda: Agenda::new(), dice: Dice::new(seed, "agenda"), order: 0 };
    for day in 0..days {
        w.add(day_start(day) + Duration::from_secs(300), Action::Facts(day));
        customers(&mut w, province, day);
        people(&mut w, day);
        carriers(&mut w, day);
        machines(&mut w, day);
        w.add(day_start(day) + Duration::from_secs(23 * 3_600), Action::Look);
    }
    // The days after: nothing new happens, what is on its way comes to its end.
    let calm = day_start(days);
    for at in 0..LINKS.len() {
        w.add(calm, Action::Mood(at, Mood::default()));
        w.add(calm, Action::Down(at, false));
    }
    w.add(calm, Action::Rest);
    w.add(calm, Action::Disk(false));
    w.add(calm, Action::Breaks(0));
    w.agenda
}

fn customers(w: &mut Writer, province: &Province, day: i32) {
    let all: Vec<usize> = (0..province.customers.len()).collect();
    // Overnight, then through the day.
    for (from, to, groups) in [(10, 470, 6), (481, 1_270, 10)] {
        for _ in 0..groups {
            let at = w.at(day, from, to);
            let count = w.dice.between(1, all.len() as u64 / 60 + 1);
            let who = (0..count).filter_map(|_| w.dice.one(&all).copied()).collect();
            w.add(at, Action::Pay(who));
        }
    }
    for n in 0..w.dice.between(2, 6) {
        let at = w.at(day, 30, 1_300);
        if let Some(who) = w.dice.one(&all).copied() {
            let number = format!("138{:08}", 90_000_000 + u64::from(day.unsigned_abs()) * 100 + n);
            w.add(at, Action::Correct(who, number));
        }
    }
    for _ in 0..w.dice.between(1, 5) {
        let at = w.at(day, 30, 1_300);
        if let Some(who) = w.dice.one(&all).copied() {
            w.add(at, Action::Exempt(who));
        }
    }
}

fn people(w: &mut Writer, day: i32) {
    if w.dice.chance(600) {
        let (at, prefecture) = (w.at(day, 400, 1_100), w.dice.between(0, PREFECTURES.len() as u64 - 1));
        let terms = Terms {
            windows: usize::try_from(w.dice.between(0, WINDOWS.len() as u64 - 1)).unwrap_or(0),
            first_step: u8::try_from(w.dice.between(5, 9)).unwrap_or(7),
            ceiling: 5_000,
        };
        w.add(at, Action::Terms(usize::try_from(prefecture).unwrap_or(0), terms));
    }
    let scopes = [
        Extent::Province,
        Extent::Prefecture(PREFECTURES[0].0),
        Extent::Topic(Topic::ArrearsReminder),
        Extent::Topic(Topic::BillNotice),
        Extent::Link(LINKS[0].0.to_owned()),
        Extent::Link(LINKS[2].0.to_owned()),
    ];
    for scope in scopes {
        if w.dice.chance(300) {
            let at = w.at(day, 480, 1_100);
            let hold = w.dice.millis(5_000, 7_200_000);
            w.add(at, Action::Stop(scope.clone()));
            w.add(at + hold, Action::Release(scope));
        }
    }
    for (topic, chance) in [("arrears-reminder", 400), ("bill-notice", 200), ("balance-warning", 200)] {
        if w.dice.chance(chance) {
            let at = w.at(day, 500, 1_250);
            let prefecture = usize::try_from(w.dice.between(0, PREFECTURES.len() as u64 - 1)).unwrap_or(0);
            w.add(at, Action::Run(prefecture, topic));
            if w.dice.chance(300) {
                let wait = w.dice.millis(0, 20_000);
                w.add(at + wait, Action::Recall);
            }
        }
    }
    for hour in [9, 10, 15, 19] {
        w.add(day_start(day) + Duration::from_secs(hour * 3_600 + 1_805), Action::Approve);
    }
}

fn carriers(w: &mut Writer, day: i32) {
    for gateway in 0..LINKS.len() {
        for _ in 0..3 {
            if w.dice.chance(500) {
                let at = w.at(day, 510, 1_200);
                let mood = mood(&mut w.dice);
                let lasts = w.dice.millis(2_000, 1_500_000);
                w.add(at, Action::Mood(gateway, mood));
                w.add(at + lasts, Action::Mood(gateway, Mood::default()));
            }
        }
        if w.dice.chance(250) {
            let at = w.at(day, 500, 1_200);
            let lasts = w.dice.millis(1_000, 3_600_000);
            w.add(at, Action::Down(gateway, true));
            w.add(at, Action::Cut(Some(gateway)));
            w.add(at + lasts, Action::Down(gateway, false));
        }
    }
    // In the thick of it: the minutes after the windows open.
    for from in [510, 540, 600, 840, 900, 1_140] {
        if w.dice.chance(400) {
            let at = w.at(day, from, from + 1);
            let gateway = w.dice.chance(700).then(|| usize::try_from(w.dice.between(0, 2)).unwrap_or(0));
            w.add(at, Action::Cut(gateway));
        }
    }
    if w.dice.chance(300) {
        let at = w.at(day, 505, 1_140);
        let mean = w.dice.between(100, 20_000);
        let lasts = w.dice.millis(60_000, 3_600_000);
        w.add(at, Action::Breaks(mean));
        w.add(at + lasts, Action::Breaks(0));
    }
}

fn mood(dice: &mut Dice) -> Mood {
    let calm = Mood::default();
    match dice.between(0, 7) {
        0 => Mood { silent: true, ..calm },
        1 => Mood { full: true, hangs_up: 50, ..calm },
        2 => Mood { throttles: dice.between(50, 700), ..calm },
        3 => Mood { refuses: dice.between(20, 300), ..calm },
        4 => Mood { loses_answers: dice.between(20, 200), ..calm },
        5 => Mood { late_answers: dice.between(20, 200), ..calm },
        6 => Mood { hangs_up: dice.between(5, 80), ..calm },
        _ => Mood { throttles: 100, refuses: 50, loses_answers: 50, late_answers: 50, hangs_up: 20, ..calm },
    }
}

fn machines(w: &mut Writer, day: i32) {
    for from in [510, 541, 601, 841, 901, 1_141] {
        match w.dice.between(0, 9) {
            0..=2 => {
                let at = w.at(day, from, from + 1);
                let commits = w.dice.between(1, 60);
                w.add(at, Action::PowerFails(commits));
            }
            3 => {
                let at = w.at(day, from, from + 1);
                w.add(at, Action::Kill);
            }
            4 => {
                let at = w.at(day, from, from + 1);
                let lasts = w.dice.millis(500, 90_000);
                w.add(at, Action::Disk(true));
                w.add(at + lasts, Action::Disk(false));
            }
            _ => {}
        }
    }
    // Somewhere, with a chance to fall into a run, an import or a checkpoint.
    for _ in 0..2 {
        let at = w.at(day, 0, 1_380);
        let commits = w.dice.between(1, 12);
        w.add(at, Action::PowerFails(commits));
    }
    for _ in 0..w.dice.between(0, 3) {
        let at = w.at(day, 0, 1_400);
        w.add(at, Action::Checkpoint);
    }
}
