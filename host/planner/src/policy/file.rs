//! A prefecture's policies as a TOML file: read with places, so that every mistake is told with its line. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use gridbell_model::{Lane, OrgCode, PrefectureCode};
use serde_json::{Map, Value};

use super::{
    Caps, Event, Hop, MAX_ENTRIES, MAX_POLICIES, OnFailure, Plugins, Policy, PolicySet, Schedule, SendDays, check,
};
use crate::error::{Place, Problems};
use crate::read::{Document, Fields, Item};
use crate::rules::{MAX_COUNT, MAX_DAYS, MAX_MINUTES, ProvinceRules};

/// A policy file as it was read: the policies, and where in the file each thing stands.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The file's name, for messages.
    pub document: String,
    /// What it proposes.
    pub set: PolicySet,
    places: Places,
}

/// Where fields stand: by policy, then by JSON pointer.
type Places = Vec<BTreeMap<String, Place>>;

impl PolicyFile {
    /// Reads the file `document` with the content `text`. Checks everything but what the plugins must say: see [`PolicyFile::check`].
    ///
    /// # Errors
    /// With all mistakes, each with line, column and field.
    pub fn parse(document: &str, text: &str) -> Result<Self, Problems> {
        let doc = Document::new(text);
        let read = doc.parse();
        let set = read.as_ref().and_then(|root| read_set(&doc, Fields::new(&doc, "", root.span(), root.get_ref())));
        let (set, places) = doc.finish(document, set)?;
        Ok(Self { document: document.to_owned(), set, places })
    }

    /// Where the field at `pointer` of policy number `policy` stands.
    #[must_use]
    pub fn place(&self, policy: usize, pointer: &str) -> Option<crate::error::Place> {
        nearest_place(self.places.get(policy)?, pointer)
    }

    /// Checks the policies against the plugins' manifests and the province's rules.
    ///
    /// # Errors
    /// With all mistakes, parameters with the words of the plugin's schema, each at the line of the parameter.
    pub fn check(&self, plugins: &dyn Plugins, rules: &ProvinceRules) -> Result<(), Problems> {
        let mut list = Vec::new();
        for (policy, places) in self.set.policies.iter().zip(&self.places) {
            for mut problem in check(policy, plugins, rules) {
                problem.place = nearest_place(places, &pointer_of(&problem.field));
                problem.field = named(&policy.name, &problem.field);
                list.push(problem);
            }
        }
        Problems::refuse(&self.document, list)
    }
}

/// A problem's field with the policy that it is in.
pub(super) fn named(policy: &str, field: &str) -> String {
    if field.is_empty() { format!("policy `{policy}`") } else { format!("policy `{policy}`, {field}") }
}

/// `routes.default[0]` as `/routes/default/0`: fields are written for people, places are kept by pointer.
fn pointer_of(field: &str) -> String {
    if let Some(rest) = field.strip_prefix("parameters/") {
        return format!("/parameters/{rest}");
    }
    let mut pointer = String::new();
    for part in field.split(['.', '[', ']']).filter(|p| !p.is_empty()) {
        pointer.push('/');
        pointer.push_str(part);
    }
    pointer
}

/// The place of `pointer`, or of what is around it where a thing is missing.
fn nearest_place(places: &BTreeMap<String, Place>, pointer: &str) -> Option<Place> {
    let mut pointer = pointer;
    loop {
        if let Some(place) = places.get(pointer) {
            return Some(*place);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}

fn read_set<'a>(doc: &Document<'a>, mut root: Fields<'_, 'a>) -> Option<(PolicySet, Places)> {
    let prefecture = root.required("prefecture").and_then(|i| i.integer::<u32>(100_000..=999_999));
    let name = root.required("name").and_then(|i| i.short_text(40));
    let items = root.required("policy").map(|i| i.list(MAX_POLICIES)).unwrap_or_default();
    root.finish();
    let mut names = BTreeSet::new();
    let mut policies = Vec::new();
    let mut places = Vec::new();
    for item in &items {
        let Some(policy) = item.fields().and_then(read_policy) else { continue };
        if !names.insert(policy.name.clone()) {
            doc.note(
                Some(item.span()),
                &item.path,
                format!("a second policy is called `{}`: names are unique", policy.name),
            );
        }
        policies.push(policy);
        places.push(item.pointers().into_iter().map(|(p, place)| (translate(&p), place)).collect());
    }
    Some((PolicySet { prefecture: PrefectureCode(prefecture?), name: name?, policies }, places))
}

/// The file says `schedule` where the document says `schedules`, since each `[[policy.schedule]]` is one.
fn translate(pointer: &str) -> String {
    match pointer.strip_prefix("/schedule") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/schedules{rest}"),
        _ => pointer.to_owned(),
    }
}

fn read_policy(mut f: Fields<'_, '_>) -> Option<Policy> {
    let name = f.required("name").and_then(|i| kebab(&i));
    let title = f.required("title").and_then(|i| i.short_text(40));
    let plugin = f.required("plugin").and_then(|i| kebab(&i));
    let version = f.required("version").and_then(|i| version_req(&i));
    let topic = f.required("topic").and_then(|i| i.parsed());
    let enabled = f.optional("enabled").map_or(Some(true), |i| i.boolean());
    let scope = f.optional("scope").and_then(|i| i.integer(1..=999_999_999)).map(OrgCode);
    let parameters = f.required("parameters").and_then(|i| object(&i));
    let (schedule_item, events_item) = (f.optional("schedule"), f.optional("events"));
    if schedule_item.is_none() && events_item.is_none() {
        f.note("nothing ever runs this policy: give it a `[[policy.schedule]]` or `events`");
    }
    let schedules = schedule_item.map(|i| read_schedules(&i)).unwrap_or_default();
    let events = events_item.map(|i| read_events(&i)).unwrap_or_default();
    let windows = f.optional("windows").map(|i| read_windows(&i)).unwrap_or_default();
    let days = f.optional("days").map_or(Some(SendDays::All), |i| send_days(&i));
    let caps = f.optional("caps").and_then(|i| i.fields()).map(read_caps).unwrap_or_default();
    let validity_minutes = f.optional("validity_minutes").and_then(|i| i.integer(1..=i64::from(MAX_MINUTES)));
    let freshness_days = f.optional("freshness_days").and_then(|i| i.integer(0..=i64::from(MAX_DAYS)));
    let cost = f.required("cost_per_part_milli_fen").and_then(|i| i.integer(0..=1_000_000));
    let routes = f.required("routes").and_then(|i| i.fields()).map(read_routes);
    let ceiling = f.optional("ceiling").and_then(|i| i.integer(1..=i64::from(u32::MAX)));
    let lane = f.optional("lane").map_or(Some(Lane::Bulk), |i| i.parsed());
    let on_failure = f.optional("on_failure").map_or(Some(OnFailure::Stop), |i| i.parsed());
    f.finish();
    Some(Policy {
        name: name?,
        title: title?,
        plugin: plugin?,
        version: version?,
        topic: topic?,
        enabled: enabled?,
        scope,
        parameters: parameters?,
        schedules,
        events,
        windows,
        days: days?,
        caps,
        validity_minutes,
        freshness_days,
        cost_per_part_milli_fen: cost?,
        routes: routes?,
        ceiling,
        lane: lane?,
        on_failure: on_failure?,
    })
}

fn kebab(item: &Item<'_, '_>) -> Option<String> {
    let text = item.short_text(63)?;
    let right = is_kebab(&text);
    if !right {
        item.note(format!("`{text}` is not a name: use lower-case letters, digits and hyphens, a letter first"));
    }
    right.then_some(text)
}

/// Whether `text` is a name as the manifest's schema wants it.
pub(super) fn is_kebab(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn version_req(item: &Item<'_, '_>) -> Option<semver::VersionReq> {
    let text = item.text()?;
    let req = text.parse();
    if let Err(e) = &req {
        item.note(format!("`{text}` is not a version: {e}; write `=0.1.0` for exactly one, `0.1` for compatible ones"));
    }
    req.ok()
}

fn object(item: &Item<'_, '_>) -> Option<Map<String, Value>> {
    item.fields()?;
    match item.json() {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn read_schedules(item: &Item<'_, '_>) -> Vec<Schedule> {
    let mut names = BTreeSet::new();
    let read = |entry: Item<'_, '_>| {
        let mut f = entry.fields()?;
        let name = f.required("name").and_then(|i| kebab(&i));
        let cron = f.required("cron").and_then(|i| i.parsed());
        let catch_up = f.optional("catch_up_minutes").map_or(Some(0), |i| i.integer(0..=i64::from(MAX_MINUTES)));
        if name.as_ref().is_some_and(|n| !names.insert(n.clone())) {
            f.note("another schedule of this policy has the same name: names are unique");
        }
        f.finish();
        Some(Schedule { name: name?, cron: cron?, catch_up_minutes: catch_up? })
    };
    item.list(MAX_ENTRIES).into_iter().filter_map(read).collect()
}

fn read_events(item: &Item<'_, '_>) -> Vec<Event> {
    let read = |entry: Item<'_, '_>| {
        let word = entry.text()?;
        let event = Event::ALL.into_iter().find(|e| e.word() == word);
        if event.is_none() {
            let known = Event::ALL.map(Event::word).join(", ");
            entry.note(format!("`{word}` is not an event: use one of {known}"));
        }
        event
    };
    let mut events: Vec<Event> = item.list(MAX_ENTRIES).into_iter().filter_map(read).collect();
    events.sort_unstable();
    events.dedup();
    events
}

fn read_windows(item: &Item<'_, '_>) -> Vec<crate::times::TimeSpan> {
    let read = |entry: Item<'_, '_>| {
        let span: crate::times::TimeSpan = entry.parsed()?;
        if span.wraps() {
            entry.note(format!("`{span}` passes midnight: write it as two windows"));
        }
        (!span.wraps()).then_some(span)
    };
    item.list(MAX_ENTRIES).into_iter().filter_map(read).collect()
}

fn send_days(item: &Item<'_, '_>) -> Option<SendDays> {
    match item.text()?.as_str() {
        "all" => Some(SendDays::All),
        "working" => Some(SendDays::Working),
        other => {
            item.note(format!("`{other}` is not a choice of days: use `all` or `working`"));
            None
        }
    }
}

pub(crate) fn read_caps(mut f: Fields<'_, '_>) -> Caps {
    let mut cap = |name| f.optional(name).and_then(|i| i.integer(1..=i64::from(MAX_COUNT)));
    let caps = Caps { per_customer: cap("per_customer"), per_phone: cap("per_phone") };
    f.finish();
    caps
}

fn read_routes(mut f: Fields<'_, '_>) -> BTreeMap<String, Vec<Hop>> {
    let hop = |entry: Item<'_, '_>| {
        let mut f = entry.fields()?;
        let channel = f.required("channel").and_then(|i| i.parsed());
        let wait = f.optional("wait_minutes").map_or(Some(0), |i| i.integer(0..=i64::from(MAX_MINUTES)));
        f.finish();
        Some(Hop { channel: channel?, wait_minutes: wait? })
    };
    let mut routes = BTreeMap::new();
    for (name, item) in f.all() {
        let entries = item.list(MAX_ENTRIES);
        if !is_kebab(&name) {
            item.note(format!("`{name}` is not a route's name: use lower-case letters, digits and hyphens"));
        }
        if entries.is_empty() {
            item.note("a route needs at least one hop, as `[{ channel = \"sms\" }]`");
        }
        routes.insert(name, entries.into_iter().filter_map(hop).collect());
    }
    routes
}
