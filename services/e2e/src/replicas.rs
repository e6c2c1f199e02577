//! Several replicas of one service, on one database where there is one that processes can share.

use crate::Process;
use anyhow::{Context, Result};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use std::ops::{Index, IndexMut};
use std::path::Path;
use tempfile::TempDir;

/// Engines whose databases several processes can share.
const SHARED: [Engine; 2] = [Engine::Postgres, Engine::MySql];

/// What is shown of the complaints of each replica.
const COMPLAINTS: usize = 20;

/// Several replicas of one service.
pub struct Replicas {
    processes: Vec<Process>,
    databases: Vec<TestDatabase>,
    // Holds the logs until the test is over.
    _folder: TempDir,
}

impl Replicas {
    /// So many replicas of `program`, not started yet. Without a server for databases each one gets a database
    /// of its own, which is told on stderr: then they answer what does not depend on rows.
    ///
    /// # Errors
    /// When no ports or folders are to be had.
    pub async fn new(program: &Path, name: &str, count: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let databases = databases(name, count).await?;
        let mut processes = Vec::new();
        for index in 0..count {
            let mut process = Process::new(program, &format!("{name}-{index}"), folder.path())?;
            let database = &databases[index % databases.len()];
            process.set("database.url", database.url());
            process.set("database.migrate", "true");
            process.set("database.connections", "4");
            process.set("host.workers", "1");
            processes.push(process);
        }
        Ok(Self {
            processes,
            databases,
            _folder: folder,
        })
    }

    /// Whether all of them have the same rows.
    #[must_use]
    pub fn share_rows(&self) -> bool {
        self.databases.len() == 1
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Sets one key of the configuration of each.
    pub fn set(&mut self, key: &str, value: &str) {
        for process in &mut self.processes {
            process.set(key, value);
        }
    }

    /// Where they serve, as a list for the mesh.
    #[must_use]
    pub fn addresses(&self) -> String {
        let each = self.processes.iter();
        let all: Vec<_> = each.map(|one| format!("http://{}", one.addr())).collect();
        all.join(",")
    }

    /// What they logged as warnings and errors, for the message of a test.
    #[must_use]
    pub fn complaints(&self) -> String {
        let mut complaints = Vec::new();
        for process in &self.processes {
            let log = process.log_text();
            let lines = log.lines().filter(|line| {
                ["\"WARN\"", "\"ERROR\""]
                    .iter()
                    .any(|level| line.contains(level))
            });
            complaints.extend(lines.take(COMPLAINTS).map(str::to_owned));
        }
        complaints.join("\n")
    }

    /// Starts all and waits until all serve.
    ///
    /// # Errors
    /// When one does not.
    pub async fn start(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.spawn()?;
        }
        for process in &mut self.processes {
            process.serving().await?;
        }
        Ok(())
    }
}

impl Index<usize> for Replicas {
    type Output = Process;

    fn index(&self, index: usize) -> &Process {
        &self.processes[index]
    }
}

impl IndexMut<usize> for Replicas {
    fn index_mut(&mut self, index: usize) -> &mut Process {
        &mut self.processes[index]
    }
}

/// One database for all, or one for each.
async fn databases(name: &str, count: usize) -> Result<Vec<TestDatabase>> {
    for engine in SHARED {
        if let Some(database) = TestDatabase::on(engine).await {
            return Ok(vec![database]);
        }
    }
    eprintln!(
        "no PostgreSQL or MySQL is at hand (CLEAVE_TEST_POSTGRES_URL): each replica of {name} has a SQLite \
         database of its own; calls that read and write the same rows on all of them are not covered"
    );
    let mut databases = Vec::new();
    for _ in 0..count {
        let database = TestDatabase::on(Engine::Sqlite).await;
        databases.push(database.context("SQLite is always at hand")?);
    }
    Ok(databases)
}
