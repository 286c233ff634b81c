//! The day, minute by minute: payments come in, then runs decide, then messages go whose time has come.

use std::collections::{BTreeMap, HashMap};

use super::calendar::{DAY, show, weekday};
use super::customer::{Contact, Customer};
use super::files::{Inputs, Policy};
use super::guardrails::{Queued, check, check_again, link, next};
use super::policies::{Choice, choose};
use super::text::{parts, shared, text, together};

/// A recomputed day.
#[derive(Default)]
pub struct Day {
    /// In the order in which they happen.
    pub runs: Vec<Run>,
    /// In the order of runs and customers.
    pub decisions: Vec<Decision>,
    /// In the same order.
    pub messages: Vec<Message>,
}

/// One run of a policy.
pub struct Run {
    /// `R` and its place, from 1.
    pub id: String,
    /// GB/T 2260 code.
    pub prefecture: u32,
    /// The policy's name.
    pub policy: String,
    /// The schedule's name; empty where payments started it.
    pub schedule: String,
    /// Customers of the prefecture.
    pub customers: u64,
    /// Of how many the policy wants to say something.
    pub decided: u64,
    /// To how many.
    pub queued: u64,
    /// Why not to the others.
    pub held: BTreeMap<String, u64>,
}

/// One row of decisions.csv, by its headers.
pub type Decision = BTreeMap<&'static str, String>;

/// One message.
pub struct Message {
    /// What a row of messages.csv must say, by its headers; carriers' receipts are left out.
    pub row: BTreeMap<&'static str, String>,
    /// Its place in [`Day::messages`] is also known by customer.
    customer: usize,
    topic: String,
    policy: (u32, String),
    queued: Queued,
    step: u32,
    said_before: u32,
    goes: i64,
    expires: i64,
    done: bool,
    /// What it has in common with those that it may leave with, and the amount that is added up.
    shared: Option<String>,
    amount: i64,
    /// Whether it is the one of those that counts for its number.
    counts: bool,
}

/// Accounts that one message tells at most.
const TOGETHER: usize = 50;

/// Messages of a class on a day to a customer or to a number.
type Counts<K> = HashMap<(String, i64, K), u32>;

struct World<'a> {
    inputs: &'a Inputs,
    customers: Vec<Customer>,
    by_account: HashMap<String, usize>,
    to_customer: Counts<usize>,
    to_phone: Counts<String>,
    numbers: HashMap<u32, u32>,
    /// Messages of the run that may leave as one, by number, minute and text: how many since the last that counts.
    sharing: HashMap<(String, i64, String), usize>,
    day: Day,
}

impl Day {
    /// Recomputes the day from its first minute, at which the house starts with what is known in the morning.
    #[must_use]
    pub fn of(inputs: &Inputs, first: i64) -> Self {
        let mut world = World::new(inputs, first / DAY);
        let midnight = (first / DAY + 1) * DAY;
        let mut payments = inputs.day_payments.iter().peekable();
        for now in first..midnight {
            while let Some((_, payment)) = payments.next_if(|(at, _)| *at <= now) {
                let at = world.by_account[&payment.account];
                world.customers[at].pay(payment, now / DAY);
            }
            world.runs(now);
            world.send(now);
        }
        // What the day moved to a later window goes then, on days on which nothing else happens.
        while let Some(now) = world.day.messages.iter().filter(|m| !m.done).map(|m| m.goes).min() {
            world.send(now);
        }
        world.day
    }
}

impl<'a> World<'a> {
    fn new(inputs: &'a Inputs, today: i64) -> Self {
        let mut customers: Vec<Customer> = inputs.customers.iter().map(|row| Customer::new(row, inputs)).collect();
        let by_account: HashMap<String, usize> =
            customers.iter().enumerate().map(|(at, c)| (c.account.clone(), at)).collect();
        inputs.bills.iter().for_each(|b| customers[by_account[&b.account]].bill(b));
        inputs.balances.iter().for_each(|b| customers[by_account[&b["户号"]]].told_balance(b));
        inputs.payments.iter().for_each(|p| customers[by_account[&p.account]].pay(p, today));
        let (to_customer, to_phone, numbers) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (sharing, day) = (HashMap::new(), Day::default());
        Self { inputs, customers, by_account, to_customer, to_phone, numbers, sharing, day }
    }

    /// Everything that is due, in order of prefecture and of the policies in its file.
    fn runs(&mut self, now: i64) {
        let inputs = self.inputs;
        for (prefecture, policies) in &inputs.policies {
            let paid = self.customers.iter().any(|c| c.prefecture == *prefecture && !c.waiting.is_empty());
            for policy in policies {
                for schedule in policy.schedule.iter().filter(|s| s.is_due(now % DAY, weekday(now / DAY))) {
                    self.run(*prefecture, policy, &schedule.name, now);
                }
                if paid && policy.events.iter().any(|e| e == "payment-received") {
                    self.run(*prefecture, policy, "", now);
                }
            }
        }
    }

    /// One run. Without a schedule it is one of payments and looks at each payment that waits, of a customer the oldest first.
    fn run(&mut self, prefecture: u32, policy: &Policy, schedule: &str, now: i64) {
        let id = format!("R{}", self.day.runs.len() + 1);
        self.sharing.clear();
        let mut run = Run {
            id,
            prefecture,
            policy: policy.name.clone(),
            schedule: schedule.to_owned(),
            customers: 0,
            decided: 0,
            queued: 0,
            held: BTreeMap::new(),
        };
        for at in 0..self.customers.len() {
            if self.customers[at].prefecture != prefecture {
                continue;
            }
            run.customers += 1;
            if !schedule.is_empty() {
                self.look(&mut run, policy, at, now);
                continue;
            }
            for payment in std::mem::take(&mut self.customers[at].waiting) {
                let latest = self.customers[at].paid.replace(payment);
                self.look(&mut run, policy, at, now);
                let told = self.customers[at].paid;
                self.customers[at].paid =
                    if latest.is_some_and(|l| l.number == payment.number) { told } else { latest };
            }
        }
        let most = policy.ceiling.min(self.inputs.province.blast_radius.floor);
        assert!(run.queued <= most as u64, "{}: this code does not compare the sizes of runs", run.id);
        self.day.runs.push(run);
    }

    /// What a run makes of one customer.
    fn look(&mut self, run: &mut Run, policy: &Policy, at: usize, now: i64) {
        let Some(choice) = choose(policy, &self.customers[at], now / DAY, &self.inputs.calendar) else { return };
        run.decided += 1;
        let outcome = self.judge(policy, at, &choice, now);
        let message = match outcome {
            Ok((goes, expires, counts)) => {
                run.queued += 1;
                self.queue(run, policy, at, &choice, (goes, expires, counts))
            }
            Err(why) => {
                *run.held.entry(why.to_owned()).or_default() += 1;
                String::new()
            }
        };
        self.day.decisions.push(Decision::from([
            ("run", run.id.clone()),
            ("prefecture", run.prefecture.to_string()),
            ("policy", policy.name.clone()),
            ("schedule", run.schedule.clone()),
            ("now", show(now)),
            ("account", self.customers[at].account.clone()),
            ("notice", choice.notice.to_owned()),
            ("step", choice.step.to_string()),
            ("reason", choice.reason.to_owned()),
            ("arg0", choice.args[0].to_string()),
            ("arg1", choice.args[1].to_string()),
            ("held", outcome.err().unwrap_or_default().to_owned()),
            ("message", message),
        ]));
    }

    /// The guardrails, the caps last: when it goes and until when, and whether it counts for its number.
    fn judge(
        &mut self,
        policy: &Policy,
        at: usize,
        choice: &Choice,
        now: i64,
    ) -> Result<(i64, i64, bool), &'static str> {
        let (goes, expires) = check(self.inputs, policy, &mut self.customers[at], choice, now)?;
        let class_name = &self.inputs.province.topic[&policy.topic].class;
        let class = &self.inputs.province.class[class_name];
        let lower = |a: Option<u32>, b: Option<u32>| a.into_iter().chain(b).min().unwrap_or(u32::MAX);
        let Contact::Mobile { number, .. } = &self.customers[at].contact else { panic!("checked above") };
        let to_customer = self.to_customer.entry((class_name.clone(), goes / DAY, at)).or_default();
        if *to_customer >= lower(policy.caps.per_customer, class.per_customer) {
            return Err("customer-cap");
        }
        let to_phone = self.to_phone.entry((class_name.clone(), goes / DAY, number.clone())).or_default();
        // Accounts that one message tells count once for their number.
        let shares = shared(self.inputs, &policy.topic, &self.customers[at], choice);
        let with = shares.map(|text| self.sharing.entry((number.clone(), goes, text)).or_default());
        let counts = with.as_ref().is_none_or(|with| **with == 0 || **with == TOGETHER);
        if counts && *to_phone >= lower(policy.caps.per_phone, class.per_phone) {
            return Err("phone-cap");
        }
        if let Some(with) = with {
            *with = if counts { 1 } else { *with + 1 };
        }
        *to_customer += 1;
        *to_phone += u32::from(counts);
        Ok((goes, expires, counts))
    }

    fn queue(&mut self, run: &Run, policy: &Policy, at: usize, choice: &Choice, times: (i64, i64, bool)) -> String {
        let (goes, expires, counts) = times;
        let customer = &mut self.customers[at];
        let words = text(self.inputs, &policy.topic, customer, choice);
        let shared = shared(self.inputs, &policy.topic, customer, choice);
        let Contact::Mobile { number, carrier } = customer.contact.clone() else { panic!("checked before") };
        let queued = Queued { key: customer.key(&policy.topic), stated: customer.stated(&policy.topic).0 };
        let said = customer.said(&policy.topic);
        let said_before = std::mem::replace(said, choice.step.max(*said));
        if policy.topic == "balance-warning" {
            customer.warned_below = policy.number("threshold");
        }
        let last = self.numbers.entry(run.prefecture).or_default();
        *last += 1;
        let id = format!("{}-{last}", run.prefecture);
        let count = parts(&words);
        let row = BTreeMap::from([
            ("message", id.clone()),
            ("run", run.id.clone()),
            ("account", customer.account.clone()),
            ("phone", number),
            ("channel", "sms".to_owned()),
            ("send_after", show(goes)),
            ("expires", show(expires)),
            ("parts", count.to_string()),
            ("cost_milli_fen", (count as i64 * policy.cost_per_part_milli_fen).to_string()),
            ("cancelled_because", String::new()),
            ("link", link(&carrier).to_owned()),
            ("maybe_twice", "false".to_owned()),
            ("text", words),
            ("told_by", String::new()),
            ("told_text", String::new()),
        ]);
        self.day.messages.push(Message {
            row,
            customer: at,
            topic: policy.topic.clone(),
            policy: (run.prefecture, policy.name.clone()),
            queued,
            step: choice.step,
            said_before,
            goes,
            expires,
            done: false,
            shared,
            amount: choice.args[0],
            counts,
        });
        id
    }

    /// Messages whose time has come: facts are checked once more, and who paid since hears nothing. Those to one number that may share a text leave as
    /// one, the first of them for the others.
    fn send(&mut self, now: i64) {
        let mut leaving: BTreeMap<(u32, String, String), Vec<usize>> = BTreeMap::new();
        for at in 0..self.day.messages.len() {
            let message = &mut self.day.messages[at];
            if message.done || message.goes > now {
                continue;
            }
            message.done = true;
            assert!(now < message.expires, "messages go at once when their window opens");
            let policies = &self.inputs.policies[&message.policy.0];
            let policy = policies.iter().find(|p| p.name == message.policy.1).expect("it was run");
            assert_eq!(next(self.inputs, policy, now), Some(now), "its window is open");
            let customer = &mut self.customers[message.customer];
            let Err(why) = check_again(self.inputs, &message.topic, customer, &message.queued, now) else {
                if let Some(text) = &message.shared {
                    let key = (message.policy.0, message.row["phone"].clone(), text.clone());
                    leaving.entry(key).or_default().push(at);
                }
                continue;
            };
            message.row.insert("cancelled_because", why.to_owned());
            message.row.insert("link", String::new());
            // It was not said after all, and does not count.
            if customer.key(&message.topic) == message.queued.key && *customer.said(&message.topic) == message.step {
                *customer.said(&message.topic) = message.said_before;
            }
            let class = &self.inputs.province.topic[&message.topic].class;
            let day = message.goes / DAY;
            *self.to_customer.entry((class.clone(), day, message.customer)).or_default() -= 1;
            let class = class.clone();
            self.uncount(at, class, day);
        }
        for ((_, _, text), alike) in leaving {
            alike.chunks(TOGETHER).for_each(|some| self.together(&text, some));
        }
    }

    /// A message that does not go counts for its number no more, unless another takes its place.
    fn uncount(&mut self, at: usize, class: String, day: i64) {
        let messages = &mut self.day.messages;
        if !std::mem::replace(&mut messages[at].counts, false) {
            return;
        }
        let of = |m: &Message| (m.policy.0, m.row["phone"].clone(), m.topic.clone(), m.goes / DAY);
        let (its, phone) = (of(&messages[at]), messages[at].row["phone"].clone());
        let rides = |m: &&mut Message| !m.counts && m.row["cancelled_because"].is_empty();
        match messages.iter_mut().filter(rides).find(|m| of(m) == its) {
            Some(heir) => heir.counts = true,
            None => *self.to_phone.entry((class, day, phone)).or_default() -= 1,
        }
    }

    /// These leave as one, where that takes no more parts than they would take by themselves.
    fn together(&mut self, shared: &str, alike: &[usize]) {
        let sum = alike.iter().map(|at| self.day.messages[*at].amount).sum();
        let alone: usize = alike.iter().map(|at| parts(&self.day.messages[*at].row["text"])).sum();
        let text = together(shared, alike.len(), sum);
        if alike.len() < 2 || parts(&text) > alone {
            return;
        }
        let bearer = self.day.messages[alike[0]].row["message"].clone();
        for at in alike {
            let row = &mut self.day.messages[*at].row;
            row.insert("told_by", bearer.clone());
            row.insert("told_text", text.clone());
        }
    }
}
