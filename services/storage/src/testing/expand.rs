//! Whether migrations only expand: what the release before reads and writes must still be there, as it was, while both
//! run side by side and after it was rolled back to. Every migration is run by itself, on an engine, on tables that hold
//! rows; then those since the last release are held against the schema that it was released with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, Statement};

use super::TestDatabase;
use crate::migrate::{self, CONTRACT, Migrations};
use crate::{Database, Engine};

/// A migration that takes something away on purpose, and why it may: its name has [`CONTRACT`] in it.
pub type Contraction = (&'static str, &'static str);

/// Columns and unique keys by name, each with what it promises.
type Schema = BTreeMap<String, String>;

/// What a release promises: the migrations that it has and the schema that they lead to.
struct Release {
    migrations: Vec<String>,
    schema: Schema,
}

/// Checks `migrations` on every engine that is at hand against the record of the last release in `folder`, which
/// `CLEAVE_BLESS=1` writes anew. Answers what breaks the release before.
///
/// # Panics
/// When the database does not do what it is told, or there is no record.
pub async fn breaks(
    migrations: fn() -> Migrations,
    folder: &Path,
    allowed: &[Contraction],
) -> Vec<String> {
    let mut found = Vec::new();
    for engine in Engine::ALL {
        let Some(test) = TestDatabase::on(engine).await else {
            continue;
        };
        let file = folder.join(format!("{engine}.txt"));
        if std::env::var_os("CLEAVE_BLESS").is_some() {
            migrate::run(test.db(), &migrations())
                .await
                .expect("migrated");
            record(&file, &migrations(), &schema(test.db()).await);
            continue;
        }
        let release = recorded(&file);
        let steps = step_by_step(test.db(), migrations, &release, allowed).await;
        found.extend(steps.into_iter().map(|what| format!("{engine}: {what}")));
    }
    found
}

/// Runs one migration after the other, on what the one before has left, and compares.
async fn step_by_step(
    db: &Database,
    migrations: fn() -> Migrations,
    release: &Release,
    allowed: &[Contraction],
) -> Vec<String> {
    let mut found = Vec::new();
    let names: Vec<String> = migrations()
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    if !names.starts_with(&release.migrations) {
        found.push(format!(
            "the last release has run {:?}, which is not how the list begins: a released migration is neither changed, \
             moved nor taken out",
            release.migrations
        ));
        return found;
    }
    let mut before = Schema::new();
    for (index, name) in names.iter().enumerate() {
        let mut list = migrations();
        list.truncate(index + 1);
        let counted = rows(db, &before).await;
        migrate::run(db, &list)
            .await
            .expect("a migration runs on tables with rows");
        let after = schema(db).await;
        if !may_contract(name, allowed, &mut found) {
            found.extend(
                compare(&before, &after)
                    .into_iter()
                    .map(|what| format!("{name}: {what}")),
            );
            for (table, count) in counted {
                if rows(db, &after)
                    .await
                    .get(&table)
                    .is_none_or(|now| *now < count)
                {
                    found.push(format!("{name}: rows of {table} are gone"));
                }
            }
        }
        if index + 1 == release.migrations.len() && after != release.schema {
            found.push(format!(
                "{name}: the schema is not the one that was released: {}; a released migration is never edited",
                difference(&release.schema, &after)
            ));
        }
        fill(db, &after, index).await;
        before = after;
    }
    found
}

/// Whether a migration takes something away on purpose; one that says so without a reason is a break itself.
fn may_contract(name: &str, allowed: &[Contraction], found: &mut Vec<String>) -> bool {
    let reason = allowed.iter().find(|(allowed, _)| *allowed == name);
    match (name.contains(CONTRACT), reason) {
        (true, Some(_)) => true,
        (true, None) => {
            found.push(format!(
                "{name}: takes something away, and no reason is given why it may"
            ));
            true
        }
        (false, _) => false,
    }
}

/// What of `before` is not kept by `after`, and what `after` asks of rows that are there or of writers that do not know it.
fn compare(before: &Schema, after: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (subject, promise) in before {
        match after.get(subject) {
            None => found.push(format!("{subject} is gone")),
            Some(kept) if kept == promise || widens(promise, kept) => {}
            Some(changed) => found.push(format!("{subject} was {promise:?} and is {changed:?}")),
        }
    }
    for (subject, promise) in after
        .iter()
        .filter(|(subject, _)| !before.contains_key(*subject))
    {
        let there = before
            .keys()
            .any(|known| table_of(known) == table_of(subject));
        if there && promise == UNIQUE {
            found.push(format!("{subject}: rows that are there may not be unique"));
        }
        if there && promise.ends_with(REQUIRED) {
            found.push(format!(
                "{subject} is required and has no default: the release before does not write it"
            ));
        }
    }
    found
}

/// Whether a text has only become longer.
fn widens(before: &str, after: &str) -> bool {
    let split = |promise: &str| {
        let (kind, rest) = promise.split_once('(')?;
        let (length, rest) = rest.split_once(')')?;
        Some((
            kind.to_owned(),
            length.parse::<u64>().ok()?,
            rest.to_owned(),
        ))
    };
    match (split(before), split(after)) {
        (Some((kind, short, rest)), Some((other, long, tail))) => {
            kind.contains("char") && (kind, rest) == (other, tail) && short <= long
        }
        _ => false,
    }
}

fn table_of(subject: &str) -> &str {
    subject.split(['.', ' ']).next().unwrap_or(subject)
}

fn difference(released: &Schema, found: &Schema) -> String {
    let keys = released.keys().chain(found.keys());
    let differs = |key: &&String| released.get(*key) != found.get(*key);
    keys.filter(differs)
        .take(5)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ")
}

const UNIQUE: &str = "unique";
const REQUIRED: &str = "not null";

/// Columns: table, name, kind, whether it may be null, whether it has a default.
fn columns_query(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "SELECT m.name, p.name, p.type, p.\"notnull\" = 0, p.dflt_value IS NOT NULL \
             FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
        Engine::Postgres => {
            "SELECT table_name::text, column_name::text, \
             data_type || COALESCE('(' || character_maximum_length || ')', ''), \
             (is_nullable = 'YES')::int::bigint, (column_default IS NOT NULL)::int::bigint \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
        Engine::MySql => {
            "SELECT CONCAT(table_name), CONCAT(column_name), CONCAT(column_type), is_nullable = 'YES', \
             column_default IS NOT NULL AND column_default <> 'NULL' \
             FROM information_schema.columns WHERE table_schema = DATABASE()"
        }
    }
}

/// The columns of unique keys: table, key, column, in their order.
fn uniques_query(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "SELECT m.name, i.name, c.name FROM sqlite_master m \
             JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c \
             WHERE m.type = 'table' AND i.\"unique\" = 1 ORDER BY m.name, i.name, c.seqno"
        }
        Engine::Postgres => {
            "SELECT t.relname::text, i.relname::text, a.attname::text FROM pg_index x \
             JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
             JOIN pg_namespace n ON n.oid = t.relnamespace \
             JOIN LATERAL unnest(x.indkey) WITH ORDINALITY k(attnum, place) ON true \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum \
             WHERE x.indisunique AND n.nspname = current_schema() ORDER BY t.relname, i.relname, k.place"
        }
        Engine::MySql => {
            "SELECT CONCAT(table_name), CONCAT(index_name), CONCAT(column_name) FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index"
        }
    }
}

async fn ask(db: &Database, sql: &str) -> Vec<sea_orm::QueryResult> {
    let backend = db.reader().get_database_backend();
    let answer = db
        .reader()
        .query_all_raw(Statement::from_string(backend, sql))
        .await;
    answer.expect("the schema can be read")
}

/// What the database promises now.
async fn schema(db: &Database) -> Schema {
    let mut schema = Schema::new();
    for row in ask(db, columns_query(db.engine())).await {
        let text = |at| -> String { row.try_get_by_index(at).expect("a text") };
        let flag = |at| -> bool { row.try_get_by_index::<i64>(at).expect("a flag") != 0 };
        let need = match (flag(3), flag(4)) {
            (true, _) => "null",
            (false, true) => "not null with a default",
            (false, false) => REQUIRED,
        };
        let kind = without_width(&text(2).to_lowercase());
        schema.insert(format!("{}.{}", text(0), text(1)), format!("{kind} {need}"));
    }
    let mut keys: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in ask(db, uniques_query(db.engine())).await {
        let text = |at| -> String { row.try_get_by_index(at).expect("a text") };
        keys.entry((text(0), text(1))).or_default().push(text(2));
    }
    for ((table, _), columns) in keys {
        schema.insert(
            format!("{table} ({})", columns.join(", ")),
            UNIQUE.to_owned(),
        );
    }
    schema
}

/// Some servers tell with how many digits an integer is shown, which promises nothing.
fn without_width(kind: &str) -> String {
    match kind.split_once("int(") {
        Some((size, rest)) => {
            let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
            format!("{size}int{rest}")
        }
        None => kind.to_owned(),
    }
}

/// How many rows each table has.
async fn rows(db: &Database, schema: &Schema) -> BTreeMap<String, i64> {
    let mut counted = BTreeMap::new();
    for table in tables(schema) {
        let rows = ask(db, &format!("SELECT COUNT(*) FROM {table}")).await;
        let count = rows
            .first()
            .map_or(0, |row| row.try_get_by_index(0).expect("a number"));
        counted.insert(table, count);
    }
    counted
}

fn tables(schema: &Schema) -> Vec<String> {
    let mut tables: Vec<String> = schema.keys().map(|key| table_of(key).to_owned()).collect();
    tables.dedup();
    tables.retain(|table| table != migrate::TABLE);
    tables
}

/// Adds a row to every table, as the release of that step might have.
async fn fill(db: &Database, schema: &Schema, step: usize) {
    for table in tables(schema) {
        let prefix = format!("{table}.");
        let columns = schema.iter().filter_map(|(subject, promise)| {
            let column = subject.strip_prefix(&prefix)?;
            Some((column, value(db.engine(), promise, step)))
        });
        let (names, values): (Vec<_>, Vec<_>) = columns.unzip();
        let sql = &format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        );
        let filled = db
            .transaction("fill", |txn| async move {
                txn.execute_unprepared(sql).await?;
                Ok::<_, crate::StorageError>(())
            })
            .await;
        filled.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

/// Something that a column takes, another in every step.
fn value(engine: Engine, promise: &str, step: usize) -> String {
    let kind = promise.split(' ').next().unwrap_or(promise);
    let hex = format!("{:032x}", 0xfeed_0000 + step);
    if kind.contains("uuid") || kind.contains("binary") || kind.contains("blob") || kind == "bytea"
    {
        return match engine {
            Engine::Postgres if kind == "uuid" => format!("'{hex}'"),
            Engine::Postgres => format!("'\\x{hex}'"),
            Engine::Sqlite | Engine::MySql => format!("X'{hex}'"),
        };
    }
    if kind.contains("char") || kind.contains("text") {
        return format!(
            "'{}'",
            char::from_digit(u32::try_from(step % 36).unwrap_or(0), 36).unwrap_or('x')
        );
    }
    if kind == "boolean" && engine == Engine::Postgres {
        return "true".to_owned();
    }
    format!("{}", 100 + step % 20)
}

fn record(file: &PathBuf, migrations: &Migrations, schema: &Schema) {
    let mut text = String::new();
    for migration in migrations {
        let _ = writeln!(text, "migration {}", migration.name());
    }
    for (subject, promise) in schema {
        let _ = writeln!(text, "{subject}: {promise}");
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).expect("a folder for the record");
    }
    std::fs::write(file, text).expect("the record can be written");
}

fn recorded(file: &Path) -> Release {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| {
        panic!(
            "no record of the last release ({}: {error}): write it with CLEAVE_BLESS=1",
            file.display()
        )
    });
    let (mut migrations, mut schema) = (Vec::new(), Schema::new());
    for line in text.lines() {
        match (line.strip_prefix("migration "), line.split_once(": ")) {
            (Some(name), _) => migrations.push(name.to_owned()),
            (None, Some((subject, promise))) => {
                schema.insert(subject.to_owned(), promise.to_owned());
            }
            (None, None) => panic!("{}: {line:?} says nothing", file.display()),
        }
    }
    Release { migrations, schema }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(lines: &[(&str, &str)]) -> Schema {
        lines
            .iter()
            .map(|(subject, promise)| ((*subject).to_owned(), (*promise).to_owned()))
            .collect()
    }

    #[test]
    fn given_what_only_adds_then_nothing_breaks() {
        let before = schema(&[("a.id", "uuid not null"), ("a.name", "varchar(10) null")]);
        let after = schema(&[
            ("a.id", "uuid not null"),
            ("a.name", "varchar(20) null"),
            ("a.more", "bigint null"),
            ("a.kind", "bigint not null with a default"),
            ("b.id", "uuid not null"),
            ("b (id)", "unique"),
        ]);
        assert_eq!(compare(&before, &after), Vec::<String>::new());
    }

    #[test]
    fn given_what_takes_away_or_asks_for_more_then_each_is_named() {
        let before = schema(&[
            ("a.gone", "bigint null"),
            ("a.id", "uuid not null"),
            ("a.name", "varchar(20) null"),
            ("a (id)", "unique"),
        ]);
        let after = schema(&[
            ("a.id", "uuid null"),
            ("a.name", "varchar(10) null"),
            ("a.must", "bigint not null"),
            ("a (name)", "unique"),
        ]);
        let found = compare(&before, &after);
        for part in [
            "a.gone is gone",
            "a.id was",
            "a.name was",
            "a (id) is gone",
            "a.must is required",
            "a (name): rows",
        ] {
            assert!(
                found.iter().any(|what| what.contains(part)),
                "{part}: {found:?}"
            );
        }
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn given_a_contraction_without_a_reason_then_it_is_a_break() {
        let mut found = Vec::new();
        let listed = [("side_m9_contract_names", "nobody reads it since 0.3")];
        assert!(may_contract("side_m9_contract_names", &listed, &mut found));
        assert!(found.is_empty());
        assert!(may_contract("side_m9_contract_names", &[], &mut found));
        assert_eq!(found.len(), 1);
        assert!(!may_contract("side_m9_names", &listed, &mut found));
    }

    #[test]
    fn given_widths_of_digits_then_they_promise_nothing() {
        assert_eq!(without_width("bigint(20)"), "bigint");
        assert_eq!(without_width("int(10) unsigned"), "int unsigned");
        assert_eq!(without_width("varchar(20)"), "varchar(20)");
    }
}
