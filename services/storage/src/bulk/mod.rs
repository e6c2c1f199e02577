//! Many rows in one statement. On PostgreSQL the rows travel as one array per column, so a statement is the
//! same for any number of them and is prepared once; the other engines get rows of values in chunks of a few
//! sizes, for the same reason.

mod column;
mod shape;
mod sql;

use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

pub use column::Column;
use column::Kind;
pub use shape::{insert_chunks, one_of, padded};

use crate::{Engine, StorageError};

/// A table's columns, as rows are written to it in bulk: `const TRANSFERS: Bulk<3> = Bulk::new("transfers",
/// [Column::big_int("seq"), Column::uuid("debit"), Column::text("reason").nullable()])`. Columns that it does
/// not name get their defaults.
#[derive(Debug, Clone, Copy)]
pub struct Bulk<const N: usize> {
    table: &'static str,
    columns: [Column; N],
}

impl<const N: usize> Bulk<N> {
    /// `columns` of `table`.
    pub const fn new(table: &'static str, columns: [Column; N]) -> Self {
        Self { table, columns }
    }

    /// Inserts `rows`, whose values follow the order of the columns.
    pub async fn insert<C: ConnectionTrait>(
        &self,
        conn: &C,
        rows: Vec<[Value; N]>,
    ) -> Result<(), StorageError> {
        self.write(conn, rows, |_| String::new()).await
    }

    /// Inserts those of `rows` whose `key` is not there yet.
    pub async fn insert_new<C: ConnectionTrait>(
        &self,
        conn: &C,
        key: &[&str],
        rows: Vec<[Value; N]>,
    ) -> Result<(), StorageError> {
        self.write(conn, rows, |engine| sql::keep_taken(engine, key))
            .await
    }

    /// Inserts `rows`, and overwrites all other columns of a row whose `key` is there already. No two rows may
    /// have the same key, and `key` should be the table's only unique one: MySQL takes a conflict on any.
    pub async fn upsert<C: ConnectionTrait>(
        &self,
        conn: &C,
        key: &[&str],
        rows: Vec<[Value; N]>,
    ) -> Result<(), StorageError> {
        let overwrite = |engine| sql::overwrite_taken(engine, &self.columns, key);
        self.write(conn, rows, overwrite).await
    }

    async fn write<C: ConnectionTrait>(
        &self,
        conn: &C,
        rows: Vec<[Value; N]>,
        tail: impl FnOnce(Engine) -> String,
    ) -> Result<(), StorageError> {
        if rows.is_empty() {
            return Ok(());
        }
        let backend = conn.get_database_backend();
        let engine = Engine::from(backend);
        let tail = tail(engine);
        if engine == Engine::Postgres {
            let text = sql::insert_arrays(self.table, &self.columns, &tail);
            let values = self.transpose(rows)?;
            conn.execute_raw(Statement::from_sql_and_values(backend, text, values))
                .await?;
            return Ok(());
        }
        for chunk in insert_chunks(engine, N, rows) {
            let text = sql::insert_rows(engine, self.table, &self.columns, chunk.len(), &tail);
            let values = chunk.into_iter().flatten();
            conn.execute_raw(Statement::from_sql_and_values(backend, text, values))
                .await?;
        }
        Ok(())
    }

    /// One array per column, followed for nullable columns by one that says where it is null.
    fn transpose(&self, rows: Vec<[Value; N]>) -> Result<Vec<Value>, StorageError> {
        let mut arrays: [Vec<Value>; N] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
        let mut nulls: [Vec<Value>; N] = std::array::from_fn(|_| Vec::new());
        for row in rows {
            for (index, value) in row.into_iter().enumerate() {
                let column = &self.columns[index];
                let is_null = column
                    .takes(&value)
                    .ok_or_else(|| self.misfit(column, &value))?;
                if column.is_nullable() {
                    nulls[index].push(is_null.into());
                }
                arrays[index].push(if is_null { column.filler() } else { value });
            }
        }
        let mut values = Vec::with_capacity(2 * N);
        for ((column, array), nulls) in self.columns.iter().zip(arrays).zip(nulls) {
            values.push(column.array(array));
            if column.is_nullable() {
                values.push(Kind::Bool.array(nulls));
            }
        }
        Ok(values)
    }

    fn misfit(&self, column: &Column, value: &Value) -> StorageError {
        let (table, column) = (self.table, column.name());
        StorageError::Internal {
            source: DbErr::Type(format!("{table}.{column} does not take {value:?}")),
        }
    }
}
