//! `rev_shares`: the versions of revenue shares that something was rated by, per ad unit.

use crate::error::StoreError;
use billing_domain::rev_share::RevShare;
use cleave_kernel::{AdUnitId, GameId, Ppm, PublisherId, RevShareId};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub(crate) const TABLE: &str = "rev_shares";
pub(crate) const COLUMNS: [&str; 7] = [
    "id",
    "rev_share_id",
    "ad_unit_id",
    "version",
    "game_id",
    "publisher_id",
    "share",
];

/// The key of a version for an ad unit: the same for the same two, for ever.
pub(crate) fn id(rev_share: RevShareId, ad_unit: AdUnitId) -> Uuid {
    Uuid::new_v5(&rev_share.uuid(), ad_unit.uuid().as_bytes())
}

pub(crate) fn values(share: &RevShare) -> [Value; 7] {
    [
        id(share.id, share.ad_unit).into(),
        share.id.uuid().into(),
        share.ad_unit.uuid().into(),
        share.version.into(),
        share.game.uuid().into(),
        share.publisher.uuid().into(),
        i32::try_from(share.share.get()).unwrap_or(i32::MAX).into(),
    ]
}

/// Reads the columns of the table from the column `at` on.
pub(crate) fn read(row: &QueryResult, at: usize) -> Result<RevShare, StoreError> {
    let share: i32 = row.try_get_by_index(at + 6)?;
    Ok(RevShare {
        id: RevShareId::from_uuid(row.try_get_by_index(at + 1)?),
        ad_unit: AdUnitId::from_uuid(row.try_get_by_index(at + 2)?),
        version: row.try_get_by_index(at + 3)?,
        game: GameId::from_uuid(row.try_get_by_index(at + 4)?),
        publisher: PublisherId::from_uuid(row.try_get_by_index(at + 5)?),
        share: Ppm::try_from(i64::from(share))
            .map_err(|error| StoreError::corrupt(format!("rev_shares.share: {error}")))?,
    })
}
