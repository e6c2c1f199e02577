//! Lays one source of settings over the defaults, key by key.

use super::fault::{Fault, Faults};
use toml::{Table, Value};

/// Lays `over` on `base`. A key that `base` does not have, or has with another type, is a fault and
/// changes nothing.
pub(super) fn lay(base: &mut Table, over: Table, path: &str, source: &str, faults: &mut Faults) {
    for (name, value) in over {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(slot) = base.get_mut(&name) else {
            faults.found.push(unknown(key, source, base));
            continue;
        };
        match (slot, value) {
            (Value::Table(inner), Value::Table(value)) => lay(inner, value, &key, source, faults),
            (slot, value) if slot.same_type(&value) => {
                *slot = value;
                faults.sources.insert(key, source.to_owned());
            }
            (slot, value) => faults.found.push(Fault {
                problem: format!(
                    "{value} is a {}, not a {}",
                    value.type_str(),
                    slot.type_str()
                ),
                mend: format!("write it like the default, {slot}"),
                source: source.to_owned(),
                key,
            }),
        }
    }
}

fn unknown(key: String, source: &str, base: &Table) -> Fault {
    let known: Vec<&str> = base.keys().map(String::as_str).collect();
    let last = key.rsplit('.').next().unwrap_or_default();
    let mend = match nearest(last, &known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Fault {
        key,
        source: source.to_owned(),
        problem: "there is no such key".to_owned(),
        mend,
    }
}

/// The known name that differs from `name` in the fewest letters, when those are few.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The table that holds `key = text`, with the type that `base` has at that key; flags and environment
/// come as text.
pub(super) fn from_text(base: &Table, key: &str, text: &str) -> Table {
    let expected = key
        .split('.')
        .try_fold(Value::Table(base.clone()), |value, name| {
            value.get(name).cloned()
        });
    let value = expected.and_then(|expected| typed(&expected, text));
    let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
    nest(key, value)
}

/// The text as the type of `like`, when it can be read so.
fn typed(like: &Value, text: &str) -> Option<Value> {
    match like {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        )),
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// `a.b.c` and a value as nested tables.
pub(super) fn nest(key: &str, value: Value) -> Table {
    let (first, rest) = match key.split_once('.') {
        Some((first, rest)) => (first, Value::Table(nest(rest, value))),
        None => (key, value),
    };
    Table::from_iter([(first.to_owned(), rest)])
}

/// Every leaf of a table with its dotted key.
pub(super) fn leaves(table: &Table, path: &str, out: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match value {
            Value::Table(inner) => leaves(inner, &key, out),
            value => out.push((key, value.clone())),
        }
    }
}
