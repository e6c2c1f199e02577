//! A small ad server: it serves the line items that Operations lets it serve, and reports what it served.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use cleave_kernel::Timestamp;
use fastrand::Rng;
use futures::stream::{self, TryStreamExt};
use operations_client::OperationsClient;
use operations_client::pb::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, LineItemStatus, ListLineItemsRequest,
    ReportDeliveryRequest,
};

use super::build::{ad_unit_ids, line_item_id};
use super::network::{BUYERS, Item};
use super::traffic;
use crate::peers::Peers;
use crate::time::to_proto;

/// Who counts.
const SOURCE: &str = "sample-adserver";
/// The hour is served in so many steps, and looked at in between.
const STEPS: u32 = 12;
/// Minutes of a step.
const STEP_MINUTES: u32 = 5;
/// How long line items that wait for their lease are waited for, at each step.
const LEASE_PATIENCE: Duration = Duration::from_secs(3);
const LEASE_PAUSE: Duration = Duration::from_millis(100);
/// The seed of all traffic.
const SEED: u64 = 0x0c1e_a7e0;

/// One line item, as the ad server sees it.
struct Slot {
    id: String,
    item: &'static Item,
}

/// What was served of the hour so far, by line item and ad unit.
struct Server<'a> {
    client: &'a OperationsClient,
    hour: Timestamp,
    slots: Vec<Slot>,
    units: Vec<String>,
    counts: BTreeMap<(usize, usize), DeliveryCounts>,
    revision: i64,
}

/// Serves an hour, as fast as leases allow.
pub(super) async fn serve_an_hour(peers: &Peers, hour: Timestamp) -> Result<()> {
    let mut server = Server {
        client: &peers.operations,
        hour,
        slots: slots(),
        units: ad_unit_ids().iter().map(ToString::to_string).collect(),
        counts: BTreeMap::new(),
        revision: 0,
    };
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..STEPS {
        let serving = server.allowed().await?;
        server.serve(&serving, &mut rng);
        server.report(DeliveryReason::Live, None).await?;
    }
    server.find_invalid_traffic();
    let end = server.hour.plus(Duration::from_secs(3600));
    server.report(DeliveryReason::Ivt, Some(end)).await
}

fn slots() -> Vec<Slot> {
    let mut slots = Vec::new();
    for buyer in BUYERS {
        for order in buyer.campaigns {
            for item in order.items {
                let id = line_item_id(buyer.name, order.name, item.name).to_string();
                slots.push(Slot { id, item });
            }
        }
    }
    slots
}

impl Server<'_> {
    /// The line items that may serve now: those on a live lease. Those that wait for one are given a moment.
    async fn allowed(&self) -> Result<BTreeSet<String>> {
        let give_up = tokio::time::Instant::now() + LEASE_PATIENCE;
        loop {
            let mut serving = BTreeSet::new();
            let mut waiting = false;
            let request = ListLineItemsRequest::default();
            let line_items: Vec<_> = self
                .client
                .list_all_line_items(request)
                .try_collect()
                .await?;
            for line_item in line_items {
                match line_item.status() {
                    LineItemStatus::Delivering | LineItemStatus::Limited => {
                        serving.insert(line_item.id);
                    }
                    LineItemStatus::Ready => waiting = true,
                    _ => {}
                }
            }
            if !waiting || tokio::time::Instant::now() > give_up {
                return Ok(serving);
            }
            tokio::time::sleep(LEASE_PAUSE).await;
        }
    }

    fn serve(&mut self, serving: &BTreeSet<String>, rng: &mut Rng) {
        for (place, slot) in self.slots.iter().enumerate() {
            // Drawn for all alike, so that one that pauses does not change the others' traffic.
            for unit in slot.item.places {
                let mut step = DeliveryCounts::default();
                traffic::add(&mut step, rng, slot.item.pace, STEP_MINUTES);
                if serving.contains(&slot.id) {
                    let counts = self.counts.entry((place, *unit)).or_default();
                    *counts = sum(counts, &step);
                }
            }
        }
    }

    /// Takes a part of the first row's impressions back, as a filter for invalid traffic would.
    fn find_invalid_traffic(&mut self) {
        if let Some(counts) = self.counts.values_mut().next() {
            counts.invalid_impressions += (counts.impressions - counts.invalid_impressions) / 20;
        }
    }

    /// Reports the whole hour so far: totals, under the next revision.
    async fn report(&mut self, reason: DeliveryReason, complete: Option<Timestamp>) -> Result<()> {
        self.revision += 1;
        let row = |((place, unit), counts): (&(usize, usize), &DeliveryCounts)| DeliveryRow {
            key: Some(DeliveryKey {
                source: SOURCE.to_owned(),
                line_item_id: self.slots[*place].id.clone(),
                terms_version: 1,
                ad_unit_id: self.units[*unit].clone(),
                hour: Some(to_proto(self.hour)),
            }),
            revision: self.revision,
            counts: Some(*counts),
            reason: reason.into(),
            ..Default::default()
        };
        let request = ReportDeliveryRequest {
            source: SOURCE.to_owned(),
            rows: self.counts.iter().map(row).collect(),
            complete_through: complete.map(to_proto),
            ..Default::default()
        };
        let answer = self.client.report_delivery(stream::iter([request])).await?;
        let rejected = answer
            .rejections
            .first()
            .map(|first| first.message.as_str());
        ensure!(
            rejected.is_none(),
            "a row was rejected: {}",
            rejected.unwrap_or_default()
        );
        Ok(())
    }
}

fn sum(one: &DeliveryCounts, two: &DeliveryCounts) -> DeliveryCounts {
    DeliveryCounts {
        requests: one.requests + two.requests,
        impressions: one.impressions + two.impressions,
        viewable_impressions: one.viewable_impressions + two.viewable_impressions,
        clicks: one.clicks + two.clicks,
        installs: one.installs + two.installs,
        actions: one.actions + two.actions,
        invalid_impressions: one.invalid_impressions + two.invalid_impressions,
        invalid_clicks: one.invalid_clicks + two.invalid_clicks,
        media_cost_micros: one.media_cost_micros + two.media_cost_micros,
    }
}
