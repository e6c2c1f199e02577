//! The text of bulk statements.

use super::Column;
use crate::Engine;

/// PostgreSQL: rows from one array per column; a second array says where a nullable column is null.
pub(super) fn insert_arrays(table: &str, columns: &[Column], tail: &str) -> String {
    let (mut names, mut picks, mut arrays, mut aliases) = (vec![], vec![], vec![], vec![]);
    let mut array = |kind: &str, alias: String| {
        arrays.push(format!("${}::{kind}", arrays.len() + 1));
        aliases.push(alias);
    };
    for (index, column) in columns.iter().enumerate() {
        names.push(quoted(Engine::Postgres, column.name()));
        array(column.kind().array_type(), format!("c{index}"));
        if column.is_nullable() {
            array("boolean[]", format!("n{index}"));
            picks.push(format!("CASE WHEN n{index} THEN NULL ELSE c{index} END"));
        } else {
            picks.push(format!("c{index}"));
        }
    }
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM UNNEST({}) AS r({}){tail}",
        quoted(Engine::Postgres, table),
        names.join(", "),
        picks.join(", "),
        arrays.join(", "),
        aliases.join(", "),
    )
}

/// The others: `rows` rows of values.
pub(super) fn insert_rows(
    engine: Engine,
    table: &str,
    columns: &[Column],
    rows: usize,
    tail: &str,
) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| quoted(engine, column.name()))
        .collect();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!(
        "INSERT INTO {} ({}) VALUES {}{tail}",
        quoted(engine, table),
        names.join(", "),
        vec![row; rows].join(", "),
    )
}

/// What follows when rows whose `key` is taken shall be overwritten.
pub(super) fn overwrite_taken(engine: Engine, columns: &[Column], key: &[&str]) -> String {
    let overwritten = columns
        .iter()
        .filter(|column| !key.contains(&column.name()));
    let assignments: Vec<String> = overwritten
        .map(|column| {
            let name = quoted(engine, column.name());
            match engine {
                Engine::MySql => format!("{name} = VALUES({name})"),
                Engine::Sqlite | Engine::Postgres => format!("{name} = excluded.{name}"),
            }
        })
        .collect();
    if assignments.is_empty() {
        return keep_taken(engine, key);
    }
    let assignments = assignments.join(", ");
    match engine {
        Engine::MySql => format!(" ON DUPLICATE KEY UPDATE {assignments}"),
        Engine::Sqlite | Engine::Postgres => format!(
            " ON CONFLICT ({}) DO UPDATE SET {assignments}",
            list(engine, key)
        ),
    }
}

/// What follows when rows whose `key` is taken shall stay as they are.
pub(super) fn keep_taken(engine: Engine, key: &[&str]) -> String {
    match engine {
        // Not INSERT IGNORE, which lets other faults of a row pass as well.
        Engine::MySql => {
            let name = quoted(engine, key.first().unwrap_or(&""));
            format!(" ON DUPLICATE KEY UPDATE {name} = {name}")
        }
        Engine::Sqlite | Engine::Postgres => {
            format!(" ON CONFLICT ({}) DO NOTHING", list(engine, key))
        }
    }
}

fn list(engine: Engine, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(engine, name)).collect();
    names.join(", ")
}

fn quoted(engine: Engine, name: &str) -> String {
    match engine {
        Engine::MySql => format!("`{name}`"),
        Engine::Sqlite | Engine::Postgres => format!("\"{name}\""),
    }
}
