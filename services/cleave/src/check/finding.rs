//! What a check found, and how it is told.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Works, but not for long or not well.
    Warning,
    /// Does not work.
    Failure,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) text: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            text: text.into(),
            hint: None,
        }
    }

    pub(super) fn warning(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            text: text.into(),
            hint: Some(hint.into()),
        }
    }

    pub(super) fn failure(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            level: Level::Failure,
            ..Self::warning(text, hint)
        }
    }
}

/// The lines on one matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) level: Level,
    pub(super) sections: Vec<Section>,
}

impl Report {
    /// Of these sections; those without a line are left out.
    pub(super) fn new(sections: Vec<Section>) -> Self {
        let sections: Vec<_> = sections
            .into_iter()
            .filter(|section| !section.findings.is_empty())
            .collect();
        let findings = sections.iter().flat_map(|section| &section.findings);
        let level = findings.map(|finding| finding.level).max();
        Self {
            level: level.unwrap_or(Level::Ok),
            sections,
        }
    }

    /// Whether it passes: without failures, and without warnings when they count.
    pub(super) fn passes(&self, strict: bool) -> bool {
        self.level <= if strict { Level::Ok } else { Level::Warning }
    }

    /// How many lines are of this level.
    pub(super) fn count(&self, level: Level) -> usize {
        let findings = self.sections.iter().flat_map(|section| &section.findings);
        findings.filter(|finding| finding.level == level).count()
    }

    /// Prints it for people.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        for section in &self.sections {
            let line = "-".repeat(section.name.len());
            writeln!(out, "{}\n{line}", section.name)?;
            for finding in &section.findings {
                writeln!(out, "{} {}", mark(finding.level, colours), finding.text)?;
                if let Some(hint) = &finding.hint {
                    writeln!(out, "    hint: {hint}")?;
                }
            }
            writeln!(out)?;
        }
        let (failures, warnings) = (self.count(Level::Failure), self.count(Level::Warning));
        let mark = mark(self.level, colours);
        match (failures, warnings) {
            (0, 0) => writeln!(out, "{mark} everything is as it should be")?,
            _ => writeln!(
                out,
                "{mark} {}, {}",
                counted(failures, "failure"),
                counted(warnings, "warning")
            )?,
        }
        Ok(())
    }
}

fn mark(level: Level, colours: bool) -> String {
    let (mark, colour) = match level {
        Level::Ok => ("√", 32),
        Level::Warning => ("‼", 33),
        Level::Failure => ("×", 31),
    };
    if colours {
        format!("\x1b[{colour}m{mark}\x1b[0m")
    } else {
        mark.to_owned()
    }
}

fn counted(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_line_decides_and_warnings_only_when_they_count() {
        let section = |findings| Section {
            name: "section",
            findings,
        };
        let good = Report::new(vec![section(vec![Finding::ok("a")]), section(vec![])]);
        assert!(good.passes(true) && good.sections.len() == 1);
        let warned = vec![Finding::ok("a"), Finding::warning("b", "c")];
        let warned = Report::new(vec![section(warned)]);
        assert!(warned.passes(false) && !warned.passes(true));
        let failed = Report::new(vec![section(vec![Finding::failure("a", "b")])]);
        assert!(!failed.passes(false));
    }
}
