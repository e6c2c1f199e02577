//! Runs migrations under a lock of the whole database, so that replicas that start together do not collide.
//!
//! Migrations are applied in the order listed, each once, by name. One that the database has and the list
//! lacks is left alone: it is a newer release's, and migrations only ever expand what older code uses.

use std::collections::HashSet;

use cleave_kernel::{Clock, SystemClock};
use sea_orm::sea_query::{ColumnDef, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sea_orm_migration::{MigrationTrait, SchemaManager};

use crate::connect::mysql;
use crate::{Database, DatabaseOptions, Engine, StorageError};

const TABLE: &str = "schema_migrations";
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

async fn applied<C: ConnectionTrait>(conn: &C) -> Result<HashSet<String>, StorageError> {
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
