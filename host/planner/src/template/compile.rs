//! A text made ready: checked by minijinja, then either laid out as segments, which render without an engine, or kept as minijinja's program.

use std::fmt;

use gridbell_contract::Notice;
use gridbell_model::{Channel, TopicClass};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use super::merged::MergedText;
use super::parts::{MAX_PARTS, TextPlan, TextSize, measure, parts_of, units_and_parts};
use super::platform::{self, PlatformText};
use super::slots::{Facts, Missing, Slot, slots_of, states_fact};
use super::{MAX_TEMPLATE_CHARS, Template};
use crate::error::PlannerError;
use crate::rules::ProvinceRules;

/// Instructions that one rendering may take: a text of [`MAX_TEMPLATE_CHARS`] without loops needs at most a few for each tag.
const FUEL: u64 = 2000;
const ENTRY: &str = "text";

/// A text ready for rendering. Rendering depends on nothing but the facts.
#[derive(Debug)]
pub struct Compiled {
    version: u32,
    channel: Channel,
    prefix: Box<str>,
    suffix: Box<str>,
    body: Body,
    /// Units of everything that is the same in each text, where counting the rest gives the whole: see [`Compiled::size`].
    fixed_units: Option<usize>,
    sample: TextPlan,
    /// What it says, by name.
    said: Vec<(String, Slot)>,
    merged: Option<Box<MergedText>>,
}

/// What is made ready: a text, what it may say, and what it must.
pub(super) struct Wording<'a> {
    pub(super) text: &'a str,
    pub(super) names: Vec<(String, Slot)>,
    pub(super) needed: Vec<&'a str>,
}

enum Body {
    /// Text and values in turn: nine of ten templates.
    Segments(Vec<Segment>),
    /// A text that chooses: rendered by minijinja each time.
    Engine { env: Box<Environment<'static>>, slots: Vec<(String, Slot)> },
}

enum Segment {
    Fixed(Box<str>),
    Slot(Slot),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segments(s) => write!(f, "{} segments", s.len()),
            Self::Engine { .. } => f.write_str("engine"),
        }
    }
}

/// Why a message has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A fact that the text states is not there.
    #[error("a fact that the text states is not known")]
    MissingFact,
    /// Longer than [`MAX_PARTS`].
    #[error("the text came to more than {MAX_PARTS} parts")]
    TooLong,
    /// The engine gave up.
    #[error("the text's conditions could not be worked out")]
    Engine,
}

impl From<Missing> for RenderError {
    fn from(_: Missing) -> Self {
        Self::MissingFact
    }
}

impl Compiled {
    pub(super) fn new(template: &Template, notice: &Notice, rules: &ProvinceRules) -> Result<Self, PlannerError> {
        Self::of_class(template, notice, rules, rules.topic(template.topic).class)
    }

    /// The same for a text of `class`, whatever class its facts' topic is in.
    pub(super) fn of_class(
        template: &Template,
        notice: &Notice,
        rules: &ProvinceRules,
        class: TopicClass,
    ) -> Result<Self, PlannerError> {
        let names = slots_of(template.topic, notice);
        let list = || names.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
        if let Some(omitted) = template.omits.iter().find(|o| !names.iter().any(|(n, _)| n == *o)) {
            let message = format!("`omits` names `{omitted}`, which is no placeholder: known are {}", list());
            return Err(at(&template.text, 0, message));
        }
        let own = [&notice.arg0, &notice.arg1].into_iter().flatten().map(|a| a.name.as_str());
        let needed = own.chain(states_fact(template.topic).then_some("as_of"));
        let needed = needed.filter(|name| !template.omits.iter().any(|o| o == name)).collect();
        let mut compiled =
            Self::of_wording(&Wording { text: &template.text, names, needed }, template, notice, rules, class)?;
        if let Some(merged) = &template.merged {
            compiled.merged = Some(Box::new(MergedText::new(merged, &compiled, template, notice, rules)?));
        }
        Ok(compiled)
    }

    /// The same for one wording of `template`.
    pub(super) fn of_wording(
        wording: &Wording<'_>,
        template: &Template,
        notice: &Notice,
        rules: &ProvinceRules,
        class: TopicClass,
    ) -> Result<Self, PlannerError> {
        let text = wording.text.trim();
        let tags = Tags::scan(text)?;
        check_text(text, template.channel, &tags)?;
        let env = engine(text)?;
        check_placeholders(text, wording, &env)?;
        let used: Vec<(String, Slot)> = wording.names.iter().filter(|(n, _)| tags.mention(text, n)).cloned().collect();
        let body = match tags.segments(text, &used) {
            Some(segments) => Body::Segments(segments),
            None => Body::Engine { env: Box::new(env.clone()), slots: used.clone() },
        };
        let sms = template.channel == Channel::Sms;
        let marketing = class == TopicClass::Marketing;
        let mut compiled = Self {
            version: template.version,
            channel: template.channel,
            prefix: if sms { rules.signature.as_str().into() } else { "".into() },
            suffix: if sms && marketing { rules.opt_out.as_str().into() } else { "".into() },
            body,
            fixed_units: None,
            sample: TextPlan { text: String::new(), chars: 0, parts: 0, cost_milli_fen: 0 },
            said: used.clone(),
            merged: None,
        };
        let facts = Facts::sample(notice);
        let refuse = |e: RenderError| at(text, 0, e.to_string());
        compiled.sample = compiled.plan(&facts, 0).map_err(refuse)?;
        // The engine is the judge of what the text means: segments that say anything else would be our mistake.
        let mut by_engine = String::from(&*compiled.prefix);
        render_engine(&env, &used, &facts, &mut by_engine).map_err(refuse)?;
        by_engine.push_str(&compiled.suffix);
        if by_engine != compiled.sample.text {
            return Err(at(
                text,
                0,
                "the text means something else than it looks like: use plain `{{ name }}` placeholders",
            ));
        }
        compiled.fixed_units = compiled.fixed_units();
        Ok(compiled)
    }

    /// Units of signature, opt-out words and fixed text; none where the text chooses or has characters that take two units, which may move a cut.
    fn fixed_units(&self) -> Option<usize> {
        let Body::Segments(segments) = &self.body else { return None };
        let fixed = segments.iter().filter_map(|s| if let Segment::Fixed(text) = s { Some(&**text) } else { None });
        fixed.chain([&*self.prefix, &*self.suffix]).try_fold(0, |sum, text| match measure(text) {
            (units, 0) => Some(sum + units),
            _ => None,
        })
    }

    /// Whether the text says a slot of which `wanted` is true.
    pub(super) fn says(&self, wanted: impl Fn(Slot) -> bool) -> bool {
        self.said.iter().any(|(_, slot)| wanted(*slot))
    }

    /// What it says, by name.
    pub(super) fn said(&self) -> &[(String, Slot)] {
        &self.said
    }

    /// The text that several accounts of one number share, where the template has one.
    #[must_use]
    pub fn merged(&self) -> Option<&MergedText> {
        self.merged.as_deref()
    }

    /// The template's version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A likely text, with its length: for the form in which it is written. Its cost is 0, since costs are the policies'.
    #[must_use]
    pub fn sample(&self) -> &TextPlan {
        &self.sample
    }

    /// The text for `facts`, with signature and opt-out words, its parts, and its cost at `cost_per_part_milli_fen`.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn plan(&self, facts: &Facts<'_>, cost_per_part_milli_fen: u32) -> Result<TextPlan, RenderError> {
        let mut text = String::with_capacity(self.sample.text.len() + 32);
        text.push_str(&self.prefix);
        match &self.body {
            Body::Segments(segments) => {
                for segment in segments {
                    match segment {
                        Segment::Fixed(fixed) => text.push_str(fixed),
                        Segment::Slot(slot) => slot.write(facts, &mut text)?,
                    }
                }
            }
            Body::Engine { env, slots } => render_engine(env, slots, facts, &mut text)?,
        }
        text.push_str(&self.suffix);
        let (units, count) = units_and_parts(&text);
        let TextSize { chars, parts, cost_milli_fen } = self.sized(units, count, cost_per_part_milli_fen)?;
        Ok(TextPlan { text, chars, parts, cost_milli_fen })
    }

    /// What [`Compiled::plan`] says of the text's length and cost, without rendering it where that can be known: only the values are written, into
    /// `scratch`, which is kept from call to call.
    ///
    /// # Errors
    /// As [`Compiled::plan`].
    pub fn size(
        &self,
        facts: &Facts<'_>,
        cost_per_part_milli_fen: u32,
        scratch: &mut String,
    ) -> Result<TextSize, RenderError> {
        if let (Some(fixed), Body::Segments(segments)) = (self.fixed_units, &self.body) {
            scratch.clear();
            for segment in segments {
                if let Segment::Slot(slot) = segment {
                    slot.write(facts, scratch)?;
                }
            }
            let (units, pairs) = measure(scratch);
            if pairs == 0 {
                return self.sized(fixed + units, parts_of(fixed + units), cost_per_part_milli_fen);
            }
        }
        let TextPlan { chars, parts, cost_milli_fen, .. } = self.plan(facts, cost_per_part_milli_fen)?;
        Ok(TextSize { chars, parts, cost_milli_fen })
    }

    fn sized(&self, units: usize, count: u8, cost_per_part_milli_fen: u32) -> Result<TextSize, RenderError> {
        if count > MAX_PARTS {
            return Err(RenderError::TooLong);
        }
        let sms = self.channel == Channel::Sms;
        Ok(TextSize {
            chars: u32::try_from(units).unwrap_or(u32::MAX),
            parts: if sms { count } else { 1 },
            cost_milli_fen: if sms { u32::from(count).saturating_mul(cost_per_part_milli_fen) } else { 0 },
        })
    }
}

fn render_engine(
    env: &Environment<'_>,
    slots: &[(String, Slot)],
    facts: &Facts<'_>,
    out: &mut String,
) -> Result<(), RenderError> {
    let mut context = Vec::with_capacity(slots.len());
    for (name, slot) in slots {
        if let Some(n) = slot.number(facts) {
            context.push((name.as_str(), Value::from(n)));
            continue;
        }
        // A fact that is not known stays undefined: `if` can ask for it, showing it is an error.
        let mut text = String::new();
        if slot.write(facts, &mut text).is_ok() {
            context.push((name.as_str(), Value::from(text)));
        }
    }
    let context = Value::from_pairs(context);
    let rendered = env.get_template(ENTRY).and_then(|t| t.render(context)).map_err(|e| match e.kind() {
        ErrorKind::UndefinedError => RenderError::MissingFact,
        _ => RenderError::Engine,
    })?;
    out.push_str(&rendered);
    Ok(())
}

fn engine(text: &str) -> Result<Environment<'static>, PlannerError> {
    let mut env = Environment::new();
    env.set_fuel(Some(FUEL));
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.add_template_owned(ENTRY, text.to_owned()).map_err(|e| {
        let detail = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
        let line = e.line().unwrap_or(1).saturating_sub(1);
        let offset = text.split_inclusive('\n').take(line).map(str::len).sum();
        at(text, offset, detail)
    })?;
    Ok(env)
}

/// An error at a byte offset of `text`.
pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> PlannerError {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    PlannerError::Template {
        line: count(before.matches('\n').count()),
        column: count(before[line_start..].chars().count()),
        message: message.into(),
    }
}

fn check_text(text: &str, channel: Channel, tags: &Tags) -> Result<(), PlannerError> {
    let length = text.chars().count();
    if length == 0 || length > MAX_TEMPLATE_CHARS {
        return Err(at(text, 0, format!("the text has {length} characters, 1 to {MAX_TEMPLATE_CHARS} are allowed")));
    }
    if let Some((offset, c)) = text.char_indices().find(|(_, c)| c.is_control() && *c != '\n') {
        return Err(at(text, offset, format!("the character U+{:04X} cannot be sent: delete it", u32::from(c))));
    }
    let bracket = text.char_indices().find(|(_, c)| matches!(c, '【' | '】'));
    if let Some((offset, _)) = bracket.filter(|_| channel == Channel::Sms) {
        return Err(at(text, offset, "【】 are for the signature, which is added by itself: use other brackets"));
    }
    if platform::is_for(channel) {
        PlatformText::check(text).map_err(|no| at(text, no.offset, no.message))?;
    }
    // Choosing is all that a text may do: with loops, calls and arithmetic gone, every text is short work and plain to its reader.
    for tag in &tags.0 {
        let inner = tag.inner(text);
        let word = inner.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if tag.statement && !matches!(word, "if" | "elif" | "else" | "endif") {
            return Err(at(
                text,
                tag.start,
                format!("`{word}` is not allowed in a text: use `if`, `elif`, `else`, `endif`"),
            ));
        }
        if let Some(c) = inner.chars().find(|c| "*([{~+%/&".contains(*c)) {
            return Err(at(
                text,
                tag.start,
                format!("`{c}` is not allowed in a tag: texts show placeholders and choose, nothing else"),
            ));
        }
    }
    Ok(())
}

fn check_placeholders(text: &str, wording: &Wording<'_>, env: &Environment<'_>) -> Result<(), PlannerError> {
    let Wording { names, needed, .. } = wording;
    let tags = Tags::scan(text)?;
    let asked = env.get_template(ENTRY).map(|t| t.undeclared_variables(false)).unwrap_or_default();
    let mut asked: Vec<String> = asked.into_iter().collect();
    asked.sort();
    let list = || names.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = asked.iter().find(|a| !names.iter().any(|(n, _)| n == *a)) {
        let offset = tags.find(text, unknown).unwrap_or(0);
        return Err(at(text, offset, format!("unknown placeholder `{unknown}`: known are {}", list())));
    }
    for name in needed {
        if !asked.iter().any(|a| a == name) {
            let message =
                format!("the placeholder `{name}` is missing: say it as `{{{{ {name} }}}}`, or list it in `omits`");
            return Err(at(text, text.len(), message));
        }
    }
    Ok(())
}

/// The tags of a text: `{{ … }}` and `{% … %}`.
struct Tags(Vec<Tag>);

struct Tag {
    start: usize,
    end: usize,
    statement: bool,
}

impl Tag {
    fn inner<'t>(&self, text: &'t str) -> &'t str {
        text[self.start + 2..self.end - 2].trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+'))
    }

    /// Where the word `name` stands in it, if it does.
    fn find(&self, text: &str, name: &str) -> Option<usize> {
        let inner = &text[self.start..self.end];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        inner.match_indices(name).map(|(i, _)| i).find_map(|i| {
            let alone = !inner[..i].ends_with(is_word) && !inner[i + name.len()..].starts_with(is_word);
            alone.then_some(self.start + i)
        })
    }
}

impl Tags {
    fn scan(text: &str) -> Result<Self, PlannerError> {
        let mut tags = Vec::new();
        let mut from = 0;
        while let Some(i) = text[from..].find('{') {
            let start = from + i;
            let (close, statement) = match text.as_bytes().get(start + 1) {
                Some(b'{') => ("}}", false),
                Some(b'%') => ("%}", true),
                Some(b'#') => return Err(at(text, start, "comments are not allowed in a text: delete `{# … #}`")),
                _ => {
                    from = start + 1;
                    continue;
                }
            };
            let Some(length) = text[start + 2..].find(close) else {
                return Err(at(text, start, format!("this tag is not closed: write `{close}` behind it")));
            };
            let end = start + 2 + length + 2;
            tags.push(Tag { start, end, statement });
            from = end;
        }
        Ok(Self(tags))
    }

    fn find(&self, text: &str, name: &str) -> Option<usize> {
        self.0.iter().find_map(|t| t.find(text, name))
    }

    fn mention(&self, text: &str, name: &str) -> bool {
        self.find(text, name).is_some()
    }

    /// The text as segments, if every tag is a plain placeholder.
    fn segments(&self, text: &str, slots: &[(String, Slot)]) -> Option<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut from = 0;
        for tag in &self.0 {
            let inner = text[tag.start + 2..tag.end - 2].trim();
            let (_, slot) = slots.iter().find(|(name, _)| !tag.statement && name == inner)?;
            if tag.start > from {
                segments.push(Segment::Fixed(text[from..tag.start].into()));
            }
            segments.push(Segment::Slot(*slot));
            from = tag.end;
        }
        if from < text.len() {
            segments.push(Segment::Fixed(text[from..].into()));
        }
        Some(segments)
    }
}
