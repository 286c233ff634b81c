//! What can be wrong with a document, and where. Never names a type of the program: its readers are clerks and operators.

use std::fmt;

/// Where in a file something stands. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; none for a document that came as JSON.
    pub place: Option<Place>,
    /// The field, as `policy[0].windows[1]`; empty for the document as a whole.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{}:{}: ", place.line, place.column)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with one document: a clerk mends a file once, not once per mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The document's name: a path or an address.
    pub document: String,
    /// In the order in which they stand. At most [`Problems::MAX`] are kept.
    pub list: Vec<Problem>,
}

impl Problems {
    /// The most problems that one answer lists: a wrong file type should not print a book.
    pub const MAX: usize = 50;

    /// Problems of `document`, sorted by place; `Ok` if there are none.
    ///
    /// # Errors
    /// With the problems, if there are any.
    pub fn refuse(document: &str, mut list: Vec<Problem>) -> Result<(), Self> {
        if list.is_empty() {
            return Ok(());
        }
        list.sort_by_key(|p| p.place);
        list.truncate(Self::MAX);
        Err(Self { document: document.to_owned(), list })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            let colon = if problem.place.is_some() { ":" } else { ": " };
            write!(f, "{separator}{}{colon}{problem}", self.document)?;
        }
        Ok(())
    }
}

/// Why something of the planner's could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlannerError {
    /// A document is wrong.
    #[error(transparent)]
    Document(#[from] Problems),
    /// A schedule's pattern is wrong.
    #[error("`{pattern}` is not a schedule: {reason}; write minute, hour, day, month and weekday, as `0 9 * * *`")]
    Cron {
        /// What was given.
        pattern: String,
        /// The parser's words.
        reason: String,
    },
    /// A time of day, window or duration is wrong.
    #[error("`{value}` is not a {what}: write it as {example}")]
    Time {
        /// What was given.
        value: String,
        /// What was expected.
        what: &'static str,
        /// A right one.
        example: &'static str,
    },
    /// A template is wrong.
    #[error("{line}:{column}: {message}")]
    Template {
        /// Line within the text, from 1.
        line: u32,
        /// Column within the line, from 1.
        column: u32,
        /// What is wrong and what to do.
        message: String,
    },
    /// A policy names what its run does not have: the plugin was changed under it.
    #[error("policy `{policy}`: {message}")]
    Setup {
        /// The policy's name.
        policy: String,
        /// What is missing.
        message: String,
    },
}
