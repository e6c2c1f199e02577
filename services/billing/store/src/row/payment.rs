//! `payments`.

use billing_domain::payment::Payment;
use sea_orm::Value;

pub(crate) const TABLE: &str = "payments";
pub(crate) const COLUMNS: [&str; 8] = [
    "id",
    "account_id",
    "currency",
    "amount",
    "external_ref",
    "method",
    "received_at",
    "created_at",
];

pub(crate) fn values(payment: &Payment) -> [Value; 8] {
    [
        payment.id.uuid().into(),
        payment.account.uuid().into(),
        payment.amount.currency.code().into(),
        payment.amount.micros.get().into(),
        payment.external_ref.clone().into(),
        payment.method.clone().into(),
        payment.received_at.micros().into(),
        payment.created_at.micros().into(),
    ]
}
