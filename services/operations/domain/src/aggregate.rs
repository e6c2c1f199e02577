//! What all aggregates of the catalogue have in common: a kind, an id, a version that moves with each change.

use cleave_kernel::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Refusal;
use crate::named::{Named, named};

named! {
    /// The kinds of resources that Operations owns.
    pub enum Kind {
        /// An advertiser.
        Advertiser = "advertiser",
        /// A publisher.
        Publisher = "publisher",
        /// A game.
        Game = "game",
        /// An ad unit.
        AdUnit = "ad_unit",
        /// A version of a revenue share.
        RevShare = "rev_share",
        /// A campaign.
        Campaign = "campaign",
        /// A request for approval.
        Approval = "approval",
        /// A line item.
        LineItem = "line_item",
        /// A version of a line item's terms.
        Terms = "line_item_terms",
    }
}

/// Version and times of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// 1 when created, one more with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Stamp {
    /// The stamp of what is created `now`.
    pub const fn first(now: Timestamp) -> Self {
        Self {
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A resource that people change, one version after the other.
pub trait Aggregate: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it is.
    const KIND: Kind;
    /// Its typed id.
    type Id: Copy + std::fmt::Display + Send + Sync + 'static;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// Its id as a UUID.
    fn uuid(&self) -> Uuid;

    /// Version and times.
    fn stamp(&self) -> Stamp;

    /// Version and times, to be moved on.
    fn stamp_mut(&mut self) -> &mut Stamp;

    /// Notes a change.
    fn touch(&mut self, now: Timestamp) {
        let stamp = self.stamp_mut();
        stamp.version += 1;
        stamp.updated_at = now;
    }

    /// Refuses a change by somebody who has read another version.
    ///
    /// # Errors
    /// When `version` is not the present one.
    fn check_version(&self, version: i64) -> Result<(), Refusal> {
        if self.stamp().version == version {
            Ok(())
        } else {
            Err(Refusal::Stale {
                kind: Self::KIND,
                id: self.id().to_string(),
            })
        }
    }
}

/// Implements [`Aggregate`] for a struct with the fields `id` and `stamp`.
macro_rules! aggregate {
    ($name:ident, $id:ident, $kind:ident) => {
        impl $crate::Aggregate for $name {
            const KIND: $crate::Kind = $crate::Kind::$kind;
            type Id = cleave_kernel::$id;

            fn id(&self) -> Self::Id {
                self.id
            }

            fn uuid(&self) -> uuid::Uuid {
                self.id.uuid()
            }

            fn stamp(&self) -> $crate::Stamp {
                self.stamp
            }

            fn stamp_mut(&mut self) -> &mut $crate::Stamp {
                &mut self.stamp
            }
        }
    };
}

pub(crate) use aggregate;

/// Whether `aggregate`, being in `state`, may do `action`, which only the states in `from` allow.
pub(crate) fn require_state<A: Aggregate, S: Named>(
    aggregate: &A,
    state: S,
    from: &[S],
    action: &str,
) -> Result<(), Refusal> {
    if from.contains(&state) {
        Ok(())
    } else {
        Err(Refusal::State {
            kind: A::KIND,
            id: aggregate.id().to_string(),
            state: state.name().to_owned(),
            action: action.to_owned(),
        })
    }
}

/// Whether `parent`, being in `state`, may have `action` done below it, which only the states in `from` allow.
pub(crate) fn require_parent<A: Aggregate, S: Named>(
    parent: &A,
    state: S,
    from: &[S],
    action: &str,
) -> Result<(), Refusal> {
    if from.contains(&state) {
        Ok(())
    } else {
        Err(Refusal::ParentState {
            kind: A::KIND,
            id: parent.id().to_string(),
            state: state.name().to_owned(),
            action: action.to_owned(),
        })
    }
}
