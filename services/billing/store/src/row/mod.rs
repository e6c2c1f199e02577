//! One file per table: its columns, and how a row becomes a value and back.

pub(crate) mod account;
pub(crate) mod adjustment;
pub(crate) mod bucket;
pub(crate) mod bucket_total;
mod insert;
pub(crate) mod ledger_account;
pub(crate) mod line_item;
pub(crate) mod parked_row;
pub(crate) mod payment;
pub(crate) mod rated_row;
pub(crate) mod reservation;
pub(crate) mod rev_share;
pub(crate) mod terms;
pub(crate) mod transfer;
pub(crate) mod unreadable_row;
pub(crate) mod written_off_row;

use crate::error::StoreError;
use billing_domain::rating::Amounts;
use cleave_kernel::{Currency, Micros};
use cleave_storage::{Engine, StorageError, insert_chunks, padded};
use sea_orm::sea_query::{Expr, ExprTrait, IntoColumnRef, Query, SelectStatement, SimpleExpr};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Statement, Value};
use uuid::Uuid;

/// What is done when a row is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfThere {
    /// The statement fails.
    Fail,
    /// The row is left alone.
    Keep,
    /// The row takes the new values.
    Replace,
    /// So many columns at the end, which are counters, grow by the values; the others stay.
    Add(usize),
}

/// Writes `rows`, whose first column is the key, in as few statements as the engine allows. The text is put together here:
/// for thousands of rows, building and rendering a query tree costs more than the database takes to run it.
pub(crate) async fn write<const N: usize>(
    txn: &DatabaseTransaction,
    table: &'static str,
    columns: [&'static str; N],
    rows: Vec<[Value; N]>,
    if_there: IfThere,
) -> Result<(), StorageError> {
    let backend = txn.get_database_backend();
    let engine = Engine::from(backend);
    for chunk in insert_chunks(engine, N, rows) {
        let sql = insert::text(engine, table, &columns, chunk.len(), if_there);
        let values = chunk.into_iter().flatten();
        txn.execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
    }
    Ok(())
}

/// A query for all columns of a table.
pub(crate) fn select<const N: usize>(
    table: &'static str,
    columns: [&'static str; N],
) -> SelectStatement {
    Query::select().columns(columns).from(table).to_owned()
}

/// A sum of integers; on some engines it would be a decimal.
pub(crate) fn whole_number(sum: SimpleExpr, engine: Engine) -> SimpleExpr {
    match engine {
        Engine::Sqlite => sum,
        Engine::Postgres => sum.cast_as("bigint"),
        Engine::MySql => sum.cast_as("signed"),
    }
}

/// Keys in one `IN` list: no engine binds without limit.
pub(crate) const KEYS_TOGETHER: usize = 1024;

/// The rows of `select` whose `column` holds one of `keys`. Those of ordered keys come, and are locked, in that order
/// when `select` asks for it.
pub(crate) async fn by_keys(
    txn: &DatabaseTransaction,
    select: &SelectStatement,
    column: impl IntoColumnRef + Clone,
    keys: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<QueryResult>, StoreError> {
    let mut rows = Vec::new();
    let keys: Vec<_> = keys.into_iter().collect();
    for chunk in keys.chunks(KEYS_TOGETHER) {
        let wanted = Expr::col(column.clone()).is_in(padded(chunk.iter().copied()));
        rows.extend(
            txn.query_all(&select.clone().and_where(wanted).to_owned())
                .await?,
        );
    }
    Ok(rows)
}

/// The currency behind a stored code.
pub(crate) fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::from_code(code).map_err(|error| StoreError::corrupt(error.to_string()))
}

/// Reads served, billed, earned, revenue and absorbed from the column `at` on.
pub(crate) fn amounts(row: &QueryResult, at: usize) -> Result<Amounts, StoreError> {
    let micros = |at: usize| row.try_get_by_index(at).map(Micros::new);
    Ok(Amounts {
        served: micros(at)?,
        billed: micros(at + 1)?,
        earned: micros(at + 2)?,
        revenue: micros(at + 3)?,
        absorbed: micros(at + 4)?,
    })
}
