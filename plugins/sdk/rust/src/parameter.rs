//! Kinds of parameters: how each is described in the manifest's schema, and read from a policy's JSON.

use crate::json::{ReadError, Reader, Writer};
use crate::list::List;
use crate::value::Fen;

/// A kind of parameter.
pub trait Parameter: Sized {
    /// What a default is written as in a policy's declarations.
    type Written;
    /// The default from what is written.
    fn of(written: Self::Written) -> Self;
    /// Reads its JSON.
    ///
    /// # Errors
    /// If it is of another kind.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError>;
    /// Writes its JSON: a default.
    fn write(&self, out: &mut Writer);
    /// Writes the schema's keywords for it; `range` bounds numbers, or those in a list.
    fn schema(out: &mut Writer, range: Option<(i64, i64)>);
}

fn number_schema(out: &mut Writer, (least, most): (i64, i64)) {
    out.key("type").text("integer").key("minimum").integer(least).key("maximum").integer(most);
}

macro_rules! whole {
    ($($int:ty),*) => {
        $(impl Parameter for $int {
            type Written = Self;
            fn of(written: Self) -> Self {
                written
            }
            fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                Self::try_from(reader.integer()?).map_err(|_| "parameters: a number is too large or too small")
            }
            fn write(&self, out: &mut Writer) {
                out.integer((*self).into());
            }
            fn schema(out: &mut Writer, range: Option<(i64, i64)>) {
                number_schema(out, range.unwrap_or((Self::MIN.into(), Self::MAX.into())));
            }
        })*
    };
}
whole!(u8, u16, u32, i32);

impl Parameter for Fen {
    type Written = i64;
    fn of(written: i64) -> Self {
        Self(written)
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.integer().map(Self)
    }
    fn write(&self, out: &mut Writer) {
        out.integer(self.0);
    }
    fn schema(out: &mut Writer, range: Option<(i64, i64)>) {
        // 10 billion yuan: the host takes no larger amount either.
        number_schema(out, range.unwrap_or((-1_000_000_000_000, 1_000_000_000_000)));
        out.key("x-unit").text("fen");
    }
}

impl Parameter for bool {
    type Written = Self;
    fn of(written: Self) -> Self {
        written
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.boolean()
    }
    fn write(&self, out: &mut Writer) {
        out.boolean(*self);
    }
    fn schema(out: &mut Writer, _: Option<(i64, i64)>) {
        out.key("type").text("boolean");
    }
}

impl<T: Parameter + Copy + Default + 'static, const N: usize> Parameter for List<T, N> {
    type Written = &'static [T];
    fn of(written: &'static [T]) -> Self {
        let mut list = Self::new();
        for value in written {
            assert!(list.push(*value), "more values than the list may hold");
        }
        list
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let mut list = Self::new();
        reader.array(|r| {
            let value = T::read(r)?;
            if list.push(value) { Ok(()) } else { Err("parameters: a list is too long") }
        })?;
        Ok(list)
    }
    fn write(&self, out: &mut Writer) {
        out.open('[');
        for value in &**self {
            value.write(out);
        }
        out.close(']');
    }
    fn schema(out: &mut Writer, range: Option<(i64, i64)>) {
        out.key("type").text("array").key("maxItems").integer(N as i64).key("uniqueItems").boolean(true);
        out.key("items").open('{');
        T::schema(out, range);
        out.close('}');
    }
}

/// A parameter that may be left out.
pub trait Optional: Parameter {
    /// What it is then.
    fn absent() -> Self;
}

impl<T: Parameter> Optional for Option<T> {
    fn absent() -> Self {
        None
    }
}

impl<T: Parameter> Parameter for Option<T> {
    type Written = Self;
    fn of(written: Self) -> Self {
        written
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        T::read(reader).map(Some)
    }
    fn write(&self, out: &mut Writer) {
        if let Some(value) = self {
            value.write(out);
        }
    }
    fn schema(out: &mut Writer, range: Option<(i64, i64)>) {
        T::schema(out, range);
    }
}

/// Declares a parameter that is one of several words. The first line of each variant's comment is what an office reads.
///
/// ```
/// gridbell_plugin::choice! {
///     /// How days are counted.
///     pub enum Counting {
///         /// 自然日
///         CalendarDays,
///         /// 工作日
///         WorkingDays,
///     }
/// }
/// ```
/// In a policy's file the words are `calendar-days` and `working-days`.
#[macro_export]
macro_rules! choice {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $(#[doc = $title:literal] $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        $vis enum $name { $(#[doc = $title] $variant),+ }

        impl $crate::Parameter for $name {
            type Written = Self;
            fn of(written: Self) -> Self {
                written
            }
            fn read(reader: &mut $crate::Reader<'_>) -> ::core::result::Result<Self, &'static str> {
                let text = reader.string()?;
                $(if $crate::manifest::is_name(text, stringify!($variant)) { return Ok(Self::$variant); })+
                Err("parameters: a choice is not one of its words")
            }
            fn write(&self, out: &mut $crate::Writer) {
                match self { $(Self::$variant => { out.kebab(stringify!($variant)); })+ }
            }
            fn schema(out: &mut $crate::Writer, _: Option<(i64, i64)>) {
                out.key("type").text("string").key("enum").open('[');
                $(out.kebab(stringify!($variant));)+
                out.close(']').key("x-enum-titles").open('[');
                $(out.text($title.trim());)+
                out.close(']');
            }
        }
    };
}

choice! {
    /// How days are counted.
    pub enum Counting {
        /// 自然日
        Calendar,
        /// 工作日（含调休）
        Working,
    }
}
