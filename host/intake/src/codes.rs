//! What may be wrong with a row, as a stable code for scripts and a sentence in each language for people.

/// An enum whose variants have a code, an English sentence (`Display`) and a Chinese one.
macro_rules! codes {
    ($(#[$enum_doc:meta])* $enum:ident, $every:literal; $($(#[$doc:meta])* $name:ident = $code:literal, $english:literal, $chinese:literal;)*) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum $enum { $($(#[$doc])* $name),* }

        impl $enum {
            #[doc = $every]
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The sentence that offices see.
            #[must_use]
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$name => $chinese),* }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$name => $english),* })
            }
        }
    };
}
pub(crate) use codes;
