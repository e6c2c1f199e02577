//! A line that cannot be imported, and why.

use std::fmt;

use serde::Serialize;

/// What is wrong with a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The line of the file, the header being line 1.
    pub(crate) line: u64,
    /// The column at fault; empty when it is the line as a whole.
    pub(crate) column: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn of_line(line: u64, column: &str, reason: impl Into<String>) -> Self {
        Self {
            line,
            column: column.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column {:?}", self.column)?;
        }
        write!(f, ": {}", self.reason)
    }
}
