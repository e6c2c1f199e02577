//! The documented defaults as one file: each key once, with its comment and the value that holds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use toml::{Table, Value};

/// Joins the documents. A later one may give another value to a key of an earlier one: then the key stays
/// where it was documented first, and shows that value.
pub(super) fn join(documents: &[String], defaults: &Table) -> String {
    let mut out = String::new();
    let mut shown = BTreeSet::new();
    for document in documents {
        let mut section = String::new();
        // Comments, blank lines and section heads wait for a key that is shown.
        let mut waiting = String::new();
        let mut head = String::new();
        for line in document.lines().map(str::trim) {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                name.clone_into(&mut section);
                head = format!("{waiting}{line}\n");
                waiting.clear();
                continue;
            }
            let Some(name) = key_of(line) else {
                let _ = writeln!(waiting, "{line}");
                continue;
            };
            let key = if section.is_empty() {
                name.to_owned()
            } else {
                format!("{section}.{name}")
            };
            if shown.insert(key.clone()) {
                let value = value_of(defaults, &key);
                let _ = writeln!(out, "{head}{waiting}{name} = {value}");
                head.clear();
            }
            waiting.clear();
        }
    }
    out
}

/// The key that a line gives a value to.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

fn value_of(defaults: &Table, key: &str) -> Value {
    super::loader::lookup(defaults, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overridden_key_is_shown_once_with_the_value_that_holds() {
        let host = "# Where.\n[host]\n# Address.\nlisten = \"a\"\n# Threads.\nworkers = 0\n";
        let own = "[host]\n# Ours.\nlisten = \"b\"\n\n# Leases.\n[lease]\n# How many.\nbatch = 5\n";
        let defaults: Table = "[host]\nlisten = \"b\"\nworkers = 0\n[lease]\nbatch = 5\n"
            .parse()
            .expect("table");

        let text = join(&[host.to_owned(), own.to_owned()], &defaults);

        assert_eq!(
            text,
            "# Where.\n[host]\n# Address.\nlisten = \"b\"\n# Threads.\nworkers = 0\n\
             \n# Leases.\n[lease]\n# How many.\nbatch = 5\n"
        );
        assert_eq!(text.parse::<Table>().expect("table"), defaults);
    }
}
