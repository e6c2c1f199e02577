//! Messages to Billing, stored in the transaction that causes them and told by a task.

use cleave_kernel::RequestId;
use cleave_storage::StorageError;
use operations_domain::OutboxMessage;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::Query;

use crate::row::corrupt;
use crate::unit::Unit;

/// Keeps `message` until Billing has answered it, and answers the request that will tell it.
///
/// # Errors
/// When the database fails.
pub async fn push(unit: &Unit, message: &OutboxMessage) -> Result<RequestId, StorageError> {
    let request = RequestId::generate();
    let text = serde_json::to_string(message).map_err(corrupt)?;
    let now = unit.now().micros();
    let insert = Query::insert()
        .into_table("outbox")
        .columns(["id", "message", "created_at", "next_at", "attempts"])
        .values_panic([
            request.uuid().into(),
            text.into(),
            now.into(),
            now.into(),
            0_i64.into(),
        ])
        .to_owned();
    unit.execute(&insert).await?;
    Ok(request)
}
