//! Fresh databases for tests, on every engine there is.
//!
//! SQLite needs nothing. PostgreSQL and MariaDB are used when `CLEAVE_TEST_POSTGRES_URL` and
//! `CLEAVE_TEST_MYSQL_URL` name a throw-away server (see `deploy/servers`): each test creates a database of
//! its own there, and drops it.

pub mod expand;

use std::fmt;
use std::path::PathBuf;
use std::sync::Once;
use std::thread;

use sea_orm::sea_query::Query;
use sea_orm::{ConnectOptions, ConnectionTrait, Database as SeaOrm};
use uuid::Uuid;

use crate::{Database, DatabaseOptions, Engine, StorageError};

/// An empty database of its own, dropped with this value.
pub struct TestDatabase {
    db: Database,
    url: String,
    place: Place,
}

/// What there is to remove afterwards.
enum Place {
    Folder(PathBuf),
    Server { admin: String, name: String },
}

impl TestDatabase {
    /// An empty database on each engine that is at hand.
    ///
    /// # Panics
    /// When one cannot be created.
    pub async fn each_engine() -> Vec<Self> {
        let mut databases = Vec::new();
        for engine in Engine::ALL {
            if let Some(database) = Self::on(engine).await {
                databases.push(database);
            }
        }
        databases
    }

    /// An empty database on `engine`, if that is at hand.
    ///
    /// # Panics
    /// When it cannot be created.
    pub async fn on(engine: Engine) -> Option<Self> {
        Self::with_options(engine, &DatabaseOptions::default()).await
    }

    /// The same, connected with `options`.
    ///
    /// # Panics
    /// When it cannot be created.
    pub async fn with_options(engine: Engine, options: &DatabaseOptions) -> Option<Self> {
        let (place, url) = match engine {
            Engine::Sqlite => make_folder(),
            Engine::Postgres | Engine::MySql => make_on_server(engine).await?,
        };
        // The place is dropped with the value, so it must be owned before anything else can fail.
        let connected = Database::connect(&url, options).await;
        match connected {
            Ok(db) => Some(Self { db, url, place }),
            Err(error) => {
                place.remove();
                panic!("cannot connect to a fresh {engine} database: {error:?}");
            }
        }
    }

    /// The database.
    pub fn db(&self) -> &Database {
        &self.db
    }

    /// Its URL, for another process or a second handle.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The kind of database.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// A second handle with pools of its own, as another replica has.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn replica(&self) -> Database {
        match Database::connect(&self.url, &DatabaseOptions::default()).await {
            Ok(db) => db,
            Err(error) => panic!("cannot connect to {} again: {error:?}", self.engine()),
        }
    }
}

/// Runs `statements` on a migrated database and notes them as the migration `name`, as a release would have that
/// knows more than this one.
///
/// # Errors
/// Those of the database.
pub async fn migrate_further(
    db: &Database,
    name: &str,
    statements: &[String],
) -> Result<(), StorageError> {
    let note = &Query::insert()
        .into_table(crate::migrate::TABLE)
        .columns(["name", "applied_at"])
        .values_panic([name.into(), 0_i64.into()])
        .to_owned();
    db.transaction("migrate_further", |txn| async move {
        for statement in statements {
            txn.execute_unprepared(statement).await?;
        }
        txn.execute(note).await?;
        Ok(())
    })
    .await
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestDatabase({})", self.engine())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.place.remove();
    }
}

impl Place {
    /// Removes the database, on a thread of its own because a drop cannot wait. What cannot be removed stays:
    /// the server is a throw-away one.
    fn remove(&self) {
        match self {
            Self::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Self::Server { admin, name } => {
                let (admin, name) = (admin.clone(), name.clone());
                let removal = thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build();
                    if let Ok(runtime) = runtime {
                        let _ = runtime.block_on(drop_on_server(&admin, &name));
                    }
                });
                let _ = removal.join();
            }
        }
    }
}

fn make_folder() -> (Place, String) {
    let folder = std::env::temp_dir().join(fresh_name());
    if let Err(error) = std::fs::create_dir_all(&folder) {
        panic!("cannot create {}: {error}", folder.display());
    }
    let url = format!("sqlite://{}", folder.join("test.db").display());
    (Place::Folder(folder), url)
}

async fn make_on_server(engine: Engine) -> Option<(Place, String)> {
    // The first that the server knows: MariaDB and MySQL name the fitting collation differently.
    let (variable, settings): (_, &[&str]) = match engine {
        Engine::MySql => (
            "CLEAVE_TEST_MYSQL_URL",
            &[
                "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
                "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            ],
        ),
        Engine::Postgres | Engine::Sqlite => ("CLEAVE_TEST_POSTGRES_URL", &[""]),
    };
    let Ok(admin) = std::env::var(variable) else {
        say_skipped(engine, variable);
        return None;
    };
    let name = fresh_name();
    let mut refusal = None;
    for setting in settings {
        match administer(&admin, &[&format!("CREATE DATABASE {name} {setting}")]).await {
            Ok(()) => {
                let url = with_database(&admin, &name);
                return Some((Place::Server { admin, name }, url));
            }
            Err(error) => refusal = Some(error),
        }
    }
    panic!("cannot create a database on {variable}: {refusal:?}");
}

async fn drop_on_server(admin: &str, name: &str) -> Result<(), StorageError> {
    let (before, force) = match Engine::of_url(admin)? {
        Engine::Postgres => ("", " WITH (FORCE)"),
        // Whoever still reads there is perhaps on the very thread that waits for this.
        Engine::MySql => ("SET SESSION lock_wait_timeout = 5", ""),
        Engine::Sqlite => ("", ""),
    };
    let drop = format!("DROP DATABASE IF EXISTS {name}{force}");
    administer(admin, &[before, &drop]).await
}

async fn administer(admin: &str, statements: &[&str]) -> Result<(), StorageError> {
    let mut options = ConnectOptions::new(admin);
    options.max_connections(1).sqlx_logging(false);
    let server = SeaOrm::connect(options).await?;
    for statement in statements.iter().filter(|sql| !sql.is_empty()) {
        server.execute_unprepared(statement).await?;
    }
    Ok(server.close().await?)
}

fn fresh_name() -> String {
    format!("cleave_test_{}", Uuid::new_v4().simple())
}

/// `url` with its path replaced by `name`; the query, if any, stays.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (url, String::new()),
    };
    let authority = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[authority..]
        .find('/')
        .map_or(address.len(), |slash| authority + slash);
    format!("{}/{name}{query}", &address[..end])
}

fn say_skipped(engine: Engine, variable: &str) {
    static POSTGRES: Once = Once::new();
    static MYSQL: Once = Once::new();
    let once = if engine == Engine::MySql {
        &MYSQL
    } else {
        &POSTGRES
    };
    once.call_once(|| eprintln!("{variable} is not set: tests run without {engine}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_an_admin_url_when_the_database_is_replaced_then_the_rest_stays() {
        assert_eq!(
            with_database("postgres://u@h:5/postgres", "x"),
            "postgres://u@h:5/x"
        );
        assert_eq!(
            with_database("mysql://u:p@h?ssl-mode=off", "x"),
            "mysql://u:p@h/x?ssl-mode=off"
        );
    }
}
