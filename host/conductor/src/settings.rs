//! What the province sets: rules, texts, calendar and number segments, as one value that a run or a look-up takes whole.

use std::sync::Arc;

use gridbell_model::Segments;
use gridbell_planner::{Calendar, ProvinceRules, TemplateSet};
use gridbell_state::State;

use crate::documents::{self, PROVINCE};
use crate::error::HostError;

/// What the province sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Classes, quiet hours, caps, signature.
    pub rules: Arc<ProvinceRules>,
    /// All texts.
    pub templates: Arc<TemplateSet>,
    /// Working days.
    pub calendar: Arc<Calendar>,
    /// Which carrier a number was given to.
    pub segments: Arc<Segments>,
    /// The text that they were read from.
    pub segments_text: Arc<str>,
}

/// The documents as they are kept: rules and texts as JSON, calendar and segments as the text that the operator loaded.
pub(crate) const RULES: &str = "rules";
pub(crate) const TEMPLATES: &str = "templates";
pub(crate) const CALENDAR: &str = "calendar";
pub(crate) const SEGMENTS: &str = "segments";

impl Settings {
    /// Reads the province's documents; none while one of them was never applied.
    pub(crate) fn load(state: &State) -> Result<Option<Self>, HostError> {
        let rules = documents::read::<ProvinceRules>(state, PROVINCE, RULES)?;
        let templates = documents::read::<TemplateSet>(state, PROVINCE, TEMPLATES)?;
        let calendar = documents::read::<String>(state, PROVINCE, CALENDAR)?;
        let segments = documents::read::<String>(state, PROVINCE, SEGMENTS)?;
        let (Some((_, rules)), Some((_, templates)), Some((_, calendar)), Some((_, segments))) =
            (rules, templates, calendar, segments)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            rules: Arc::new(rules),
            templates: Arc::new(templates),
            calendar: Arc::new(Calendar::parse(CALENDAR, &calendar)?),
            segments: Arc::new(read_segments(&segments)?),
            segments_text: segments.into(),
        }))
    }
}

pub(crate) fn read_segments(text: &str) -> Result<Segments, HostError> {
    Ok(gridbell_intake::read_segments(text)?)
}
