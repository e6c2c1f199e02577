//! Enums whose variants have a name that is stored, sent and printed.

/// A text that names no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {of}")]
pub struct UnknownName {
    /// The text.
    pub text: String,
    /// The enum.
    pub of: &'static str,
}

/// An enum whose variants have names.
pub trait Named: Copy + PartialEq + 'static {
    /// Every variant.
    const ALL: &'static [Self];

    /// The name of the variant, upper snake case.
    fn name(self) -> &'static str;
}

/// Declares an enum with a name for each variant; the name is also what serde reads and writes.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $crate::named::Named for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::named::Named::name(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::named::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::named::UnknownName {
                        text: text.to_owned(),
                        of: stringify!($name),
                    }),
                }
            }
        }
    };
}

pub(crate) use named;
