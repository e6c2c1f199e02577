//! The limit of intake: the same rows stored bare in Operations' table, in one transaction, by whatever the engine
//! has for bulk: COPY FROM on PostgreSQL, inserts of many rows on SQLite.
//!
//! Nothing is looked up, summed or answered over a wire, and what to send is made before the clock runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cleave_contracts::operations::v1 as ops;
use cleave_kernel::{AdUnitId, LineItemId};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Engine, StorageError};
use sea_orm::sqlx::{Connection, PgConnection};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::service::unused_database;
use crate::setup::Bench;

/// The columns of a row but its counts.
const KEY_COLUMNS: &str =
    "id, seq, source, line_item_id, terms_version, ad_unit_id, hour, revision, reason, reported_at";
const COUNT_COLUMNS: &str = "requests, impressions, viewable_impressions, clicks, installs, actions, \
                             invalid_impressions, invalid_clicks, media_cost_micros";
/// How many counts there are,
const COUNTS: usize = 9;
/// and how many columns.
const COLUMNS: usize = 10 + COUNTS;
/// Rows of an INSERT: SQLite takes 32,766 values at most.
const AT_ONCE: usize = 1000;
/// An instant; which one costs nothing.
const NOW: i64 = 1_800_000_000_000_000;

/// A database with Operations' schema, which no service uses.
pub(crate) struct BareRows {
    database: TestDatabase,
    /// How many rows it has.
    stored: i64,
}

impl BareRows {
    /// A migrated database on `engine`; `None` when that engine is not at hand.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) async fn prepare(bench: &Bench, engine: Engine) -> Result<Option<Self>> {
        let database = unused_database(&bench.operations, engine).await?;
        Ok(database.map(|database| Self {
            database,
            stored: 0,
        }))
    }

    /// Stores `rows`, whose keys must be new, and answers how long that took.
    ///
    /// # Errors
    /// When a statement fails.
    pub(crate) async fn store(&mut self, rows: &[ops::DeliveryRow]) -> Result<Duration> {
        let rows = (self.stored..)
            .zip(rows)
            .map(|(seq, row)| Bare::of(seq, row))
            .collect::<Result<Vec<_>>>()?;
        self.stored += i64::try_from(rows.len())?;
        match self.database.engine() {
            Engine::Postgres => self.copy(&rows).await,
            Engine::Sqlite => self.insert(&rows).await,
            Engine::MySql => bail!("rows are not stored bare on MySQL"),
        }
    }

    async fn copy(&self, rows: &[Bare]) -> Result<Duration> {
        let text: String = rows.iter().map(Bare::line).collect();
        let mut connection = PgConnection::connect(self.database.url()).await?;
        let copy = format!("COPY delivery_rows ({KEY_COLUMNS}, {COUNT_COLUMNS}) FROM STDIN");
        let began = Instant::now();
        let mut sink = connection.copy_in_raw(&copy).await?;
        sink.send(text.as_bytes()).await?;
        sink.finish().await?;
        let took = began.elapsed();
        connection.close().await?;
        Ok(took)
    }

    async fn insert(&self, rows: &[Bare]) -> Result<Duration> {
        let statements = rows.chunks(AT_ONCE).map(insert);
        let statements = &statements.collect::<Vec<_>>();
        let began = Instant::now();
        let run = |txn: cleave_storage::Transaction| async move {
            for statement in statements {
                txn.execute_raw(statement.clone()).await?;
            }
            Ok::<_, StorageError>(())
        };
        self.database.db().transaction("bare", run).await?;
        Ok(began.elapsed())
    }
}

/// A row as it is stored.
struct Bare {
    id: Uuid,
    seq: i64,
    source: String,
    line_item: Uuid,
    ad_unit: Uuid,
    hour_micros: i64,
    counts: [i64; COUNTS],
}

impl Bare {
    fn of(seq: i64, row: &ops::DeliveryRow) -> Result<Self> {
        let key = row.key.as_ref().context("a row without a key")?;
        let hour = key.hour.as_ref().context("a row without an hour")?.seconds;
        let counts = row.counts.unwrap_or_default();
        Ok(Self {
            id: row_id(hour)?,
            seq,
            source: key.source.clone(),
            line_item: key.line_item_id.parse::<LineItemId>()?.uuid(),
            ad_unit: key.ad_unit_id.parse::<AdUnitId>()?.uuid(),
            hour_micros: hour * 1_000_000,
            counts: [
                counts.requests,
                counts.impressions,
                counts.viewable_impressions,
                counts.clicks,
                counts.installs,
                counts.actions,
                counts.invalid_impressions,
                counts.invalid_clicks,
                counts.media_cost_micros,
            ],
        })
    }

    /// The row as COPY reads it.
    fn line(&self) -> String {
        let counts = self.counts.map(|count| format!("\t{count}")).concat();
        let (id, seq, source, hour) = (self.id, self.seq, &self.source, self.hour_micros);
        let (line_item, ad_unit) = (self.line_item, self.ad_unit);
        format!(
            "{id}\t{seq}\t{source}\t{line_item}\t1\t{ad_unit}\t{hour}\t1\tLIVE\t{NOW}{counts}\n"
        )
    }

    fn values(&self) -> impl Iterator<Item = Value> {
        let key: [Value; COLUMNS - COUNTS] = [
            self.id.into(),
            self.seq.into(),
            self.source.as_str().into(),
            self.line_item.into(),
            1_i64.into(),
            self.ad_unit.into(),
            self.hour_micros.into(),
            1_i64.into(),
            "LIVE".into(),
            NOW.into(),
        ];
        key.into_iter().chain(self.counts.map(Value::from))
    }
}

/// Begins with the hour, as the primary keys of Operations do: rows of an hour lie together.
fn row_id(hour: i64) -> Result<Uuid> {
    let mut id = *Uuid::new_v4().as_bytes();
    id[..4].copy_from_slice(&u32::try_from(hour / 3600)?.to_be_bytes());
    Ok(Uuid::from_bytes(id))
}

fn insert(rows: &[Bare]) -> Statement {
    // Without numbers: SQLite takes `$1` for a name, and looks each name up among all others.
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    let places = vec![row; rows.len()].join(", ");
    let insert =
        format!("INSERT INTO delivery_rows ({KEY_COLUMNS}, {COUNT_COLUMNS}) VALUES {places}");
    Statement::from_sql_and_values(
        DbBackend::Sqlite,
        insert,
        rows.iter().flat_map(Bare::values),
    )
}
