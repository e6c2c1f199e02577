//! Who reports delivery.

use cleave_kernel::Violation;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Longest name of a source.
const SOURCE_MAX_LEN: usize = 100;

/// Names who reports: an ad server, a third-party counter, an imported network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// A name of 1 to 100 characters out of `a-z 0-9 - _ . :`.
    ///
    /// # Errors
    /// When it is not such a name; the field of the violation is empty, for the caller to root.
    pub fn new(name: &str) -> Result<Self, Violation> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':');
        if name.is_empty() {
            return Err(Violation::required(""));
        }
        if !name.bytes().all(fits) || name.len() > SOURCE_MAX_LEN {
            return Err(Violation::new(
                "",
                "MALFORMED",
                "a source is 1 to 100 characters of a-z, 0-9, '-', '_', '.' and ':'",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SourceName {
    type Error = Violation;

    fn try_from(name: String) -> Result<Self, Violation> {
        Self::new(&name)
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.as_ref().to_owned()
    }
}
