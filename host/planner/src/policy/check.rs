//! Checks a policy against its plugin's manifest and the province's rules, whether it came from a file or from a form.

use gridbell_contract::Manifest;
use semver::{Version, VersionReq};

use super::file::{is_kebab, named};
use super::{MAX_ENTRIES, MAX_POLICIES, Policy, PolicySet};
use crate::answers::ANSWERS;
use crate::error::Problem;
use crate::rules::ProvinceRules;
use crate::times::OpenMinutes;

/// The plugins that are there.
pub trait Plugins {
    /// The manifest of the newest version of plugin `name` that fits `version`.
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest>;
    /// The versions of plugin `name` that are there, for the message that says which.
    fn versions(&self, name: &str) -> Vec<Version>;
}

/// What is wrong with `policy`. Fields are the document's, as `routes.default`, and parameters as `parameters/steps/0`; places are left out,
/// [`super::PolicyFile::check`] adds them.
#[must_use]
pub fn check(policy: &Policy, plugins: &dyn Plugins, rules: &ProvinceRules) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    shape(policy, &mut found);
    against_rules(policy, rules, &mut found);
    match plugins.manifest(&policy.plugin, &policy.version) {
        Some(manifest) => against_manifest(policy, manifest, &mut found),
        None => {
            let versions: Vec<String> = plugins.versions(&policy.plugin).iter().map(Version::to_string).collect();
            let (name, version) = (&policy.plugin, &policy.version);
            if versions.is_empty() {
                found.note("plugin", format!("there is no plugin `{name}`: upload it first"));
            } else {
                let there = versions.join(", ");
                found.note("version", format!("no version of `{name}` fits `{version}`: there are {there}"));
            }
        }
    }
    found.0
}

/// What is wrong with `set` as a whole: each of its policies, and that their names are unique. For documents that came from a form or the
/// API; a file's are told with their lines by [`super::PolicyFile::check`].
#[must_use]
pub fn check_set(set: &PolicySet, plugins: &dyn Plugins, rules: &ProvinceRules) -> Vec<Problem> {
    let mut list = Vec::new();
    if set.policies.len() > MAX_POLICIES {
        let message = format!("{} policies, at most {MAX_POLICIES} are allowed", set.policies.len());
        return vec![Problem { place: None, field: "policies".to_owned(), message }];
    }
    for (i, policy) in set.policies.iter().enumerate() {
        if set.policies[..i].iter().any(|p| p.name == policy.name) {
            let message = format!("a second policy is called `{}`: names are unique", policy.name);
            list.push(Problem { place: None, field: format!("policies[{i}].name"), message });
        }
        if policy.name == ANSWERS {
            let message =
                format!("`{ANSWERS}` is how the host's own answers to customers are called: choose another name");
            list.push(Problem { place: None, field: format!("policies[{i}].name"), message });
        }
        for problem in check(policy, plugins, rules) {
            list.push(Problem { field: named(&policy.name, &problem.field), ..problem });
        }
    }
    list
}

struct Found(Vec<Problem>);

impl Found {
    fn note(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { place: None, field: field.into(), message: message.into() });
    }
}

/// What a file's reader has checked already and a form's document has not.
fn shape(policy: &Policy, found: &mut Found) {
    for (field, name) in [("name", &policy.name), ("plugin", &policy.plugin)] {
        if !is_kebab(name) {
            found.note(
                field,
                format!("`{name}` is not a name: use lower-case letters, digits and hyphens, a letter first"),
            );
        }
    }
    if policy.schedules.is_empty() && policy.events.is_empty() {
        found.note("", "nothing ever runs this policy: give it a schedule or events");
    }
    for (field, count) in [
        ("schedules", policy.schedules.len()),
        ("windows", policy.windows.len()),
        ("routes", policy.routes.len()),
        ("events", policy.events.len()),
    ] {
        if count > MAX_ENTRIES {
            found.note(field, format!("this has {count} entries, at most {MAX_ENTRIES} are allowed"));
        }
    }
    for (i, schedule) in policy.schedules.iter().enumerate() {
        if policy.schedules[..i].iter().any(|s| s.name == schedule.name) {
            found.note(
                format!("schedules[{i}].name"),
                "another schedule of this policy has the same name: names are unique",
            );
        }
    }
    for (i, window) in policy.windows.iter().enumerate().filter(|(_, w)| w.wraps()) {
        found.note(format!("windows[{i}]"), format!("`{window}` passes midnight: write it as two windows"));
    }
    for (name, hops) in &policy.routes {
        if hops.is_empty() || hops.len() > MAX_ENTRIES {
            found.note(
                format!("routes.{name}"),
                format!("a route has 1 to {MAX_ENTRIES} hops, this has {}", hops.len()),
            );
        }
    }
}

fn against_rules(policy: &Policy, rules: &ProvinceRules, found: &mut Found) {
    let topic = rules.topic(policy.topic);
    let class = rules.class(topic.class);
    if let Some(quiet) = class.quiet.filter(|q| OpenMinutes::new(&policy.windows, Some(*q)).is_never()) {
        found.note(
            "windows",
            format!("every window lies in the province's quiet hours {quiet}: nothing could ever be sent"),
        );
    }
    match (policy.freshness_days, topic.freshness_days) {
        (Some(own), Some(most)) if own > most => {
            found.note(
                "freshness_days",
                format!("{own} days is older than the province allows for {}: at most {most}", policy.topic),
            );
        }
        _ => {}
    }
}

fn against_manifest(policy: &Policy, manifest: &Manifest, found: &mut Found) {
    if manifest.topic() != policy.topic {
        found.note(
            "topic",
            format!("plugin `{}` decides about {}, not {}", policy.plugin, manifest.topic(), policy.topic),
        );
    }
    if !policy.schedules.is_empty() && !manifest.triggers().contains(&gridbell_contract::trigger::SCHEDULE) {
        found.note("schedules", format!("plugin `{}` does not run by schedule", policy.plugin));
    }
    for (i, event) in policy.events.iter().enumerate().filter(|(_, e)| !manifest.triggers().contains(&e.trigger())) {
        found.note(format!("events[{i}]"), format!("plugin `{}` does not run on {}", policy.plugin, event.word()));
    }
    for route in manifest.routes().iter().filter(|r| !policy.routes.contains_key(*r)) {
        found.note(
            "routes",
            format!("plugin `{}` chooses the route `{route}`: say which channels it tries", policy.plugin),
        );
    }
    for route in policy.routes.keys().filter(|r| !manifest.routes().contains(*r)) {
        let known = manifest.routes().join(", ");
        found.note(
            format!("routes.{route}"),
            format!("plugin `{}` never chooses this route: it knows {known}", policy.plugin),
        );
    }
    let parameters = serde_json::Value::Object(policy.parameters.clone());
    if let Err(errors) = manifest.check_parameters(&parameters) {
        for e in errors {
            let title = e.title.as_ref().map(|t| format!("{t}: ")).unwrap_or_default();
            found.note(format!("parameters{}", e.pointer), format!("{title}{}", e.message));
        }
    }
}
