//! Copies of an embedded database, taken while it is in use, and the step that makes a restored database a new
//! history, on every engine. Whatever a database server keeps is copied by the server's own tools.

mod alone;
mod place;
mod restore;

use std::fmt;
use std::path::Path;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::connect::sqlite::file_of;
use crate::migrate::Migrations;
use crate::{Engine, StorageError};
use alone::Alone;
use place::{Draft, said};

pub use restore::{Restore, Restored, restore};

/// What a copy, or a restored database, holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The history that its change feed belongs to.
    pub epoch: Uuid,
    /// The newest change in it.
    pub seq: i64,
    /// The migrations that it has, by name.
    pub migrations: Vec<String>,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} migrations, {} changes, history {}; the integrity check has passed",
            self.migrations.len(),
            self.seq,
            self.epoch
        )
    }
}

impl Contents {
    /// Whether the database is one of those that `known` migrates. The migrations that every store shares say nothing
    /// about whose it is; the first one of its own does.
    fn belongs_to(&self, known: &Migrations) -> bool {
        let shared: Vec<_> = crate::migrations();
        let own = known.iter().find(|migration| {
            let name = migration.name();
            !shared.iter().any(|shared| shared.name() == name)
        });
        own.is_none_or(|own| self.migrations.iter().any(|name| name == own.name()))
    }

    fn check_owner(&self, file: &Path, known: &Migrations) -> Result<(), StorageError> {
        if self.belongs_to(known) {
            return Ok(());
        }
        Err(StorageError::Unsuitable(format!(
            "{} is the database of another service: it lacks this one's migrations",
            file.display()
        )))
    }
}

/// Copies the embedded database at `url` to the new file `to`, as it is at one moment, while others read and write
/// it. The copy is checked before it gets its name, and on disk when this returns.
///
/// # Errors
/// When there is such a file already, the database is a server's, or the copy is not sound.
pub async fn backup(url: &str, to: &Path, known: &Migrations) -> Result<Contents, StorageError> {
    let engine = Engine::of_url(url)?;
    if engine != Engine::Sqlite {
        return Err(StorageError::Unsuitable(by_the_server(engine).to_owned()));
    }
    let file = file_of(url)?;
    if !file.exists() {
        return Err(said(&file, "there is no such database"));
    }
    if to.exists() {
        return Err(said(
            to,
            "is there already, and a backup overwrites nothing",
        ));
    }
    let draft = Draft::beside(to)?;
    // One read transaction, whatever is written meanwhile.
    let source = Alone::open(&file).await?;
    let copied = source.copy_to(draft.path()).await;
    source.close().await?;
    copied?;
    let copy = Alone::open(draft.path()).await?;
    let contents = async {
        prove(&copy).await?;
        copy.begin_history().await?;
        read_contents(copy.connection()).await
    };
    let contents = contents.await;
    copy.close().await?;
    let contents = contents?;
    contents.check_owner(&file, known)?;
    draft.place(to)?;
    Ok(contents)
}

/// Whose business a copy is on a server.
const fn by_the_server(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "an embedded database is copied by this command",
        Engine::Postgres => {
            "a PostgreSQL database is copied by PostgreSQL's own tools: pg_dump --format=custom for one \
             database, pg_basebackup with archived WAL for a point in time (see deploy/RUNBOOK.md, \"Back up and restore\")"
        }
        Engine::MySql => {
            "a MySQL or MariaDB database is copied by the server's own tools: mysqldump or mariadb-dump with \
             --single-transaction, with the binary log for a point in time (see deploy/RUNBOOK.md, \"Back up and restore\")"
        }
    }
}

/// What a database holds, once it has proven to be whole.
async fn prove(database: &Alone) -> Result<Contents, StorageError> {
    database.check_integrity().await?;
    read_contents(database.connection()).await
}

async fn read_contents<C: ConnectionTrait>(conn: &C) -> Result<Contents, StorageError> {
    let head = crate::feed::head(conn).await?;
    let mut migrations: Vec<String> = crate::migrate::applied(conn).await?.into_iter().collect();
    migrations.sort_unstable();
    Ok(Contents {
        epoch: head.epoch,
        seq: head.seq,
        migrations,
    })
}
