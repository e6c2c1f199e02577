//! What is wrong with a field of a request: where, why, and what to do.

use std::borrow::Cow;
use std::fmt;

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field from the root of the request, such as `rows[3].key.hour`.
    pub field: String,
    /// Machine-readable reason in upper snake case, such as `REQUIRED`.
    pub reason: Cow<'static, str>,
    /// What is wrong and what to do, for a person.
    pub description: String,
}

impl Violation {
    /// `field` is wrong for `reason`.
    pub fn new(
        field: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
            description: description.into(),
        }
    }

    /// `field` is missing.
    pub fn required(field: impl Into<String>) -> Self {
        Self::new(field, "REQUIRED", "the field is required")
    }

    /// The same violation seen from the parent that holds the field as `parent`.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.field = match self.field.as_bytes().first() {
            None => parent.to_owned(),
            Some(b'[') => format!("{parent}{}", self.field),
            Some(_) => format!("{parent}.{}", self.field),
        };
        self
    }

    /// The same violation seen from the list whose element `index` holds the field.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.field = if self.field.is_empty() {
            format!("[{index}]")
        } else {
            format!("[{index}].{}", self.field)
        };
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.description)
    }
}

impl std::error::Error for Violation {}

/// Every field of one request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// None so far.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one more.
    pub fn push(&mut self, violation: Violation) {
        self.0.push(violation);
    }

    /// The value, or `None` with its violation noted.
    pub fn take<T, V: Into<Violations>>(&mut self, value: Result<T, V>) -> Option<T> {
        value.map_err(|found| self.0.extend(found.into().0)).ok()
    }

    /// `value` when nothing was noted.
    ///
    /// # Errors
    /// When something was.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The violations, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_grows_from_the_leaf_to_the_root() {
        let violation = Violation::required("hour").under("key").at(3).under("rows");
        assert_eq!(violation.field, "rows[3].key.hour");
        assert_eq!(Violation::required("").at(0).under("ids").field, "ids[0]");
    }
}
