//! What is stale about a restored database, beside the numbers of its feed.

use cleave_kernel::Timestamp;
use cleave_storage::{StorageError, Transaction};
use operations_domain::lease::LeaseState;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

/// Ends, within the transaction that makes a restored database a new history, all serving on leases from before: what
/// was served against them since the backup is not known any more. Those that Billing was being asked for are given up;
/// whatever it has granted of them expires by itself.
///
/// # Errors
/// When the database fails.
pub async fn end_leases(txn: &Transaction, now: Timestamp) -> Result<(), StorageError> {
    let given_up = Query::update()
        .table("leases")
        .value("state", LeaseState::Closed.to_string())
        .and_where(Expr::col("state").eq(LeaseState::Planned.to_string()))
        .to_owned();
    txn.execute(&given_up).await?;
    for table in ["leases", "lease_lines"] {
        let over = Query::update()
            .table(table)
            .value("serve_until", now.micros())
            .and_where(Expr::col("serve_until").gt(now.micros()))
            .to_owned();
        txn.execute(&over).await?;
    }
    Ok(())
}
