//! A number in a row that is raised and read in one round trip, the row staying locked until the transaction
//! ends. The engines have no statement for it in common.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::{Engine, StorageError};

/// Where a counter lives.
pub(crate) struct Counter {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) key: &'static str,
}

impl Counter {
    /// Raises the counter of the row `key` by `by` and answers its new value; `None` without such a row.
    pub(crate) async fn raise(
        &self,
        txn: &DatabaseTransaction,
        key: Value,
        by: i64,
    ) -> Result<Option<i64>, StorageError> {
        let backend = txn.get_database_backend();
        let Self {
            table,
            column,
            key: key_column,
        } = self;
        let statement =
            |sql: String| Statement::from_sql_and_values(backend, sql, [by.into(), key]);
        let returning = match Engine::from(backend) {
            Engine::MySql => {
                let sql = format!(
                    "UPDATE {table} SET {column} = LAST_INSERT_ID({column} + ?) WHERE {key_column} = ?"
                );
                let done = txn.execute_raw(statement(sql)).await?;
                if done.rows_affected() == 0 {
                    return Ok(None);
                }
                let value = i64::try_from(done.last_insert_id());
                return value
                    .map(Some)
                    .map_err(|_| StorageError::Corrupt(format!("{table}.{column} ran over")));
            }
            Engine::Postgres => format!(
                "UPDATE {table} SET {column} = {column} + $1 WHERE {key_column} = $2 RETURNING {column}"
            ),
            Engine::Sqlite => format!(
                "UPDATE {table} SET {column} = {column} + ? WHERE {key_column} = ? RETURNING {column}"
            ),
        };
        let row = txn.query_one_raw(statement(returning)).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }
}
