//! `transfers`.

use crate::error::StoreError;
use billing_domain::transfer::{Kind, Reason};
use billing_domain::{Period, Transfer};
use cleave_kernel::{LedgerAccountId, Micros, Timestamp, TransferId};
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "transfers";
pub(crate) const COLUMNS: [&str; 12] = [
    "seq",
    "id",
    "debit_id",
    "credit_id",
    "amount",
    "kind",
    "pending_id",
    "group_id",
    "booked_at",
    "period",
    "source_ref",
    "reason",
];

pub(crate) fn values(seq: i64, transfer: &Transfer) -> [Value; 12] {
    [
        seq.into(),
        transfer.id.uuid().into(),
        transfer.debit.uuid().into(),
        transfer.credit.uuid().into(),
        transfer.amount.get().into(),
        transfer.kind.number().into(),
        transfer.pending.map(TransferId::uuid).into(),
        transfer.group.into(),
        transfer.booked_at.micros().into(),
        transfer.period.index().into(),
        transfer.source_ref.clone().into(),
        transfer.reason.number().into(),
    ]
}

/// Reads a row: the place in the order of all transfers, and the transfer.
pub(crate) fn read(row: &QueryResult) -> Result<(i64, Transfer), StoreError> {
    let kind = row.try_get_by_index(5)?;
    let reason = row.try_get_by_index(11)?;
    let transfer = Transfer {
        id: TransferId::from_uuid(row.try_get_by_index(1)?),
        debit: LedgerAccountId::from_uuid(row.try_get_by_index(2)?),
        credit: LedgerAccountId::from_uuid(row.try_get_by_index(3)?),
        amount: Micros::new(row.try_get_by_index(4)?),
        kind: Kind::from_number(kind)
            .ok_or_else(|| StoreError::corrupt(format!("transfers.kind is {kind}")))?,
        pending: row
            .try_get_by_index::<Option<_>>(6)?
            .map(TransferId::from_uuid),
        group: row.try_get_by_index(7)?,
        booked_at: Timestamp::from_micros(row.try_get_by_index(8)?),
        period: Period::from_index(row.try_get_by_index(9)?),
        source_ref: row.try_get_by_index(10)?,
        reason: Reason::from_number(reason)
            .ok_or_else(|| StoreError::corrupt(format!("transfers.reason is {reason}")))?,
    };
    Ok((row.try_get_by_index(0)?, transfer))
}
