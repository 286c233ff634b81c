//! What [`policy!`](crate::policy) makes of a policy's declarations.

use alloc::string::String;

use crate::abi::Batch;
use crate::answer::Answer;
use crate::interest::Interest;
use crate::json::ReadError;
use crate::run::Run;

/// A policy as the contract's functions see it. [`crate::policy!`] implements it; authors write the `Policy` that it makes.
pub trait Plugin: Sized {
    /// What the rule looks at: one row's values.
    type Customer: Customer;
    /// Why the rule answers what it answers.
    type Reason: Copy + Into<u16>;
    /// The manifest's text.
    fn manifest() -> String;
    /// The rule's figures for one run.
    ///
    /// # Errors
    /// In words for the operator; fails the run.
    fn prepare(run: &Run<'_>) -> Result<Self, ReadError>;
    /// Whom it could choose at all.
    fn interest(&self) -> Interest;
    /// What it answers about one customer.
    fn decide(&self, customer: &Self::Customer) -> Answer<Self::Reason>;
}

/// One row's values, and the columns they come from.
pub trait Customer: Copy {
    /// The columns of a batch, one slice each.
    type Columns<'a>: Copy;
    /// Finds the columns in a batch, each in its place and as long as the batch.
    ///
    /// # Errors
    /// If the host passed others than the manifest asks for.
    fn columns<'a>(batch: &Batch<'a>) -> Result<Self::Columns<'a>, ReadError>;
    /// The values of one row.
    fn of(columns: Self::Columns<'_>, row: usize) -> Self;
    /// A customer of whom nothing is known.
    fn unknown() -> Self;
    /// Ids of the columns, in the manifest's order.
    fn ids() -> &'static [u16];
    /// The number that crosses for the `index`-th column.
    fn number(&self, index: usize) -> i64;
    /// Sets the `index`-th column from such a number, cut to the column's type.
    fn set(&mut self, index: usize, number: i64);
}

/// Declares a policy. See the crate's documentation and `plugins/README.md`; `arrears-reminder` shows every part.
///
/// Comments are what offices read: a parameter's first line is its title, further lines its description; the lines of a notice or a
/// reason are its title. Identifiers become names in kebab case (`BelowMinimum` is `below-minimum`), parameters keep theirs.
#[macro_export]
macro_rules! policy {
    (
        $(#[doc = $doc:literal])+
        policy $rule:ident = $name:literal, version $version:expr, topic $topic:literal, on [$($trigger:ident),+ $(,)?];

        parameters { $(
            $(#[doc = $pdoc:literal])+
            $pname:ident: $pty:ty $(= $pdefault:expr)? $(, $prange:expr)?;
        )* }

        customer { $($column:ident),* $(,)? }

        notices { $(
            $(#[doc = $ndoc:literal])+
            $notice:ident($($arg0:ident: $aty0:ty $(, $arg1:ident: $aty1:ty)?)?);
        )+ }

        reasons { $(
            $(#[doc = $rdoc:literal])+
            $reason:ident
        ),+ $(,)? }

        routes { $($route:ident),+ $(,)? }
    ) => {
        /// The policy's parameters, as an office sets them.
        #[derive(Clone, Debug)]
        pub struct Parameters { $($(#[doc = $pdoc])+ pub $pname: $pty,)* }

        impl Parameters {
            /// Reads the parameters that the host passes: valid, defaults filled in.
            ///
            /// # Errors
            /// In words for the operator.
            pub fn read(text: &str) -> ::core::result::Result<Self, &'static str> {
                $(let mut $pname: $pty = $crate::policy!(@default $pty $(, $pdefault)?);)*
                $crate::Reader::new(text).object(|key, reader| {
                    $(if key == stringify!($pname).as_bytes() {
                        $pname = <$pty as $crate::Parameter>::read(reader)?;
                        return Ok(());
                    })*
                    reader.skip()
                })?;
                Ok(Self { $($pname,)* })
            }
        }

        /// One customer as this policy sees it.
        #[derive(Clone, Copy, Debug)]
        pub struct Customer { $(
            /// See the registry.
            pub $column: <$crate::columns::$column as $crate::Column>::Value,
        )* }

        #[doc(hidden)]
        #[derive(Clone, Copy)]
        pub struct Columns<'a> { $($column: &'a [<$crate::columns::$column as $crate::Column>::Raw],)* }

        impl $crate::abi::Customer for Customer {
            type Columns<'a> = Columns<'a>;

            fn columns<'a>(batch: &$crate::abi::Batch<'a>) -> ::core::result::Result<Columns<'a>, &'static str> {
                let mut index = 0..;
                Ok(Columns { $($column: batch.column::<$crate::columns::$column>(index.next().unwrap_or(0))?,)* })
            }

            #[inline(always)]
            fn of(columns: Columns<'_>, row: usize) -> Self {
                Self { $($column: $crate::Reading::read(columns.$column[row]),)* }
            }

            fn unknown() -> Self {
                Self { $($column: $crate::Reading::read(<$crate::columns::$column as $crate::Column>::UNKNOWN),)* }
            }

            fn ids() -> &'static [u16] {
                &[$(<$crate::columns::$column as $crate::Column>::ID),*]
            }

            fn number(&self, index: usize) -> i64 {
                [$($crate::Reading::number(self.$column)),*][index]
            }

            fn set(&mut self, index: usize, number: i64) {
                let mut place = 0..;
                $(if place.next() == Some(index) {
                    self.$column = $crate::Reading::read(number as <$crate::columns::$column as $crate::Column>::Raw);
                })*
            }
        }

        impl Default for Customer {
            fn default() -> Self {
                <Self as $crate::abi::Customer>::unknown()
            }
        }

        #[allow(non_camel_case_types, reason = "a notice's index bears its name")]
        enum NoticeIndex { $($notice),+ }

        /// What this policy can say.
        pub struct Notice;

        impl Notice {
            $($(#[doc = $ndoc])+
            #[inline]
            #[must_use]
            pub fn $notice($($arg0: $aty0 $(, $arg1: $aty1)?)?) -> $crate::Say {
                let args: [i64; 2] = $crate::policy!(@args $($arg0 $(, $arg1)?)?);
                $crate::Say::notice(NoticeIndex::$notice as u16, args[0], args[1])
            })+
        }

        /// Why this policy answers what it answers.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum Reason { $($(#[doc = $rdoc])+ $reason),+ }

        impl From<Reason> for u16 {
            #[inline]
            fn from(reason: Reason) -> u16 {
                reason as u16
            }
        }

        /// The routes that this policy can ask for; a policy's file says what they mean.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum Route { $(
            #[doc = stringify!($route)]
            $route
        ),+ }

        impl From<Route> for u16 {
            fn from(route: Route) -> u16 {
                route as u16
            }
        }

        /// What the rule answers about one customer.
        pub type Answer = $crate::Answer<Reason>;

        /// What an author writes.
        pub trait Policy: Sized {
            /// The rule's figures for one run, computed once for each batch.
            ///
            /// # Errors
            /// In words for the operator; fails the run.
            fn prepare(run: &$crate::Run<'_>, parameters: &Parameters) -> ::core::result::Result<Self, &'static str>;
            /// Whom the rule could choose at all: whoever lies outside must get no notice from `decide`.
            fn interest(&self) -> $crate::Interest;
            /// One customer: a notice and why, or why not.
            fn decide(&self, customer: &Customer) -> Answer;
        }

        impl $crate::abi::Plugin for $rule {
            type Customer = Customer;
            type Reason = Reason;

            fn manifest() -> $crate::String {
                use $crate::manifest;
                let mut out = manifest::begin(
                    $name,
                    $version,
                    $topic,
                    &[$($doc),+],
                    &[$($crate::triggers::$trigger),+],
                    &[$(<$crate::columns::$column as $crate::Column>::NAME),*],
                );
                $({
                    let default: Option<$pty> = $crate::policy!(@shown $(<$pty as $crate::Parameter>::of($pdefault))?);
                    let range = $crate::policy!(@shown $($prange)?);
                    manifest::parameter::<$pty>(&mut out, stringify!($pname), &[$($pdoc),+], default.as_ref(), range);
                })*
                manifest::notices(&mut out);
                $(
                    manifest::notice(&mut out, stringify!($notice), &[$($ndoc),+]);
                    $(
                        manifest::arg::<$aty0>(&mut out, "arg0", stringify!($arg0));
                        $(manifest::arg::<$aty1>(&mut out, "arg1", stringify!($arg1));)?
                    )?
                    out.close('}');
                )+
                manifest::reasons(&mut out);
                $(manifest::reason(&mut out, stringify!($reason), &[$($rdoc),+]);)+
                manifest::routes(out, &[$(stringify!($route)),+])
            }

            fn prepare(run: &$crate::Run<'_>) -> ::core::result::Result<Self, &'static str> {
                <Self as Policy>::prepare(run, &Parameters::read(run.parameters())?)
            }

            fn interest(&self) -> $crate::Interest {
                <Self as Policy>::interest(self)
            }

            #[inline(always)]
            fn decide(&self, customer: &Customer) -> Answer {
                <Self as Policy>::decide(self, customer)
            }
        }

        $crate::export!($rule);
    };

    (@default $ty:ty, $default:expr) => { <$ty as $crate::Parameter>::of($default) };
    // Without a default a parameter is an `Option`, and left out is `None`.
    (@default $ty:ty) => { $crate::manifest::absent::<$ty>() };
    (@shown $value:expr) => { Some($value) };
    (@shown) => { None };
    (@args) => { [0, 0] };
    (@args $a:ident) => { [$crate::Arg::number($a), 0] };
    (@args $a:ident, $b:ident) => { [$crate::Arg::number($a), $crate::Arg::number($b)] };
}
