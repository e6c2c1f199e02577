//! Copies of a database as people take them and put them back: by the service's own command where the database is
//! embedded, by the server's own tools where it is not.

use anyhow::{Context, Result, ensure};
use cleave_e2e::{Engine, Process};
use cleave_storage::testing::TestDatabase;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of a database in a file.
pub(crate) struct Copy {
    engine: Engine,
    file: PathBuf,
}

/// What the tools of a server need to know of it.
struct Server {
    host: String,
    port: String,
    user: String,
    database: String,
}

impl Copy {
    pub(crate) fn new(engine: Engine, file: &Path) -> Self {
        Self {
            engine,
            file: file.to_owned(),
        }
    }

    /// Takes the copy, while the service works.
    pub(crate) async fn take(&self, service: &Process, database: &TestDatabase) -> Result<()> {
        if self.engine == Engine::Sqlite {
            let said = service.run(&["backup", text(&self.file)]).await?;
            ensure!(said.contains("integrity check has passed"), "{said}");
            return Ok(());
        }
        let refused = service.run(&["backup", text(&self.file)]).await;
        let said = refused
            .err()
            .context("it is the server's business")?
            .to_string();
        let server = Server::of(database.url())?;
        match self.engine {
            Engine::Postgres => {
                ensure!(said.contains("pg_dump"), "{said}");
                let mut dump = server.postgres("pg_dump");
                dump.arg("--format=custom").arg("--file").arg(&self.file);
                done(dump.arg(&server.database)).await
            }
            Engine::MySql | Engine::Sqlite => {
                ensure!(said.contains("mariadb-dump"), "{said}");
                let mut dump = server.mysql("mariadb-dump");
                dump.arg("--single-transaction").arg("--result-file");
                done(dump.arg(&self.file).arg(&server.database)).await
            }
        }
    }

    /// Loses the database and puts the copy in its place. The service does not run.
    pub(crate) async fn put_back(&self, service: &Process, database: &TestDatabase) -> Result<()> {
        let said = match self.engine {
            Engine::Sqlite => {
                lose(database).await?;
                service.run(&["restore", text(&self.file)]).await?
            }
            Engine::Postgres => {
                let server = Server::of(database.url())?;
                done(
                    server
                        .postgres("dropdb")
                        .args(["--force", &server.database]),
                )
                .await?;
                done(server.postgres("createdb").arg(&server.database)).await?;
                let mut restore = server.postgres("pg_restore");
                restore
                    .arg("--exit-on-error")
                    .arg("--dbname")
                    .arg(&server.database);
                done(restore.arg(&self.file)).await?;
                service.run(&["restore"]).await?
            }
            Engine::MySql => {
                let server = Server::of(database.url())?;
                let name = &server.database;
                let renew = format!(
                    "DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
                );
                done(server.mysql("mariadb").args(["--execute", &renew])).await?;
                let mut restore = server.mysql("mariadb");
                restore.stdin(std::fs::File::open(&self.file)?);
                done(restore.arg(name)).await?;
                service.run(&["restore"]).await?
            }
        };
        ensure!(said.contains("restored:"), "{said}");
        Ok(())
    }
}

impl Server {
    /// Reads `scheme://user@host:port/database`.
    fn of(url: &str) -> Result<Self> {
        let (_, rest) = url.split_once("://").context("a scheme")?;
        let (user, rest) = rest.split_once('@').context("a user")?;
        let (address, database) = rest.split_once('/').context("a database")?;
        let (host, port) = address.split_once(':').context("a port")?;
        Ok(Self {
            host: host.to_owned(),
            port: port.to_owned(),
            user: user.split(':').next().unwrap_or(user).to_owned(),
            database: database.split('?').next().unwrap_or(database).to_owned(),
        })
    }

    fn postgres(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.args(["--host", &self.host, "--port", &self.port]);
        command.args(["--username", &self.user, "--no-password"]);
        command
    }

    fn mysql(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.arg("--no-defaults").args(["--host", &self.host]);
        command.args(["--port", &self.port, "--user", &self.user]);
        command
    }
}

/// Runs a tool to its end.
async fn done(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{command:?}: install the client programs of the server"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// Loses a database: its files are gone.
pub(crate) async fn lose(database: &TestDatabase) -> Result<()> {
    database.db().close().await?;
    let file = PathBuf::from(database.url().trim_start_matches("sqlite://"));
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
