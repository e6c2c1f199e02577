//! What the fake knows: terms, shares, parties, delivery, and the order in which they changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prost_types::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::new_id;
use crate::pb;
use crate::pb::catalog_change::Subject;

/// The world behind a lock, and a signal for those who watch it.
#[derive(Clone, Debug, Default)]
pub(super) struct Globe {
    world: Arc<Mutex<World>>,
    changed: watch::Sender<i64>,
}

impl Globe {
    /// Reads or changes the world.
    pub(super) fn edit<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        // Every change is whole before anything can panic, so a poisoned lock guards a sound world.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (world.epoch, world.revision);
        let result = act(&mut world);
        if before != (world.epoch, world.revision) {
            self.changed.send_replace(world.revision);
        }
        result
    }

    /// Resolves when the world has changed.
    pub(super) fn changes(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }
}

/// A version of the revenue share of one ad unit.
#[derive(Clone, Debug)]
pub struct ShareVersion {
    /// The ad unit it covers, `unit_...`.
    pub ad_unit_id: String,
    /// Who earns, `pub_...`.
    pub publisher_id: String,
    /// The game of the ad unit, `game_...`.
    pub game_id: String,
    /// What the publisher earns, in parts per million.
    pub share_ppm: i64,
    /// From when it holds.
    pub effective_time: Timestamp,
}

/// A share with the id and the number that publication gave it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) version: ShareVersion,
    pub(super) rev_share: pb::RevShare,
}

/// A key that sorts as the contract lists rows.
type RowKey = (String, String, i64, String, (i64, i32));

/// The rows of one side, each with the revision of the feed at which it last changed.
#[derive(Debug)]
pub(super) struct World {
    /// Which life of the database this is; resume tokens carry it.
    pub(super) epoch: Uuid,
    pub(super) revision: i64,
    pub(super) terms: BTreeMap<(String, i64), (pb::LineItemTerms, i64)>,
    /// Shares by ad unit, in the order in which they take effect.
    pub(super) shares: BTreeMap<String, Vec<(Share, i64)>>,
    pub(super) parties: BTreeMap<String, (pb::Party, i64)>,
    pub(super) rows: BTreeMap<RowKey, (pb::DeliveryRow, i64)>,
    pub(super) watermarks: BTreeMap<String, pb::DeliveryWatermark>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            epoch: Uuid::now_v7(),
            revision: 0,
            terms: BTreeMap::new(),
            shares: BTreeMap::new(),
            parties: BTreeMap::new(),
            rows: BTreeMap::new(),
            watermarks: BTreeMap::new(),
        }
    }
}

impl World {
    fn tick(&mut self) -> i64 {
        self.revision += 1;
        self.revision
    }

    pub(super) fn publish_terms(&mut self, terms: pb::LineItemTerms) {
        let at = self.tick();
        let key = (terms.line_item_id.clone(), terms.version);
        self.terms.insert(key, (terms, at));
    }

    pub(super) fn publish_share(&mut self, version: ShareVersion) {
        let at = self.tick();
        let shares = self.shares.entry(version.ad_unit_id.clone()).or_default();
        let scope = pb::rev_share_scope::Scope::AdUnitId(version.ad_unit_id.clone());
        let number = i64::try_from(shares.len())
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let rev_share = pb::RevShare {
            id: new_id("rsh"),
            scope: Some(pb::RevShareScope { scope: Some(scope) }),
            version: number,
            share_ppm: version.share_ppm,
            effective_time: Some(version.effective_time),
            note: String::new(),
            create_time: Some(version.effective_time),
        };
        shares.push((Share { version, rev_share }, at));
        shares.sort_by_key(|(share, _)| order(&share.version.effective_time));
    }

    pub(super) fn put_party(&mut self, party: pb::Party) {
        let at = self.tick();
        self.parties.insert(party.id.clone(), (party, at));
    }

    pub(super) fn report(&mut self, mut row: pb::DeliveryRow) {
        let Some(key) = &row.key else { return };
        let key = (
            key.source.clone(),
            key.line_item_id.clone(),
            key.terms_version,
            key.ad_unit_id.clone(),
            key.hour.as_ref().map(order).unwrap_or_default(),
        );
        let stored = self.rows.get(&key).map_or(0, |(row, _)| row.revision);
        if row.revision <= stored {
            return;
        }
        if row.reason() == pb::DeliveryReason::Unspecified {
            row.set_reason(pb::DeliveryReason::Live);
        }
        row.set_state(pb::DeliveryState::Provisional);
        let at = self.tick();
        self.rows.insert(key, (row, at));
    }

    pub(super) fn complete_through(&mut self, source: &str, instant: Timestamp) {
        let behind = |mark: &pb::DeliveryWatermark| {
            mark.complete_through.as_ref().map(order) < Some(order(&instant))
        };
        if self
            .watermarks
            .get(source)
            .is_some_and(|mark| !behind(mark))
        {
            return;
        }
        let watermark = pb::DeliveryWatermark {
            source: source.to_owned(),
            complete_through: Some(instant),
            revision: self.tick(),
        };
        self.watermarks.insert(source.to_owned(), watermark);
    }

    /// Starts another life of the database.
    pub(super) fn restore(&mut self) {
        self.epoch = Uuid::now_v7();
    }

    /// Everything of the catalogue that changed after a position, in the order of the changes.
    pub(super) fn catalog_since(&self, after: i64) -> Vec<Subject> {
        let parties = self
            .parties
            .values()
            .map(|(party, at)| (*at, Subject::Party(party.clone())));
        let terms = self
            .terms
            .values()
            .map(|(terms, at)| (*at, Subject::LineItemTerms(terms.clone())));
        let shares = self
            .shares
            .values()
            .flatten()
            .map(|(share, at)| (*at, Subject::RevShare(share.rev_share.clone())));
        let mut changes: Vec<_> = parties.chain(terms).chain(shares).collect();
        changes.retain(|(at, _)| *at > after);
        changes.sort_by_key(|(at, _)| *at);
        changes.into_iter().map(|(_, subject)| subject).collect()
    }
}

/// What instants sort by.
pub(super) fn order(time: &Timestamp) -> (i64, i32) {
    (time.seconds, time.nanos)
}
