//! A restored database becomes a new history: seqs that were given out after the copy was taken are given out again,
//! so whoever followed the old history has to start over instead of passing over what bears them now.

use std::fmt;
use std::path::{Path, PathBuf};

use cleave_kernel::{Clock, SystemClock};
use sea_orm::{ConnectOptions, ConnectionTrait, Database as SeaOrm, Statement};

use super::alone::{Alone, in_use};
use super::place::{Draft, has_log, said, set_aside};
use super::{Contents, by_the_server, prove, read_contents};
use crate::connect::sqlite::{address_of, file_of};
use crate::migrate::{self, Migrations};
use crate::{Database, DatabaseOptions, Engine, StorageError, Transaction, feed};

/// What is to be restored, and where.
#[derive(Clone, Copy)]
pub struct Restore<'a> {
    /// The database.
    pub url: &'a str,
    /// The copy of an embedded database; none where the server's own tools have restored it.
    pub from: Option<&'a Path>,
    /// Whether a database that is there may be set aside, or one that is in use on a server be renewed.
    pub force: bool,
    /// What migrates it.
    pub migrations: &'a Migrations,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub contents: Contents,
    /// What the database that was there before is called now.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "restored: {}", self.contents)?;
        match &self.aside {
            Some(aside) => write!(f, "; what was there is now {}", aside.display()),
            None => Ok(()),
        }
    }
}

/// Puts a copy in the place of an embedded database, or takes over what a server's own tools have restored, and makes
/// it a new history; `renew` does in the same transaction what else is stale about it.
///
/// # Errors
/// When somebody uses the database, one is there and may not be set aside, or the copy is not sound.
pub async fn restore<F, Fut>(order: Restore<'_>, renew: F) -> Result<Restored, StorageError>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<(), StorageError>>,
{
    match (Engine::of_url(order.url)?, order.from) {
        (Engine::Sqlite, Some(from)) => put_in_place(order, from, renew).await,
        (Engine::Sqlite, None) => Err(StorageError::Unsuitable(
            "name the copy that is to be put in the place of the embedded database".to_owned(),
        )),
        (engine, Some(_)) => Err(StorageError::Unsuitable(format!(
            "{}; once they have restored it, run this command without a file",
            by_the_server(engine)
        ))),
        (_, None) => take_over(order, renew).await,
    }
}

async fn put_in_place<F, Fut>(
    order: Restore<'_>,
    from: &Path,
    renew: F,
) -> Result<Restored, StorageError>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<(), StorageError>>,
{
    let target = file_of(order.url)?;
    if !from.is_file() {
        return Err(said(from, "there is no such file"));
    }
    if has_log(from) {
        return Err(said(
            from,
            "is a database at work and no finished copy: copy it by the backup command",
        ));
    }
    if target.exists() {
        if in_use(&target).await? {
            return Err(said(
                &target,
                "a process has the database open: stop the service first",
            ));
        }
        if !order.force {
            return Err(said(
                &target,
                "is there already; with --force it is set aside, not deleted",
            ));
        }
    }
    let draft = Draft::beside(&target)?;
    draft.copy_from(from)?;
    let copy = Alone::open(draft.path()).await?;
    let proven = prove(&copy).await;
    copy.close().await?;
    proven?.check_owner(from, order.migrations)?;

    let database =
        Database::connect(&address_of(draft.path())?, &DatabaseOptions::default()).await?;
    let renewed = async {
        migrate::run(&database, order.migrations).await?;
        begin_anew(&database, renew).await
    };
    let renewed = renewed.await;
    database.close().await?;
    let contents = renewed?;

    let mark = format!("before-restore-{}", SystemClock.now().micros());
    let aside = set_aside(&target, &mark)?;
    draft.place(&target)?;
    Ok(Restored { contents, aside })
}

async fn take_over<F, Fut>(order: Restore<'_>, renew: F) -> Result<Restored, StorageError>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<(), StorageError>>,
{
    let options = DatabaseOptions {
        connections: 1,
        ..DatabaseOptions::default()
    };
    let others = other_sessions(Engine::of_url(order.url)?, order.url).await?;
    if others > 0 && !order.force {
        return Err(StorageError::Unsuitable(format!(
            "{others} other sessions use the database: stop the service first, or say --force if they are not it"
        )));
    }
    let database = Database::connect(order.url, &options).await?;
    let renewed = async {
        let pending = migrate::pending(&database, order.migrations).await?;
        if !pending.is_empty() {
            return Err(StorageError::Unsuitable(format!(
                "the restored schema is older than this version ({} steps): run `migrate` first",
                pending.len()
            )));
        }
        begin_anew(&database, renew).await
    };
    let renewed = renewed.await;
    database.close().await?;
    Ok(Restored {
        contents: renewed?,
        aside: None,
    })
}

async fn begin_anew<F, Fut>(database: &Database, renew: F) -> Result<Contents, StorageError>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<(), StorageError>>,
{
    let renew = &renew;
    database
        .transaction("restore", |txn| async move {
            feed::bump_epoch(&txn).await?;
            let contents = read_contents(&txn).await?;
            renew(txn).await?;
            Ok(contents)
        })
        .await
}

/// Sessions on the database beside the one that asks: the only one that this process has by then.
async fn other_sessions(engine: Engine, url: &str) -> Result<i64, StorageError> {
    let sql = match engine {
        Engine::Sqlite => return Ok(0),
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'cleave' AND pid <> pg_backend_pid()"
        }
        Engine::MySql => {
            "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let mut connect = ConnectOptions::new(url.replacen("mariadb:", "mysql:", 1));
    connect.max_connections(1).sqlx_logging(false);
    let session = SeaOrm::connect(connect).await?;
    let query = Statement::from_string(session.get_database_backend(), sql);
    let counted = session.query_one_raw(query).await;
    session.close().await?;
    Ok(counted?.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}
