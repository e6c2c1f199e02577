//! The text of an insert of many rows, in the words of each engine.

use super::IfThere;
use cleave_storage::Engine;
use std::fmt::Write as _;

/// `INSERT INTO table (columns) VALUES (..), (..) ..` for `rows` rows, the first column being the key.
pub(super) fn text(
    engine: Engine,
    table: &str,
    columns: &[&str],
    rows: usize,
    if_there: IfThere,
) -> String {
    let quote = match engine {
        Engine::Sqlite | Engine::Postgres => '"',
        Engine::MySql => '`',
    };
    let quoted = |name: &str| format!("{quote}{name}{quote}");
    let names: Vec<_> = columns.iter().copied().map(quoted).collect();
    let mut sql = String::with_capacity(256 + rows * columns.len() * 7);
    sql.push_str("INSERT INTO ");
    sql.push_str(&quoted(table));
    sql.push_str(" (");
    sql.push_str(&names.join(", "));
    sql.push_str(") VALUES ");
    places(&mut sql, engine, columns.len(), rows);
    sql.push_str(&conflict(engine, &quoted(table), &names, if_there));
    sql
}

/// One pair of brackets per row, with a place for each value.
fn places(sql: &mut String, engine: Engine, columns: usize, rows: usize) {
    let mut number = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                sql.push_str(", ");
            }
            number += 1;
            match engine {
                Engine::Sqlite | Engine::MySql => sql.push('?'),
                // Writing to a string cannot fail.
                Engine::Postgres => {
                    let _ = write!(sql, "${number}");
                }
            }
        }
        sql.push(')');
    }
}

fn conflict(engine: Engine, table: &str, names: &[String], if_there: IfThere) -> String {
    let Some((key, others)) = names.split_first() else {
        return String::new();
    };
    let set = |names: &[String], value: &dyn Fn(&str) -> String| {
        let sets = names.iter().map(|name| format!("{name} = {}", value(name)));
        sets.collect::<Vec<_>>().join(", ")
    };
    let update = |value: fn(&str) -> String| set(others, &value);
    let counters = |count: usize| &others[others.len().saturating_sub(count)..];
    match (if_there, engine) {
        (IfThere::Fail, _) => String::new(),
        (IfThere::Add(count), Engine::MySql) => {
            let sets = set(counters(count), &|name| format!("{name} + VALUES({name})"));
            format!(" ON DUPLICATE KEY UPDATE {sets}")
        }
        (IfThere::Add(count), _) => {
            let sum = |name: &str| format!("{table}.{name} + excluded.{name}");
            let sets = set(counters(count), &sum);
            format!(" ON CONFLICT ({key}) DO UPDATE SET {sets}")
        }
        (IfThere::Keep, Engine::MySql) => format!(" ON DUPLICATE KEY UPDATE {key} = {key}"),
        (IfThere::Keep, _) => format!(" ON CONFLICT ({key}) DO NOTHING"),
        (IfThere::Replace, Engine::MySql) => {
            let sets = update(|name| format!("VALUES({name})"));
            format!(" ON DUPLICATE KEY UPDATE {sets}")
        }
        (IfThere::Replace, _) => {
            let sets = update(|name| format!("excluded.{name}"));
            format!(" ON CONFLICT ({key}) DO UPDATE SET {sets}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_gets_its_own_words() {
        let words = |engine, if_there| text(engine, "t", &["id", "n"], 2, if_there);
        assert_eq!(
            words(Engine::Postgres, IfThere::Replace),
            "INSERT INTO \"t\" (\"id\", \"n\") VALUES ($1, $2), ($3, $4) \
             ON CONFLICT (\"id\") DO UPDATE SET \"n\" = excluded.\"n\""
        );
        assert_eq!(
            words(Engine::Sqlite, IfThere::Keep),
            "INSERT INTO \"t\" (\"id\", \"n\") VALUES (?, ?), (?, ?) ON CONFLICT (\"id\") DO NOTHING"
        );
        assert!(
            words(Engine::Postgres, IfThere::Add(1)).ends_with(
                "ON CONFLICT (\"id\") DO UPDATE SET \"n\" = \"t\".\"n\" + excluded.\"n\""
            )
        );
        assert!(
            words(Engine::MySql, IfThere::Add(1))
                .ends_with("ON DUPLICATE KEY UPDATE `n` = `n` + VALUES(`n`)")
        );
        assert_eq!(
            words(Engine::MySql, IfThere::Replace),
            "INSERT INTO `t` (`id`, `n`) VALUES (?, ?), (?, ?) \
             ON DUPLICATE KEY UPDATE `n` = VALUES(`n`)"
        );
    }
}
