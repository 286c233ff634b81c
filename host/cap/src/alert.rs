//! An alert: what happened, where, how grave, until when, and which earlier one it replaces.

use gridbell_model::Moment;

use crate::NAMESPACE;
use crate::error::Error;
use crate::write::{Document, is_xml, time};

/// The most octets of one text.
pub const MAX_TEXT: usize = 4096;
/// The most areas of one information.
pub const MAX_AREAS: usize = 256;
/// The most codes of one area.
pub const MAX_GEOCODES: usize = 64;
/// The most alerts that one replaces.
pub const MAX_REFERENCES: usize = 64;
/// The most categories of one information; the standard has twelve.
pub const MAX_CATEGORIES: usize = 12;
/// The most informations, one for each language.
const MAX_INFOS: usize = 8;
/// The most octets of an identifier or a sender.
const MAX_NAME: usize = 128;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $spelt:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// As the standard spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$word => $spelt,)* }
            }
        }
    )*};
}

words! {
    /// `status`: how it is to be taken.
    Status {
        /// For all to act on.
        Actual = "Actual",
        /// For those who take part in an exercise, which its note names.
        Exercise = "Exercise",
        /// For the network's own purposes.
        System = "System",
        /// For nobody: a technical test.
        Test = "Test",
    }
    /// `scope`: for whom it is.
    Scope {
        /// For everybody.
        Public = "Public",
    }
    /// `category`: the kind of event.
    Category {
        /// Ground: earthquakes, landslides.
        Geo = "Geo",
        /// Weather, floods.
        Met = "Met",
        /// General emergency and public safety.
        Safety = "Safety",
        /// Fire.
        Fire = "Fire",
        /// Pollution and other harm to the surroundings.
        Env = "Env",
        /// Utilities, telecommunication, other infrastructure: an outage.
        Infra = "Infra",
        /// Anything else.
        Other = "Other",
    }
    /// `responseType`: what people are asked to do.
    ResponseType {
        /// Get ready, as the instruction says.
        Prepare = "Prepare",
        /// Do what the instruction says.
        Execute = "Execute",
        /// Keep away.
        Avoid = "Avoid",
        /// Watch for more.
        Monitor = "Monitor",
        /// The danger is over.
        AllClear = "AllClear",
        /// Nothing.
        None = "None",
    }
    /// `urgency`: when to act.
    Urgency {
        /// Now.
        Immediate = "Immediate",
        /// Within the hour.
        Expected = "Expected",
        /// In the near future.
        Future = "Future",
        /// No longer.
        Past = "Past",
        /// Not known.
        Unknown = "Unknown",
    }
    /// `severity`: how grave.
    Severity {
        /// Extraordinary.
        Extreme = "Extreme",
        /// Significant.
        Severe = "Severe",
        /// Possible.
        Moderate = "Moderate",
        /// Little or none.
        Minor = "Minor",
        /// Not known.
        Unknown = "Unknown",
    }
    /// `certainty`: how sure.
    Certainty {
        /// It happened or goes on.
        Observed = "Observed",
        /// More than even.
        Likely = "Likely",
        /// Possible.
        Possible = "Possible",
        /// Next to none.
        Unlikely = "Unlikely",
        /// Not known.
        Unknown = "Unknown",
    }
}

/// Names an alert: `sender,identifier,sent`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Its `sender`.
    pub sender: String,
    /// Its `identifier`.
    pub identifier: String,
    /// Its `sent`; to the second.
    pub sent: Moment,
}

impl Reference {
    /// As `references` spells it.
    fn triple(&self) -> String {
        format!("{},{},{}", self.sender, self.identifier, time(self.sent))
    }

    /// What it is known by: `sent` counts to the second, as it is written.
    pub(crate) fn key(&self) -> (&str, &str, i64) {
        (&self.sender, &self.identifier, self.sent.unix_ms().div_euclid(1000))
    }

    fn check(&self) -> Result<(), Error> {
        name("identifier", &self.identifier)?;
        name("sender", &self.sender)
    }
}

/// `msgType`, with `references` where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first about its event.
    Alert,
    /// Replaces these.
    Update(Vec<Reference>),
    /// Takes these back.
    Cancel(Vec<Reference>),
}

impl Kind {
    /// As the standard spells it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "Alert",
            Self::Update(_) => "Update",
            Self::Cancel(_) => "Cancel",
        }
    }

    /// What it replaces.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        match self {
            Self::Alert => &[],
            Self::Update(replaced) | Self::Cancel(replaced) => replaced,
        }
    }
}

/// A code for a place in a system that its players know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geocode {
    /// `valueName`: the system, "community".
    pub system: String,
    /// `value`.
    pub code: String,
}

/// `area`: a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// `areaDesc`: its name for people.
    pub description: String,
    /// `geocode`: its codes.
    pub geocodes: Vec<Geocode>,
}

/// `info`: what is said, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `language`, "zh-CN".
    pub language: String,
    /// `category`, at least one.
    pub categories: Vec<Category>,
    /// `event`: what it is, in few words.
    pub event: String,
    /// `responseType`.
    pub response: ResponseType,
    /// `urgency`.
    pub urgency: Urgency,
    /// `severity`.
    pub severity: Severity,
    /// `certainty`.
    pub certainty: Certainty,
    /// `onset`: when the event is expected to begin.
    pub onset: Option<Moment>,
    /// `expires`: when the information is no longer in force.
    pub expires: Moment,
    /// `senderName`: who says it, for people.
    pub sender_name: String,
    /// `headline`.
    pub headline: String,
    /// `description`. Empty for none.
    pub description: String,
    /// `instruction`. Empty for none.
    pub instruction: String,
    /// `contact`: whom to ask, 95598. Empty for none.
    pub contact: String,
    /// `area`.
    pub areas: Vec<Area>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who, which and when: what a later one refers to.
    pub reference: Reference,
    /// `status`.
    pub status: Status,
    /// `msgType`.
    pub kind: Kind,
    /// `scope`.
    pub scope: Scope,
    /// `note`: why it was cancelled, or which exercise it is. Empty for none.
    pub note: String,
    /// `info`, one for each language, the first for everybody.
    pub infos: Vec<Info>,
}

impl Alert {
    /// Whether it is in force: a later one may have replaced it all the same, see [`Feed`](crate::Feed).
    #[must_use]
    pub fn in_force(&self, now: Moment) -> bool {
        self.infos.iter().any(|info| now < info.expires)
    }

    /// The document, valid against the schema of CAP 1.2.
    ///
    /// # Errors
    /// Where a field is not as the standard asks, or beyond its bound.
    pub fn xml(&self) -> Result<String, Error> {
        self.check()?;
        let mut document = Document::new();
        document.nest("alert", &[("xmlns", NAMESPACE)], |alert| {
            alert.text("identifier", &self.reference.identifier);
            alert.text("sender", &self.reference.sender);
            alert.text("sent", &time(self.reference.sent));
            alert.text("status", self.status.name());
            alert.text("msgType", self.kind.name());
            alert.text("scope", self.scope.name());
            alert.optional("note", &self.note);
            let references: Vec<String> = self.kind.references().iter().map(Reference::triple).collect();
            alert.optional("references", &references.join(" "));
            for info in &self.infos {
                alert.nest("info", &[], |element| info.write(element));
            }
        });
        Ok(document.finish())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.reference.check()?;
        text("note", &self.note)?;
        let references = self.kind.references();
        if self.kind != Kind::Alert && references.is_empty() {
            return Err(Error::Field {
                field: "references",
                why: "is empty: an update or a cancellation names what it replaces",
            });
        }
        at_most("references", references.len(), MAX_REFERENCES)?;
        for reference in references {
            reference.check()?;
            if reference.key() == self.reference.key() {
                return Err(Error::Field { field: "references", why: "names the alert itself" });
            }
        }
        if self.status == Status::Exercise && self.note.is_empty() {
            return Err(Error::Field { field: "note", why: "is empty: an exercise says which it is" });
        }
        if self.infos.is_empty() {
            return Err(Error::Field { field: "info", why: "is missing: a screen would have nothing to show" });
        }
        at_most("info", self.infos.len(), MAX_INFOS)?;
        self.infos.iter().try_for_each(|info| info.check(self.reference.sent))
    }
}

impl Info {
    fn write(&self, info: &mut Document) {
        info.text("language", &self.language);
        for category in &self.categories {
            info.text("category", category.name());
        }
        info.text("event", &self.event);
        info.text("responseType", self.response.name());
        info.text("urgency", self.urgency.name());
        info.text("severity", self.severity.name());
        info.text("certainty", self.certainty.name());
        if let Some(onset) = self.onset {
            info.text("onset", &time(onset));
        }
        info.text("expires", &time(self.expires));
        info.text("senderName", &self.sender_name);
        info.text("headline", &self.headline);
        info.optional("description", &self.description);
        info.optional("instruction", &self.instruction);
        info.optional("contact", &self.contact);
        for area in &self.areas {
            info.nest("area", &[], |element| {
                element.text("areaDesc", &area.description);
                for geocode in &area.geocodes {
                    element.nest("geocode", &[], |element| {
                        element.text("valueName", &geocode.system);
                        element.text("value", &geocode.code);
                    });
                }
            });
        }
    }

    fn check(&self, sent: Moment) -> Result<(), Error> {
        let sizes = self.language.split('-').all(|part| (1..=8).contains(&part.len()));
        let signs = self.language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let first = self.language.split('-').next().unwrap_or_default();
        let tag = sizes && signs && first.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !tag || self.language.len() > 35 {
            return Err(Error::Field { field: "language", why: "is no language tag such as `zh-CN`" });
        }
        if self.categories.is_empty() {
            return Err(Error::Field { field: "category", why: "is missing" });
        }
        at_most("category", self.categories.len(), MAX_CATEGORIES)?;
        if self.expires <= sent {
            return Err(Error::Field { field: "expires", why: "is not after `sent`: nobody would see it" });
        }
        for (field, value) in [("event", &self.event), ("senderName", &self.sender_name), ("headline", &self.headline)]
        {
            filled(field, value)?;
        }
        text("description", &self.description)?;
        text("instruction", &self.instruction)?;
        text("contact", &self.contact)?;
        if self.areas.is_empty() {
            return Err(Error::Field { field: "area", why: "is missing: no screen would know that it is meant" });
        }
        at_most("area", self.areas.len(), MAX_AREAS)?;
        for area in &self.areas {
            filled("areaDesc", &area.description)?;
            at_most("geocode", area.geocodes.len(), MAX_GEOCODES)?;
            for geocode in &area.geocodes {
                filled("valueName", &geocode.system)?;
                filled("value", &geocode.code)?;
            }
        }
        Ok(())
    }
}

/// An identifier or a sender: the standard forbids spaces, commas, `<` and `&`, because they stand in `references`.
fn name(field: &'static str, value: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '<' | '&');
    if value.is_empty() || value.len() > MAX_NAME || !value.chars().all(fits) {
        return Err(Error::Field {
            field,
            why: "is empty, longer than 128, or has a space, comma, `<`, `&` or other signs",
        });
    }
    Ok(())
}

fn text(field: &'static str, value: &str) -> Result<(), Error> {
    if value.len() > MAX_TEXT {
        return Err(Error::Field { field, why: "is longer than 4096 octets: shorten it" });
    }
    if !is_xml(value) {
        return Err(Error::Field { field, why: "has a control character: remove it" });
    }
    Ok(())
}

fn filled(field: &'static str, value: &str) -> Result<(), Error> {
    if value.trim().is_empty() {
        return Err(Error::Field { field, why: "is empty" });
    }
    text(field, value)
}

fn at_most(field: &'static str, count: usize, most: usize) -> Result<(), Error> {
    if count > most { Err(Error::TooMany { field, most }) } else { Ok(()) }
}
