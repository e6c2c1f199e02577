//! What a publisher earns of what its ad units deliver: resolved by Operations, kept here as a projection.

use cleave_kernel::{AdUnitId, GameId, Ppm, PublisherId, RevShareId};
use serde::{Deserialize, Serialize};

/// The revenue share of one ad unit over a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevShare {
    /// The version that holds; ids of versions are never used again.
    pub id: RevShareId,
    /// Its number within its scope.
    pub version: i64,
    /// The ad unit.
    pub ad_unit: AdUnitId,
    /// The game it stands in.
    pub game: GameId,
    /// Who earns.
    pub publisher: PublisherId,
    /// What part of the delivery's worth.
    pub share: Ppm,
}
