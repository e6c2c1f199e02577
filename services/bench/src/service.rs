//! A system under test: a real binary on a database of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;

use crate::process::{Process, free_addr};
use crate::setup::Bench;

/// A running service. Fields are dropped in this order: the process first.
pub(crate) struct Service {
    /// The process.
    pub(crate) process: Process,
    /// Its database.
    _database: TestDatabase,
}

impl Service {
    /// Starts `binary` on a fresh database of `engine`, with the setting `peer`; `None` when that engine is not at
    /// hand.
    ///
    /// # Errors
    /// When it does not serve.
    pub(crate) async fn start(
        bench: &Bench,
        engine: Engine,
        binary: &Path,
        peer: String,
    ) -> Result<Option<Self>> {
        let Some(database) = fresh_database(engine).await else {
            eprintln!("skipped on {}: no such server", engine_name(engine));
            return Ok(None);
        };
        let addr = free_addr()?;
        let settings = [
            format!("host.listen={addr}"),
            format!("host.admin={}", free_addr()?),
            format!("database.url={}", database.url()),
            "database.migrate=true".to_owned(),
            peer,
        ];
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(
            settings
                .into_iter()
                .flat_map(|setting| ["--set".to_owned(), setting]),
        );
        let name = binary.file_name().unwrap_or_default().display();
        let log = bench
            .folder
            .path()
            .join(format!("{name}-{}.log", engine_name(engine)));
        let process = Process::start(binary, arguments, addr, &log).await?;
        Ok(Some(Self {
            process,
            _database: database,
        }))
    }
}

/// An empty database; boxed, because the compiler follows futures within futures only so deep.
async fn fresh_database(engine: Engine) -> Option<TestDatabase> {
    Box::pin(TestDatabase::on(engine)).await
}

/// A fresh database of `engine` with the schema of `binary`, which no service uses; `None` when that engine is not at
/// hand.
///
/// # Errors
/// When it cannot be migrated.
pub(crate) async fn unused_database(binary: &Path, engine: Engine) -> Result<Option<TestDatabase>> {
    let Some(database) = fresh_database(engine).await else {
        return Ok(None);
    };
    let migrated = Command::new(binary)
        .args([
            "migrate",
            "--set",
            &format!("database.url={}", database.url()),
        ])
        .output()
        .context("migrating a bare database")?;
    ensure!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    Ok(Some(database))
}

/// The engine as it is named in a report.
pub(crate) fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
        Engine::MySql => "mysql",
    }
}
