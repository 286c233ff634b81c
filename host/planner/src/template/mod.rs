//! The province's texts: one for each topic, notice and channel, versioned, approved by a person, with typed placeholders that are checked when
//! a text is saved. Never sends anything and never sees a name.

mod compile;
mod correction;
mod file;
mod merged;
mod parts;
mod platform;
mod slots;

use gridbell_contract::Notice;
use gridbell_model::{Channel, Topic};
use serde::{Deserialize, Serialize};

pub use compile::{Compiled, RenderError};
pub use correction::{CORRECTED_AMOUNT, CorrectionText, corrected_topic, correction_notice};
pub use file::TemplateFile;
pub use merged::{MAX_TOGETHER, MERGED_COUNT, MergedText};
pub use parts::{MAX_PARTS, PART_UNITS, SINGLE_UNITS, TextPlan, TextSize, parts, utf16_units};
pub use platform::PlatformText;
pub use slots::{Fact, Facts, HOST_PLACEHOLDERS, HostPlaceholder, fact_of};

use crate::error::PlannerError;
use crate::rules::ProvinceRules;

/// Longest text of a template, in characters: [`MAX_PARTS`] parts and the tags.
pub const MAX_TEMPLATE_CHARS: usize = 1000;
/// Most templates of a province, all versions: notices × channels × a few dozen versions.
pub const MAX_TEMPLATES: usize = 4096;

/// Whether a text may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateStatus {
    /// Being written; never sent.
    Draft,
    /// Approved by somebody who did not write it.
    Approved,
}

/// One version of one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What it is about.
    pub topic: Topic,
    /// Which of the plugin's notices it words; of a correction the topic that it corrects.
    pub notice: String,
    /// For which channel.
    pub channel: Channel,
    /// From 1; the newest approved one is used.
    pub version: u32,
    /// Whether it may be sent.
    pub status: TemplateStatus,
    /// The text, without signature and opt-out words: the house adds them. For WeChat and Alipay of the form that [`PlatformText`] says.
    pub text: String,
    /// Placeholders that it leaves out on purpose. Any other of the notice's numbers must appear, and the date that the facts are true for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omits: Vec<String>,
    /// A second text, which several accounts of one number share when their messages leave together: see [`MergedText`]. Without one each account's
    /// message goes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<String>,
}

impl Template {
    /// Checks the text against the notice's numbers and makes it ready for rendering.
    ///
    /// # Errors
    /// [`PlannerError::Template`] with line and column within the text: a placeholder that is not known or missing, a tag that is not allowed,
    /// a text that is too long.
    pub fn compile(&self, notice: &Notice, rules: &ProvinceRules) -> Result<Compiled, PlannerError> {
        Compiled::new(self, notice, rules)
    }
}

/// All versions of all texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TemplateSet {
    /// In no particular order.
    pub templates: Vec<Template>,
}

impl TemplateSet {
    /// Whether the province has a text for any answer to what customers write.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        self.templates.iter().any(|t| t.topic == Topic::Answer && t.status == TemplateStatus::Approved)
    }

    /// The newest approved version, if there is one.
    #[must_use]
    pub fn approved(&self, topic: Topic, notice: &str, channel: Channel) -> Option<&Template> {
        self.templates
            .iter()
            .filter(|t| (t.topic, t.notice.as_str(), t.channel) == (topic, notice, channel))
            .filter(|t| t.status == TemplateStatus::Approved)
            .max_by_key(|t| t.version)
    }
}
