//! The province's texts as a TOML file.

use std::collections::BTreeSet;

use gridbell_contract::Manifest;
use gridbell_model::Topic;

use super::{
    CorrectionText, MAX_TEMPLATE_CHARS, MAX_TEMPLATES, Template, TemplateSet, TemplateStatus, corrected_topic,
};
use crate::answers::answers_manifest;
use crate::error::{Place, PlannerError, Problem, Problems};
use crate::read::{Document, Fields, Item};
use crate::rules::ProvinceRules;

/// A file of templates as it was read.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// The file's name, for messages.
    pub document: String,
    /// What it proposes.
    pub set: TemplateSet,
    /// Where each template's text starts.
    places: Vec<Option<Place>>,
}

impl TemplateFile {
    /// Reads the file `document` with the content `text`. Placeholders are checked by [`TemplateFile::check`].
    ///
    /// # Errors
    /// With all mistakes, each with line, column and field.
    pub fn parse(document: &str, text: &str) -> Result<Self, Problems> {
        let doc = Document::new(text);
        let read = doc.parse();
        let found = read.as_ref().map(|root| {
            let mut f = Fields::new(&doc, "", root.span(), root.get_ref());
            let items = f.required("template").map(|i| i.list(MAX_TEMPLATES)).unwrap_or_default();
            f.finish();
            let mut keys = BTreeSet::new();
            let mut all = (Vec::new(), Vec::new());
            for item in &items {
                let Some(template) = item.fields().and_then(read_template) else { continue };
                if !keys.insert((template.topic, template.notice.clone(), template.channel, template.version)) {
                    item.note(format!("version {} of this text stands above already", template.version));
                }
                all.0.push(template);
                all.1.push(item.pointers().into_iter().find(|(p, _)| p == "/text").map(|(_, place)| place));
            }
            all
        });
        let (templates, places) = doc.finish(document, found)?;
        Ok(Self { document: document.to_owned(), set: TemplateSet { templates }, places })
    }

    /// Checks every text against the notices of the plugins that speak about its topic.
    ///
    /// # Errors
    /// With all mistakes: a notice that no plugin has, or what [`Template::compile`] finds, with line and column within the text.
    pub fn check(&self, manifests: &[Manifest], rules: &ProvinceRules) -> Result<(), Problems> {
        let mut list = Vec::new();
        for (i, (template, place)) in self.set.templates.iter().zip(&self.places).enumerate() {
            let notices: Vec<_> = manifests
                .iter()
                .chain([answers_manifest()])
                .filter(|m| m.topic() == template.topic)
                .flat_map(|m| m.notices())
                .filter(|n| n.name == template.notice)
                .collect();
            let mut note = |message: String| {
                list.push(Problem { place: *place, field: format!("template[{i}].text"), message });
            };
            if template.topic == Topic::Correction {
                let checked = corrected_topic(template)
                    .and_then(|topic| CorrectionText::new(&template.text, template.channel, topic, rules));
                if let Err(e) = checked {
                    note(in_text(e));
                }
                continue;
            }
            if notices.is_empty() {
                note(format!("no plugin for {} has a notice `{}`", template.topic, template.notice));
            }
            for notice in notices {
                if let Err(e) = template.compile(notice, rules) {
                    note(in_text(e));
                }
            }
        }
        Problems::refuse(&self.document, list)
    }
}

fn in_text(e: PlannerError) -> String {
    match e {
        PlannerError::Template { line, column, message } => {
            format!("line {line}, column {column} of the text: {message}")
        }
        e => e.to_string(),
    }
}

fn read_template(mut f: Fields<'_, '_>) -> Option<Template> {
    let topic = f.required("topic").and_then(|i| i.parsed());
    let notice = f.required("notice").and_then(|i| i.short_text(63));
    let channel = f.required("channel").and_then(|i| i.parsed());
    let version = f.required("version").and_then(|i| i.integer(1..=i64::from(u32::MAX)));
    let status = f.required("status").and_then(|i| status(&i));
    let text = f.required("text").and_then(|i| i.short_text(MAX_TEMPLATE_CHARS));
    let merged = f.optional("merged").and_then(|i| i.short_text(MAX_TEMPLATE_CHARS));
    let omits = f.optional("omits").map(|i| i.list(16)).unwrap_or_default();
    f.finish();
    Some(Template {
        topic: topic?,
        notice: notice?,
        channel: channel?,
        version: version?,
        status: status?,
        text: text?,
        omits: omits.iter().filter_map(Item::text).collect(),
        merged,
    })
}

fn status(item: &Item<'_, '_>) -> Option<TemplateStatus> {
    match item.text()?.as_str() {
        "draft" => Some(TemplateStatus::Draft),
        "approved" => Some(TemplateStatus::Approved),
        other => {
            item.note(format!("`{other}` is not a status: use `draft` or `approved`"));
            None
        }
    }
}
