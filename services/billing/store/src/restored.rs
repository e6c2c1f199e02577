//! After a restore: what is free of the accounts is known again only once the delivery since the backup has been rated
//! again, and until then nothing may be granted of it.

use crate::error::StoreError;
use crate::row::{self, IfThere};
use crate::store::Store;
use cleave_kernel::Timestamp;
use cleave_storage::{StorageError, Transaction};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

/// The name of the row in `rating_cursor` that stands for a restore whose delivery is not rated again yet.
const RESTORED: &str = "restored";

/// Notes, within the transaction that makes a restored database a new history, that it is behind.
///
/// # Errors
/// When the database fails.
pub async fn mark_restored(txn: &Transaction, at: Timestamp) -> Result<(), StorageError> {
    let columns = ["name", "resume_token", "revision", "as_of", "updated_at"];
    let mark = [
        RESTORED.into(),
        "".into(),
        0_i64.into(),
        at.micros().into(),
        at.micros().into(),
    ];
    row::write(txn, "rating_cursor", columns, vec![mark], IfThere::Replace).await
}

impl Store {
    /// When the database was restored, while the delivery since its backup is not rated again yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catching_up_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let select = &row::select("rating_cursor", ["as_of"])
            .and_where(Expr::col("name").eq(RESTORED))
            .to_owned();
        self.database()
            .read("catching_up_since", |conn| async move {
                let row = conn.query_one(select).await?;
                let micros: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
                Ok(micros.map(Timestamp::from_micros))
            })
            .await
    }

    /// Notes that all delivery is rated; answers whether that was news.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn caught_up(&self) -> Result<bool, StoreError> {
        let delete = &Query::delete()
            .from_table("rating_cursor")
            .and_where(Expr::col("name").eq(RESTORED))
            .to_owned();
        self.database()
            .transaction("caught_up", |txn| async move {
                Ok(txn.execute(delete).await?.rows_affected() > 0)
            })
            .await
    }
}
