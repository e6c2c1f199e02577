//! `buckets`: what a bucket is. Written once.

use billing_domain::bucket::Basis;
use sea_orm::Value;

pub(crate) const TABLE: &str = "buckets";
pub(crate) const COLUMNS: [&str; 7] = [
    "id",
    "line_item_id",
    "terms_version",
    "ad_unit_id",
    "rev_share_id",
    "period",
    "publisher_id",
];

pub(crate) fn values(basis: &Basis) -> [Value; 7] {
    [
        basis.id.uuid().into(),
        basis.key.line_item.uuid().into(),
        basis.key.terms_version.into(),
        basis.key.ad_unit.uuid().into(),
        basis.key.rev_share.uuid().into(),
        basis.key.period.index().into(),
        basis.rev_share.publisher.uuid().into(),
    ]
}
