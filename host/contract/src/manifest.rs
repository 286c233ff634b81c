//! What a plugin says of itself, once, at upload: parsed and checked fully, or refused.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use gridbell_model::{ColumnId, Topic};
use jsonschema::Validator;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ContractError, ParameterError};
use crate::registry::{ColumnDef, Registry, TriggerId};
use crate::{parameters, schema};

/// Longest manifest: twice the longest parameter schema.
pub const MAX_MANIFEST_BYTES: usize = 2 * schema::MAX_SCHEMA_BYTES;

/// Unit of a number that a decision carries for the template.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Money, 1/100 yuan.
    Fen,
    /// Days since 1970-01-01.
    Date,
    /// A number of days.
    Days,
    /// Energy.
    Kwh,
    /// A plain number.
    Count,
    /// Minutes since 1970-01-01T00:00.
    CivilMinute,
}

/// A number that a notice carries for the template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Arg {
    /// Name of the placeholder.
    pub name: String,
    /// What the number means.
    pub unit: Unit,
}

/// Something that a plugin may say. The province's template is chosen by topic, notice and channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Its name within the plugin.
    pub name: String,
    /// What an office reads.
    pub title: String,
    /// What the decision's first number means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg0: Option<Arg>,
    /// What the decision's second number means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg1: Option<Arg>,
}

/// Why a plugin chose or did not choose a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reason {
    /// Its name within the plugin.
    pub name: String,
    /// What an office reads.
    pub title: String,
}

/// A checked manifest. Cheap to clone.
#[derive(Clone)]
pub struct Manifest(Arc<Inner>);

struct Inner {
    name: String,
    version: String,
    description: String,
    topic: Topic,
    triggers: Vec<TriggerId>,
    columns: Vec<ColumnId>,
    parameters: Value,
    notices: Vec<Notice>,
    reasons: Vec<Reason>,
    routes: Vec<String>,
    validator: Validator,
}

#[derive(Deserialize)]
struct Raw {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    topic: String,
    triggers: Vec<String>,
    columns: Vec<String>,
    parameters: Value,
    notices: Vec<Notice>,
    reasons: Vec<Reason>,
    routes: Vec<String>,
}

static SHAPE: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../../../wit/manifest.schema.json");
    let shape: Value =
        serde_json::from_str(text).expect("the manifest's schema is part of the binary; a test parses it");
    schema::options().build(&shape).expect("the manifest's schema is part of the binary; a test compiles it")
});

impl Manifest {
    /// Parses and checks a manifest: shape, names, parameter schema, and that the schema's defaults are themselves valid.
    ///
    /// # Errors
    /// The first thing that is wrong, with its JSON pointer and what to do.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(ContractError::ManifestTooLong { bytes: text.len(), limit: MAX_MANIFEST_BYTES });
        }
        let json: Value = serde_json::from_str(text).map_err(|e| ContractError::ManifestNotJson {
            line: e.line(),
            column: e.column(),
            problem: schema::shorten(&e.to_string()),
        })?;
        if let Some(e) = SHAPE.iter_errors(&json).next() {
            return Err(shape_error(e.instance_path().as_str(), &e.to_string()));
        }
        let raw: Raw = serde_json::from_value(json).map_err(|e| shape_error("", &e.to_string()))?;
        Self::check(raw)
    }

    fn check(raw: Raw) -> Result<Self, ContractError> {
        let topic = Topic::from_str(&raw.topic).map_err(|_| ContractError::UnknownName {
            pointer: "/topic".to_owned(),
            what: "topic",
            name: raw.topic.clone(),
            known: Topic::ALL.iter().map(|t| t.word()).collect::<Vec<_>>().join(", "),
        })?;
        let triggers = triggers(&raw.triggers)?;
        let columns = columns(&raw.columns)?;
        unique("/notices", "/name", raw.notices.iter().map(|n| n.name.as_str()))?;
        unique("/reasons", "/name", raw.reasons.iter().map(|r| r.name.as_str()))?;
        unique("/routes", "", raw.routes.iter().map(String::as_str))?;
        for (i, notice) in raw.notices.iter().enumerate() {
            if let (Some(a), Some(b)) = (&notice.arg0, &notice.arg1) {
                unique(&format!("/notices/{i}"), "", [a.name.as_str(), b.name.as_str()].into_iter())?;
            }
        }
        let validator = schema::compile(&raw.parameters)?;
        let manifest = Self(Arc::new(Inner {
            name: raw.name,
            version: raw.version,
            description: raw.description,
            topic,
            triggers,
            columns,
            parameters: raw.parameters,
            notices: raw.notices,
            reasons: raw.reasons,
            routes: raw.routes,
            validator,
        }));
        manifest.check_defaults()?;
        Ok(manifest)
    }

    /// Parameters that say nothing may lack what is required, but no default may be wrong.
    fn check_defaults(&self) -> Result<(), ContractError> {
        let empty = Value::Object(serde_json::Map::new());
        let Err(errors) = self.check_parameters(&empty) else { return Ok(()) };
        match errors.into_iter().find(|e| !e.pointer.is_empty()) {
            Some(e) => Err(ContractError::Schema {
                pointer: format!("/parameters/properties{}/default", e.pointer),
                problem: format!("the default does not fit its own schema: {}", e.message),
            }),
            None => Ok(()),
        }
    }

    /// Checks a policy's parameters. Returns them with the defaults filled in, which is what a run passes to the plugin.
    ///
    /// # Errors
    /// Everything that is wrong, at most [`parameters::MAX_PARAMETER_ERRORS`] of it, in the schema's own words.
    pub fn check_parameters(&self, given: &Value) -> Result<Value, Vec<ParameterError>> {
        parameters::check(&self.0.validator, &self.0.parameters, given)
    }

    /// Name of the plugin, kebab case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Semantic version of the plugin.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// What it does, for the city office; may be empty.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// What its messages are about.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.0.topic
    }

    /// On what it can run.
    #[must_use]
    pub fn triggers(&self) -> &[TriggerId] {
        &self.0.triggers
    }

    /// The columns that a batch carries, in this order.
    #[must_use]
    pub fn columns(&self) -> &[ColumnId] {
        &self.0.columns
    }

    /// The same with what the registry says of them.
    pub fn column_defs(&self) -> impl Iterator<Item = &'static ColumnDef> {
        self.0.columns.iter().filter_map(|id| Registry::get().column(*id))
    }

    /// The JSON Schema of the parameters.
    #[must_use]
    pub fn parameters(&self) -> &Value {
        &self.0.parameters
    }

    /// What it can say; decisions hold indexes into this.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.0.notices
    }

    /// Why it can choose or not choose; decisions hold indexes into this.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.0.reasons
    }

    /// Names of the routes that it can ask for; decisions hold indexes into this.
    #[must_use]
    pub fn routes(&self) -> &[String] {
        &self.0.routes
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("name", &self.0.name)
            .field("version", &self.0.version)
            .field("topic", &self.0.topic)
            .finish_non_exhaustive()
    }
}

fn shape_error(pointer: &str, problem: &str) -> ContractError {
    ContractError::ManifestShape { pointer: pointer.to_owned(), problem: schema::shorten(problem) }
}

fn triggers(names: &[String]) -> Result<Vec<TriggerId>, ContractError> {
    let all = Registry::get().triggers();
    let find = |(i, name): (usize, &String)| {
        let pointer = format!("/triggers/{i}");
        match all.iter().find(|t| t.name == *name) {
            Some(t) if t.reserved => Err(ContractError::Reserved { pointer, what: "trigger", name: name.clone() }),
            Some(t) => Ok(t.id),
            None => Err(ContractError::UnknownName {
                pointer,
                what: "trigger",
                name: name.clone(),
                known: all.iter().filter(|t| !t.reserved).map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    };
    names.iter().enumerate().map(find).collect()
}

fn columns(names: &[String]) -> Result<Vec<ColumnId>, ContractError> {
    let all = Registry::get().columns();
    let find = |(i, name): (usize, &String)| {
        let pointer = format!("/columns/{i}");
        match all.iter().find(|c| c.name == *name) {
            Some(c) if c.reserved => Err(ContractError::Reserved { pointer, what: "column", name: name.clone() }),
            Some(c) => Ok(c.id),
            None => Err(ContractError::UnknownName {
                pointer,
                what: "column",
                name: name.clone(),
                known: all.iter().filter(|c| !c.reserved).map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    };
    names.iter().enumerate().map(find).collect()
}

fn unique<'a>(list: &str, tail: &str, names: impl Iterator<Item = &'a str>) -> Result<(), ContractError> {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(ContractError::Duplicate { pointer: format!("{list}/{i}{tail}"), name: name.to_owned() });
        }
    }
    Ok(())
}
