//! What the province sets, as files that people edit: rules, calendar, number segments and the org tree. Each is checked as a whole, its difference
//! can be looked at first, and it is in force from the next run on. A bad file leaves the old one in force.

use std::collections::BTreeMap;

use gridbell_model::{Carrier, OrgCode, OrgLevel, OrgTree, OrgUnit, Segments};
use gridbell_planner::{Calendar, Change, Problem, Problems, ProvinceRules, check_policies, diff_values};
use gridbell_state::{DocChange, State};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::documents::{self, PROVINCE, note};
use crate::error::HostError;
use crate::host::Host;
use crate::proposals::Beside;
use crate::settings::{CALENDAR, RULES, SEGMENTS, read_segments};

/// Units of an org tree at most: a province has thousands.
pub const MAX_ORG_UNITS: usize = 20_000;
/// Differences that are listed at most.
pub const MAX_CHANGES: usize = 500;
/// Longest name of a unit, in characters.
const MAX_UNIT_NAME: usize = 60;

/// The document whose version counts changes of the org tree; the tree itself is the state's own.
const ORG: &str = "org";
/// The rules as the file has them: comments are worth keeping.
const RULES_TEXT: &str = "rules-text";

/// Which of the province's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProvinceFile {
    /// Topics, classes, quiet hours, caps: TOML.
    Rules,
    /// Days off and worked weekends: TOML.
    Calendar,
    /// Which carrier was given which numbers: TOML.
    Segments,
    /// Org units: a JSON list.
    OrgUnits,
}

impl ProvinceFile {
    /// The document whose version is the file's.
    fn key(self) -> &'static str {
        match self {
            Self::Rules => RULES,
            Self::Calendar => CALENDAR,
            Self::Segments => SEGMENTS,
            Self::OrgUnits => ORG,
        }
    }

    /// What it is called where nobody says.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Rules => "province.toml",
            Self::Calendar => "calendar.toml",
            Self::Segments => "segments.toml",
            Self::OrgUnits => "org.json",
        }
    }
}

/// A file that is to replace one of the province's.
#[derive(Clone, Debug)]
pub struct ProvinceProposal {
    /// Which.
    pub file: ProvinceFile,
    /// What its sender calls it, for errors.
    pub document: String,
    /// Its text.
    pub text: String,
    /// The version that the caller has read; none for any.
    pub expected: Option<u64>,
    /// Who.
    pub who: String,
    /// Only say what would change.
    pub dry_run: bool,
}

/// What a proposal comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvinceOutcome {
    /// The differences, at most [`MAX_CHANGES`].
    pub changes: Vec<Change>,
    /// How many more there are.
    pub more: usize,
    /// The version in force afterwards.
    pub version: u64,
}

/// A file that was read and found right, before it is compared with what is in force.
#[derive(Clone, Debug)]
pub enum ProvinceValue {
    /// The rules.
    Rules(Box<ProvinceRules>),
    /// The calendar.
    Calendar(Calendar),
    /// The segments.
    Segments(Box<Segments>),
    /// The org tree.
    OrgUnits(OrgTree),
}

impl ProvinceValue {
    /// Reads `text` as the file `document`.
    ///
    /// # Errors
    /// With every mistake, its line and its field.
    pub fn read(file: ProvinceFile, document: &str, text: &str) -> Result<Self, HostError> {
        Ok(match file {
            ProvinceFile::Rules => Self::Rules(Box::new(ProvinceRules::parse(document, text)?)),
            ProvinceFile::Calendar => Self::Calendar(Calendar::parse(document, text)?),
            ProvinceFile::Segments => Self::Segments(Box::new(read_segments(text)?)),
            ProvinceFile::OrgUnits => Self::OrgUnits(read_org(document, text)?),
        })
    }

    /// As the difference compares it.
    fn value(&self) -> Value {
        let json = |v: Result<Value, serde_json::Error>| v.unwrap_or_default();
        match self {
            Self::Rules(rules) => json(serde_json::to_value(rules)),
            Self::Calendar(calendar) => json(serde_json::to_value(calendar)),
            Self::Segments(segments) => segment_table(segments),
            Self::OrgUnits(tree) => {
                tree.iter().map(|u| (u.code.to_string(), unit_value(u))).collect::<Map<_, _>>().into()
            }
        }
    }
}

/// Checks `proposal` and what `more` finds besides, compares it with what is in force and, but for a dry run, puts it in force with its audit note.
///
/// # Errors
/// With every problem; or [`gridbell_state::StateError::Conflict`] when somebody was faster. What is in force stays.
pub async fn apply_province(
    state: &State,
    proposal: &ProvinceProposal,
    more: impl FnOnce(&ProvinceValue) -> Vec<Problem> + Send,
) -> Result<ProvinceOutcome, HostError> {
    apply_beside(state, proposal, Beside::default(), more).await
}

async fn apply_beside(
    state: &State,
    proposal: &ProvinceProposal,
    beside: Beside,
    more: impl FnOnce(&ProvinceValue) -> Vec<Problem> + Send,
) -> Result<ProvinceOutcome, HostError> {
    let (file, key) = (proposal.file, proposal.file.key());
    let value = ProvinceValue::read(file, &proposal.document, &proposal.text)?;
    Problems::refuse(&proposal.document, more(&value))?;
    let old = in_force(state, file)?;
    let (changes, rest) = diff_values(old.as_ref().map(ProvinceValue::value).as_ref(), &value.value(), MAX_CHANGES);
    let version = state.doc(PROVINCE, key).map_or(0, |d| d.version);
    if let Some(expected) = proposal.expected.filter(|e| *e != version) {
        return Err(gridbell_state::StateError::Conflict {
            key: format!("{PROVINCE}/{key}"),
            expected,
            found: version,
        }
        .into());
    }
    // A file whose comments alone are new is worth keeping, too.
    let same_text = text_in_force(state, file).is_some_and(|t| t == proposal.text);
    if proposal.dry_run || changes.is_empty() && (old.is_some() && file == ProvinceFile::OrgUnits || same_text) {
        return Ok(ProvinceOutcome { changes, more: rest, version });
    }
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let mut audit = vec![note(
        &proposal.who,
        &format!("{key}.apply"),
        &format!("{PROVINCE}/{key}"),
        json!({ "document": proposal.document, "changes": told, "more": rest }),
    )];
    audit.extend(beside.audit);
    let expected = Some(version);
    match value {
        ProvinceValue::Rules(rules) => {
            let mut docs = vec![
                documents::put(PROVINCE, RULES, &*rules, expected)?,
                documents::put(PROVINCE, RULES_TEXT, &proposal.text, None)?,
            ];
            docs.extend(beside.docs);
            state.put_docs(docs, audit).await?;
        }
        ProvinceValue::Calendar(_) | ProvinceValue::Segments(_) => {
            let mut docs = vec![documents::put(PROVINCE, key, &proposal.text, expected)?];
            docs.extend(beside.docs);
            state.put_docs(docs, audit).await?;
        }
        ProvinceValue::OrgUnits(tree) => {
            let mut docs: Vec<DocChange> = vec![documents::put(PROVINCE, ORG, &tree.iter().count(), expected)?];
            docs.extend(beside.docs);
            state.set_org_with(tree, docs, audit).await?;
        }
    }
    let version = state.doc(PROVINCE, key).map_or(0, |d| d.version);
    Ok(ProvinceOutcome { changes, more: rest, version })
}

fn in_force(state: &State, file: ProvinceFile) -> Result<Option<ProvinceValue>, HostError> {
    let text = || documents::read::<String>(state, PROVINCE, file.key());
    Ok(match file {
        ProvinceFile::Rules => {
            documents::read(state, PROVINCE, RULES)?.map(|(_, rules)| ProvinceValue::Rules(Box::new(rules)))
        }
        ProvinceFile::Calendar => {
            text()?.map(|(_, t)| Calendar::parse(CALENDAR, &t).map(ProvinceValue::Calendar)).transpose()?
        }
        ProvinceFile::Segments => {
            text()?.map(|(_, t)| read_segments(&t).map(|s| ProvinceValue::Segments(Box::new(s)))).transpose()?
        }
        ProvinceFile::OrgUnits => Some(ProvinceValue::OrgUnits((*state.org()).clone())),
    })
}

fn text_in_force(state: &State, file: ProvinceFile) -> Option<String> {
    let key = if file == ProvinceFile::Rules { RULES_TEXT } else { file.key() };
    documents::read::<String>(state, PROVINCE, key).ok()?.map(|(_, text)| text)
}

/// The text of one of the province's TOML files as it was applied, and its version; none where there is none.
///
/// # Errors
/// When what is stored cannot be read.
pub fn province_text(state: &State, file: ProvinceFile) -> Result<Option<(String, u64)>, HostError> {
    let Some(version) = state.doc(PROVINCE, file.key()).map(|d| d.version) else { return Ok(None) };
    if let Some(text) = text_in_force(state, file) {
        return Ok(Some((text, version)));
    }
    let why = "the file as it was applied is not kept by the version that applied it; apply it once more";
    Err(HostError::Refused(why.to_owned()))
}

/// The version of the org tree: how often it was replaced.
#[must_use]
pub fn org_version(state: &State) -> u64 {
    state.doc(PROVINCE, ORG).map_or(0, |d| d.version)
}

impl Host {
    /// Applies one of the province's files; it is in force from the next run and the next look before a submit on.
    ///
    /// # Errors
    /// With every problem, its line and its field: those of the file, and those that it would make for policies in force and for customers.
    pub async fn apply_province(&self, proposal: &ProvinceProposal) -> Result<ProvinceOutcome, HostError> {
        self.apply_province_beside(proposal, Beside::default()).await
    }

    pub(crate) async fn apply_province_beside(
        &self,
        proposal: &ProvinceProposal,
        beside: Beside,
    ) -> Result<ProvinceOutcome, HostError> {
        let org_changes = matches!(proposal.file, ProvinceFile::OrgUnits);
        // Looking for customers whose station would vanish reads columns: not on the runtime's threads.
        let used = if org_changes { self.stations_used().await? } else { BTreeMap::new() };
        let more = |value: &ProvinceValue| match value {
            ProvinceValue::Rules(rules) => self.policies_against(rules),
            ProvinceValue::OrgUnits(tree) => [orphans(tree, &used), self.scopes_against(tree)].concat(),
            ProvinceValue::Calendar(_) | ProvinceValue::Segments(_) => Vec::new(),
        };
        let outcome = apply_beside(self.state(), proposal, beside, more).await?;
        if !proposal.dry_run {
            self.reload_settings()?;
        }
        Ok(outcome)
    }

    /// What policies in force could not live with under `rules`.
    fn policies_against(&self, rules: &ProvinceRules) -> Vec<Problem> {
        let mut list = Vec::new();
        for (prefecture, set) in self.policies_by_prefecture() {
            for problem in check_policies(&set, &*self.catalog(), rules) {
                let field = format!("policies of {prefecture}, {}", problem.field);
                list.push(Problem { place: None, field, message: problem.message });
            }
        }
        list
    }

    /// Policies in force whose unit would vanish.
    fn scopes_against(&self, tree: &OrgTree) -> Vec<Problem> {
        let mut list = Vec::new();
        for (prefecture, set) in self.policies_by_prefecture() {
            for policy in &set.policies {
                list.extend(policy.scope.and_then(|unit| scope_problem(tree, prefecture, unit)).map(|message| {
                    Problem {
                        place: None,
                        field: format!("policies of {prefecture}, policy `{}`, scope", policy.name),
                        message,
                    }
                }));
            }
        }
        list
    }

    /// The stations on which customers hang, with how many, by prefecture.
    async fn stations_used(&self) -> Result<BTreeMap<(u32, OrgCode), u64>, HostError> {
        let state = self.state().clone();
        let work = move || {
            let mut used = BTreeMap::new();
            for prefecture in state.prefectures().into_keys() {
                let Some(snapshot) = state.snapshot(prefecture) else { continue };
                let mut stations = Vec::new();
                // Asked once for each pair of station and section that has customers.
                snapshot.select(|station, _| {
                    stations.push(station);
                    false
                });
                stations.into_iter().for_each(|s| *used.entry((prefecture.0, s)).or_default() += 1);
            }
            used
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }
}

/// Why `unit` cannot be the unit of one of `prefecture`'s policies; none if it can.
pub(crate) fn scope_problem(
    tree: &OrgTree,
    prefecture: gridbell_model::PrefectureCode,
    unit: OrgCode,
) -> Option<String> {
    if tree.is_within(unit, prefecture.org()) {
        return None;
    }
    Some(match tree.get(unit) {
        Some(found) => {
            format!("`{unit}` ({}) does not lie in prefecture `{prefecture}` (单位不属于该地市)", found.name)
        }
        None => format!("there is no org unit `{unit}` (没有这个供电单位)"),
    })
}

/// Stations with customers that `tree` does not have, or has in another prefecture.
fn orphans(tree: &OrgTree, used: &BTreeMap<(u32, OrgCode), u64>) -> Vec<Problem> {
    let lost =
        used.keys().filter(|(prefecture, station)| tree.prefecture_of(*station).is_none_or(|p| p.0 != *prefecture));
    lost.map(|(prefecture, station)| Problem {
        place: None,
        field: format!("units/{station}"),
        message: format!(
            "customers of prefecture `{prefecture:06}` hang on station `{station}`: it must stay there (该供电所仍有用户)"
        ),
    })
    .collect()
}

/// Reads a list of units; each mistake is told with the unit's place in the list.
fn read_org(document: &str, text: &str) -> Result<OrgTree, HostError> {
    let units: Vec<OrgUnit> = serde_json::from_str(text).map_err(|e| {
        let place = gridbell_planner::Place {
            line: u32::try_from(e.line()).unwrap_or(u32::MAX),
            column: u32::try_from(e.column()).unwrap_or(u32::MAX),
        };
        let said = e.to_string();
        let what = said.split(" at line ").next().unwrap_or_default();
        let message = format!("{what}; the file is a list of units with code, parent, level and name");
        Problems {
            document: document.to_owned(),
            list: vec![Problem { place: Some(place), field: String::new(), message }],
        }
    })?;
    let mut tree = OrgTree::default();
    let mut list = Vec::new();
    let mut wrong = |at: usize, field: &str, message: String| {
        list.push(Problem { place: None, field: format!("units/{at}/{field}"), message });
    };
    if units.is_empty() || units.len() > MAX_ORG_UNITS {
        wrong(0, "code", format!("a tree has 1 to {MAX_ORG_UNITS} units, this has {}", units.len()));
    }
    for (at, unit) in units.iter().enumerate() {
        if tree.get(unit.code).is_some() {
            wrong(at, "code", format!("`{}` is listed twice", unit.code));
        }
        tree.insert(unit.clone());
    }
    for (at, unit) in units.iter().enumerate() {
        if !(10..=999_999_999).contains(&unit.code.0) {
            wrong(at, "code", format!("`{}` is not a unit's code: 2 to 9 digits", unit.code));
        }
        let name = unit.name.trim();
        if name.is_empty() || name.chars().count() > MAX_UNIT_NAME || name.chars().any(char::is_control) {
            wrong(at, "name", format!("a name has 1 to {MAX_UNIT_NAME} characters"));
        }
        if let Err((field, message)) = place_of(&tree, unit) {
            wrong(at, field, message);
        }
    }
    Problems::refuse(document, list)?;
    Ok(tree)
}

/// Whether a unit stands where its level may stand.
fn place_of(tree: &OrgTree, unit: &OrgUnit) -> Result<(), (&'static str, String)> {
    let Some(parent) = unit.parent else {
        if unit.level == OrgLevel::Province {
            return Ok(());
        }
        return Err(("parent", format!("`{}` is no province and hangs on nothing: name its parent", unit.code)));
    };
    let Some(above) = tree.get(parent) else {
        return Err(("parent", format!("there is no unit `{parent}` in the list")));
    };
    let root = tree.chain(unit.code).last();
    if root.is_none_or(|r| r.parent.is_some()) {
        let most = OrgTree::MAX_DEPTH;
        return Err(("parent", format!("`{}` hangs on itself, or lies deeper than {most} levels", unit.code)));
    }
    let fits = match unit.level {
        OrgLevel::Province => false,
        OrgLevel::Prefecture => above.level == OrgLevel::Province,
        // An office may have offices under it; it never lies above its own kind.
        OrgLevel::County => matches!(above.level, OrgLevel::Prefecture | OrgLevel::County),
        OrgLevel::Station => above.level != OrgLevel::Province,
    };
    if fits {
        return Ok(());
    }
    Err(("level", format!("a {} cannot hang on a {} (`{parent}`)", word(unit.level), word(above.level))))
}

fn word(level: OrgLevel) -> &'static str {
    match level {
        OrgLevel::Province => "province",
        OrgLevel::Prefecture => "prefecture",
        OrgLevel::County => "county",
        OrgLevel::Station => "station",
    }
}

fn unit_value(unit: &OrgUnit) -> Value {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        level: OrgLevel,
        parent: Option<OrgCode>,
    }
    serde_json::to_value(Shown { name: &unit.name, level: unit.level, parent: unit.parent }).unwrap_or_default()
}

/// Segments by their first three digits, or four where carriers share three.
fn segment_table(segments: &Segments) -> Value {
    let given = |four: u32| segments.carrier_of(u64::from(four) * 10_000_000);
    let mut table = Map::new();
    let mut put = |prefix: u32, carrier: Option<Carrier>| {
        table.extend(carrier.map(|c| (prefix.to_string(), Value::from(c.to_string()))));
    };
    for three in 130..200 {
        let first = given(three * 10);
        if (0..10).all(|n| given(three * 10 + n) == first) {
            put(three, first);
        } else {
            (0..10).for_each(|n| put(three * 10 + n, given(three * 10 + n)));
        }
    }
    json!({ "segments": table })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG_JSON: &str = r#"[{"code":14,"parent":null,"level":"province","name":"山西"},
 {"code":140100,"parent":14,"level":"prefecture","name":"太原"},
 {"code":140105,"parent":140100,"level":"county","name":"小店"},
 {"code":14010501,"parent":140105,"level":"station","name":"小店所"}]"#;

    fn wrong(text: &str) -> String {
        ProvinceValue::read(ProvinceFile::OrgUnits, "org.json", text).unwrap_err().to_string()
    }

    #[test]
    fn a_tree_is_read_and_its_mistakes_are_told_with_their_place() {
        let read = ProvinceValue::read(ProvinceFile::OrgUnits, "org.json", ORG_JSON).unwrap();
        assert_eq!(read.value()["140105"]["name"], "小店");
        assert!(wrong("[\n{\"code\": \"x\"}]").starts_with("org.json:2:"), "the line of the mistake");
        for (from, to, says) in [
            ("\"parent\":140105", "\"parent\":140999", "units/3/parent: there is no unit `140999`"),
            ("\"parent\":140100", "\"parent\":14010501", "hangs on itself"),
            ("\"code\":14010501", "\"code\":140105", "listed twice"),
            ("\"level\":\"county\"", "\"level\":\"prefecture\"", "cannot hang on a prefecture"),
            ("小店所", "", "units/3/name"),
            ("\"parent\":null,\"level\":\"province\"", "\"parent\":null,\"level\":\"county\"", "name its parent"),
        ] {
            let said = wrong(&ORG_JSON.replace(from, to));
            assert!(said.contains(says), "{says}: {said}");
        }
        assert!(wrong("[]").contains("1 to"));
    }

    #[test]
    fn customers_keep_their_station_and_segments_compare_by_prefix() {
        let ProvinceValue::OrgUnits(tree) = ProvinceValue::read(ProvinceFile::OrgUnits, "o", ORG_JSON).unwrap() else {
            unreachable!("org units were read")
        };
        let used = BTreeMap::from([((140_100, OrgCode(14_010_501)), 1), ((140_100, OrgCode(14_010_502)), 2)]);
        let lost = orphans(&tree, &used);
        assert_eq!(lost.len(), 1);
        assert!(lost[0].message.contains("14010502"));
        let read = |text: &str| ProvinceValue::read(ProvinceFile::Segments, "s", text).unwrap().value();
        let old = read("[[carrier]]\nname = \"mobile\"\nsegments = [134, 1703]");
        let new =
            read("[[carrier]]\nname = \"mobile\"\nsegments = [1703]\n[[carrier]]\nname = \"unicom\"\nsegments = [134]");
        let (changes, more) = diff_values(Some(&old), &new, 10);
        assert_eq!((changes.len(), more), (1, 0));
        assert_eq!((changes[0].path.as_str(), changes[0].to.as_deref()), ("segments.134", Some("unicom")));
    }
}
