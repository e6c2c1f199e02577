//! Runs migrations under a lock of the whole database, so that replicas that start together do not collide.
//!
//! Migrations are applied in the order listed, each once, by name. One that the database has and the list
//! lacks is left alone: it is a newer release's. As a rule it only expands what this release uses, which then runs on;
//! one that takes something away says so in its name, and a release that does not know it refuses to run.

use std::collections::HashSet;

use cleave_kernel::{Clock, SystemClock};
use sea_orm::sea_query::{ColumnDef, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sea_orm_migration::{MigrationTrait, SchemaManager};

use crate::connect::mysql;
use crate::{Database, DatabaseOptions, Engine, StorageError};

/// The table of the migrations that a database has.
pub(crate) const TABLE: &str = "schema_migrations";
/// What the name of a migration contains that takes away what the release before the last still used.
pub const CONTRACT: &str = "_contract_";
/// Any number will do as long as every release uses the same.
const POSTGRES_LOCK: i64 = 0x636c_6561_7665;
const MYSQL_LOCK_SECONDS: i64 = 120;

/// A list of migrations, in the order in which they are applied.
pub type Migrations = Vec<Box<dyn MigrationTrait>>;

/// Applies those of `migrations` that the database lacks; answers their names. Two callers at once both
/// succeed: the second waits and finds nothing to do.
pub async fn run(db: &Database, migrations: &Migrations) -> Result<Vec<String>, StorageError> {
    match db.engine() {
        // Schema changes are transactional here: all are applied, or none.
        Engine::Sqlite | Engine::Postgres => {
            db.transaction("migrate", |txn| async move {
                if db.engine() == Engine::Postgres {
                    let sql = format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})");
                    txn.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
                    txn.execute_unprepared("SET LOCAL statement_timeout = 0")
                        .await?;
                    txn.execute_unprepared(&sql).await?;
                }
                apply(&txn, &SchemaManager::new(&*txn), migrations).await
            })
            .await
        }
        Engine::MySql => {
            let lock = MySqlLock::take(db).await?;
            let session = &lock.session;
            let applied = apply(session, &SchemaManager::new(session), migrations).await;
            lock.release().await?;
            applied
        }
    }
}

/// The names of those of `migrations` that the database lacks.
pub async fn pending(db: &Database, migrations: &Migrations) -> Result<Vec<String>, StorageError> {
    let schema = SchemaManager::new(db.reader());
    let applied = if schema.has_table(TABLE).await? {
        applied(db.reader()).await?
    } else {
        HashSet::new()
    };
    Ok(missing(&applied, migrations)
        .map(|migration| migration.name().to_owned())
        .collect())
}

/// The names of migrations that the database has and `migrations` lacks: those of a newer release.
pub async fn newer(db: &Database, migrations: &Migrations) -> Result<Vec<String>, StorageError> {
    let schema = SchemaManager::new(db.reader());
    if !schema.has_table(TABLE).await? {
        return Ok(Vec::new());
    }
    let known: HashSet<&str> = migrations.iter().map(|known| known.name()).collect();
    let applied = applied(db.reader()).await?;
    let mut newer: Vec<String> = applied.into_iter().collect();
    newer.retain(|name| !known.contains(name.as_str()));
    newer.sort_unstable();
    Ok(newer)
}

/// Makes sure that a service of these `migrations` can run on the database: brings it up to date when `apply` says so,
/// else refuses an older one. A newer one is refused only when it has taken away what this release uses.
pub async fn prepare(
    db: &Database,
    migrations: &Migrations,
    apply: bool,
) -> Result<(), StorageError> {
    let newer = newer(db, migrations).await?;
    if let Some(contract) = newer.iter().find(|name| name.contains(CONTRACT)) {
        return Err(StorageError::Unsuitable(format!(
            "the schema is newer than this version and serves it no longer ({contract}): run the version that brought it, or a later one"
        )));
    }
    if !newer.is_empty() {
        tracing::warn!(
            migrations.newer = newer.join(", "),
            "the schema is newer than this version; it only adds to what this version uses, which runs on it"
        );
    }
    if apply {
        run(db, migrations).await?;
        return Ok(());
    }
    let pending = pending(db, migrations).await?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(StorageError::Unsuitable(format!(
        "the schema is older than this version ({} steps): run `migrate`, or set database.migrate",
        pending.len()
    )))
}

async fn apply<C: ConnectionTrait>(
    conn: &C,
    schema: &SchemaManager<'_>,
    migrations: &Migrations,
) -> Result<Vec<String>, StorageError> {
    let table = Table::create()
        .table(TABLE)
        .if_not_exists()
        .col(
            ColumnDef::new("name")
                .string_len(128)
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new("applied_at").big_integer().not_null())
        .to_owned();
    schema.create_table(table).await?;

    let applied = applied(conn).await?;
    let mut names = Vec::new();
    for migration in missing(&applied, migrations) {
        let name = migration.name();
        migration.up(schema).await?;
        let record = Query::insert()
            .into_table(TABLE)
            .columns(["name", "applied_at"])
            .values_panic([name.into(), SystemClock.now().micros().into()])
            .to_owned();
        conn.execute(&record).await?;
        tracing::info!(migration.name = name, "applied a migration");
        names.push(name.to_owned());
    }
    Ok(names)
}

/// The names of the migrations that the database has.
pub(crate) async fn applied<C: ConnectionTrait>(conn: &C) -> Result<HashSet<String>, StorageError> {
    let names = Query::select().column("name").from(TABLE).to_owned();
    let rows = conn.query_all(&names).await?;
    rows.iter()
        .map(|row| Ok(row.try_get_by_index(0)?))
        .collect()
}

fn missing<'a>(
    applied: &HashSet<String>,
    migrations: &'a Migrations,
) -> impl Iterator<Item = &'a dyn MigrationTrait> {
    migrations
        .iter()
        .map(AsRef::as_ref)
        .filter(|migration| !applied.contains(migration.name()))
}

/// A named lock of MySQL, which belongs to a session: one outside the pool, so that the lock ends with it even
/// if this process is cut off. The migrations run in it, without a bound on a statement's time.
struct MySqlLock {
    session: DatabaseConnection,
}

impl MySqlLock {
    async fn take(db: &Database) -> Result<Self, StorageError> {
        let options = DatabaseOptions {
            connections: 1,
            statement_timeout: None,
            ..DatabaseOptions::default()
        };
        let session = mysql::connect(db.url(), &options).await?;
        let sql = format!(
            "SELECT GET_LOCK(CONCAT('cleave.migrate.', MD5(DATABASE())), {MYSQL_LOCK_SECONDS})"
        );
        let query = Statement::from_string(session.get_database_backend(), sql);
        let row = session.query_one_raw(query).await?;
        let taken: Option<i64> = row.and_then(|row| row.try_get_by_index(0).ok());
        if taken == Some(1) {
            Ok(Self { session })
        } else {
            Err(StorageError::Unsuitable(format!(
                "another process has been migrating this database for {MYSQL_LOCK_SECONDS} s"
            )))
        }
    }

    async fn release(self) -> Result<(), StorageError> {
        Ok(self.session.close().await?)
    }
}
