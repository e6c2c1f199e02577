//! Revenue shares: immutable versions by scope, of which the most specific one in effect wins.

use cleave_kernel::{AdUnitId, GameId, Ppm, PublisherId, RevShareId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Refusal;
use crate::named::named;

named! {
    /// How specific a scope is; later ones win.
    pub enum ShareLevel {
        /// Every ad unit.
        Network = "NETWORK",
        /// Every ad unit of a publisher.
        Publisher = "PUBLISHER",
        /// Every ad unit of a game.
        Game = "GAME",
        /// One ad unit.
        AdUnit = "AD_UNIT",
    }
}

/// What a share covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "level", content = "id", rename_all = "snake_case")]
pub enum ShareScope {
    /// Every ad unit.
    Network,
    /// Every ad unit of a publisher.
    Publisher(PublisherId),
    /// Every ad unit of a game.
    Game(GameId),
    /// One ad unit.
    AdUnit(AdUnitId),
}

impl ShareScope {
    /// How specific it is.
    pub const fn level(self) -> ShareLevel {
        match self {
            Self::Network => ShareLevel::Network,
            Self::Publisher(_) => ShareLevel::Publisher,
            Self::Game(_) => ShareLevel::Game,
            Self::AdUnit(_) => ShareLevel::AdUnit,
        }
    }

    /// What it names; nil for the network.
    pub const fn subject(self) -> Uuid {
        match self {
            Self::Network => Uuid::nil(),
            Self::Publisher(id) => id.uuid(),
            Self::Game(id) => id.uuid(),
            Self::AdUnit(id) => id.uuid(),
        }
    }

    /// The scope of `level` that names `subject`.
    pub const fn from_parts(level: ShareLevel, subject: Uuid) -> Self {
        match level {
            ShareLevel::Network => Self::Network,
            ShareLevel::Publisher => Self::Publisher(PublisherId::from_uuid(subject)),
            ShareLevel::Game => Self::Game(GameId::from_uuid(subject)),
            ShareLevel::AdUnit => Self::AdUnit(AdUnitId::from_uuid(subject)),
        }
    }
}

/// Where an ad unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placement {
    /// The ad unit.
    pub ad_unit_id: AdUnitId,
    /// Its game.
    pub game_id: GameId,
    /// Whose game it is.
    pub publisher_id: PublisherId,
}

impl Placement {
    /// The scopes that cover it, the most specific first.
    pub const fn scopes(&self) -> [ShareScope; 4] {
        [
            ShareScope::AdUnit(self.ad_unit_id),
            ShareScope::Game(self.game_id),
            ShareScope::Publisher(self.publisher_id),
            ShareScope::Network,
        ]
    }
}

/// One published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevShare {
    /// Its id.
    pub id: RevShareId,
    /// What it covers.
    pub scope: ShareScope,
    /// Which version of the scope, from 1.
    pub version: i64,
    /// What the publisher earns.
    pub share: Ppm,
    /// From when it holds.
    pub effective_at: Timestamp,
    /// Why it was published.
    pub note: Option<String>,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What it takes to publish a version.
#[derive(Debug, Clone)]
pub struct NewRevShare {
    /// Its id.
    pub id: RevShareId,
    /// What it covers.
    pub scope: ShareScope,
    /// What the publisher earns.
    pub share: Ppm,
    /// From when it holds; from now on when absent.
    pub effective_at: Option<Timestamp>,
    /// Why it is published.
    pub note: Option<String>,
}

/// The first and last hour, from some instant on, in which an ad unit has delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveredHours {
    /// Where.
    pub placement: Placement,
    /// The first such hour.
    pub first: Timestamp,
    /// The last such hour.
    pub last: Timestamp,
}

/// The version that holds, and until when as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The version.
    pub rev_share: &'a RevShare,
    /// When the next known change is.
    pub until: Option<Timestamp>,
}

impl RevShare {
    /// The next version of a scope, after `last`.
    ///
    /// # Errors
    /// When it would not take effect after the last one.
    pub fn publish(new: NewRevShare, last: Option<&Self>, now: Timestamp) -> Result<Self, Refusal> {
        let effective_at = new.effective_at.unwrap_or(now);
        if let Some(last) = last
            && effective_at <= last.effective_at
        {
            return Err(Refusal::VersionOrder {
                latest_version: last.version,
                latest_effective: last.effective_at,
            });
        }
        Ok(Self {
            id: new.id,
            scope: new.scope,
            version: last.map_or(0, |last| last.version) + 1,
            share: new.share,
            effective_at,
            note: new.note,
            created_at: now,
        })
    }

    /// Refuses the version if it would change what delivery has earned: `versions` are the published ones,
    /// `delivered` the ad units in scope that have delivery at or after it takes effect.
    ///
    /// # Errors
    /// When it would. Delivery that no share covers so far is not in the way.
    pub fn require_unused(
        &self,
        versions: &[Self],
        delivered: &[DeliveredHours],
    ) -> Result<(), Refusal> {
        for hours in delivered {
            let level = |at| {
                resolve(&hours.placement, versions, at).map(|found| found.rev_share.scope.level())
            };
            // Shares only ever get more specific with time, so the first and the last hour tell enough.
            let untouched = level(hours.first).is_some_and(|first| first > self.scope.level());
            if level(hours.last).is_some() && !untouched {
                return Err(Refusal::ShareInUse {
                    ad_unit_id: hours.placement.ad_unit_id.to_string(),
                    hour: hours.last,
                });
            }
        }
        Ok(())
    }
}

/// The version among `versions` that holds for `placement` at `at`.
pub fn resolve<'a>(
    placement: &Placement,
    versions: &'a [RevShare],
    at: Timestamp,
) -> Option<Resolved<'a>> {
    let mut until: Option<Timestamp> = None;
    for scope in placement.scopes() {
        let of_scope = || versions.iter().filter(|version| version.scope == scope);
        let next = of_scope()
            .map(|version| version.effective_at)
            .filter(|effective| *effective > at)
            .min();
        until = match (until, next) {
            (Some(known), Some(next)) => Some(known.min(next)),
            (known, next) => known.or(next),
        };
        let holds = of_scope()
            .filter(|version| version.effective_at <= at)
            .max_by_key(|version| version.effective_at);
        if let Some(rev_share) = holds {
            return Some(Resolved { rev_share, until });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placement() -> Placement {
        Placement {
            ad_unit_id: AdUnitId::from_uuid(Uuid::from_u128(1)),
            game_id: GameId::from_uuid(Uuid::from_u128(2)),
            publisher_id: PublisherId::from_uuid(Uuid::from_u128(3)),
        }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn version(scope: ShareScope, version: i64, effective: i64) -> RevShare {
        RevShare {
            id: RevShareId::generate(),
            scope,
            version,
            share: Ppm::new(700_000).unwrap(),
            effective_at: at(effective),
            note: None,
            created_at: at(0),
        }
    }

    #[test]
    fn the_most_specific_scope_in_effect_wins() {
        let [unit, game, publisher, network] = placement().scopes();
        let versions = [
            version(network, 1, 0),
            version(publisher, 1, 10),
            version(unit, 1, 20),
            version(game, 1, 30),
            version(network, 2, 40),
            version(unit, 2, 50),
        ];
        let found = |micros| {
            resolve(&placement(), &versions, at(micros)).map(|found| {
                (
                    found.rev_share.scope.level(),
                    found.rev_share.version,
                    found.until.map(Timestamp::micros),
                )
            })
        };
        assert_eq!(found(-1), None);
        assert_eq!(found(0), Some((ShareLevel::Network, 1, Some(10))));
        assert_eq!(found(10), Some((ShareLevel::Publisher, 1, Some(20))));
        assert_eq!(found(45), Some((ShareLevel::AdUnit, 1, Some(50))));
        assert_eq!(found(50), Some((ShareLevel::AdUnit, 2, None)));
    }

    #[test]
    fn shares_of_others_do_not_count() {
        let other = ShareScope::Publisher(PublisherId::generate());
        assert_eq!(resolve(&placement(), &[version(other, 1, 0)], at(1)), None);
    }

    #[test]
    fn a_version_takes_effect_after_the_last() {
        let last = version(ShareScope::Network, 3, 100);
        let publish = |effective: Option<i64>| {
            let new = NewRevShare {
                id: RevShareId::generate(),
                scope: ShareScope::Network,
                share: Ppm::ONE,
                effective_at: effective.map(at),
                note: None,
            };
            RevShare::publish(new, Some(&last), at(500)).map(|new| (new.version, new.effective_at))
        };
        assert!(matches!(
            publish(Some(100)),
            Err(Refusal::VersionOrder { .. })
        ));
        assert_eq!(publish(Some(101)), Ok((4, at(101))));
        assert_eq!(publish(None), Ok((4, at(500))));
    }

    proptest! {
        /// Publishing must never change what already resolved hours resolve to.
        #[test]
        fn what_was_earned_stays(
            published in prop::collection::vec((0_usize..4, 0_i64..20), 0..6),
            hours in prop::collection::btree_set(0_i64..20, 1..5),
            new in (0_usize..4, 0_i64..20),
        ) {
            let scopes = placement().scopes();
            let mut versions: Vec<RevShare> = Vec::new();
            for (scope, effective) in published {
                if versions.iter().all(|known| known.scope != scopes[scope] || known.effective_at < at(effective)) {
                    versions.push(version(scopes[scope], 1, effective));
                }
            }
            let candidate = version(scopes[new.0], 9, new.1);
            prop_assume!(versions.iter().all(|known| known.scope != candidate.scope || known.effective_at < candidate.effective_at));
            let touched: Vec<i64> = hours.iter().copied().filter(|hour| *hour >= new.1).collect();
            let delivered: Vec<DeliveredHours> = match (touched.first(), touched.last()) {
                (Some(first), Some(last)) => vec![DeliveredHours { placement: placement(), first: at(*first), last: at(*last) }],
                _ => Vec::new(),
            };
            if candidate.require_unused(&versions, &delivered).is_ok() {
                let mut after = versions.clone();
                after.push(candidate);
                for hour in hours {
                    if let Some(before) = resolve(&placement(), &versions, at(hour)) {
                        let now = resolve(&placement(), &after, at(hour));
                        prop_assert_eq!(now.map(|found| found.rev_share), Some(before.rev_share));
                    }
                }
            }
        }
    }
}
