//! `adjustments`.

use billing_domain::adjustment::{Adjustment, Direction, Kind};
use sea_orm::Value;

pub(crate) const TABLE: &str = "adjustments";
pub(crate) const COLUMNS: [&str; 9] = [
    "id",
    "account_id",
    "kind",
    "direction",
    "currency",
    "amount",
    "reason",
    "actor",
    "created_at",
];

pub(crate) fn values(adjustment: &Adjustment) -> [Value; 9] {
    [
        adjustment.id.uuid().into(),
        adjustment.account.uuid().into(),
        kind_number(adjustment.kind).into(),
        direction_number(adjustment.direction).into(),
        adjustment.amount.currency.code().into(),
        adjustment.amount.micros.get().into(),
        adjustment.reason.clone().into(),
        adjustment.actor.clone().into(),
        adjustment.created_at.micros().into(),
    ]
}

const fn kind_number(kind: Kind) -> i16 {
    match kind {
        Kind::Goodwill => 1,
        Kind::Discrepancy => 2,
        Kind::InvalidTraffic => 3,
        Kind::BadDebt => 4,
        Kind::Clawback => 5,
        Kind::WriteOff => 6,
    }
}

const fn direction_number(direction: Direction) -> i16 {
    match direction {
        Direction::Credit => 1,
        Direction::Debit => 2,
    }
}
