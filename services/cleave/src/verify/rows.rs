//! Delivery as Operations tells it: rows, with the terms and revenue shares that they name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use billing_client::pb::{ListParkedRowsRequest, ListWrittenOffRowsRequest};
use billing_domain::delivery::{DeliveryCounts, DeliveryKey, RowId};
use billing_domain::rev_share::RevShare;
use billing_domain::terms::Terms;
use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use futures::stream::TryStreamExt;
use operations_client::OperationsClient;
use operations_client::pb::{
    BatchGetLineItemTermsRequest, BatchGetRevShareRequest, LineItemTermsKey, ListDeliveryRequest,
    RevShareQuery,
};

use super::convert;
use crate::peers::Peers;
use crate::time::{from_proto, to_proto};

/// Keys in one call, below the contract's limit of 1000.
const AT_ONCE: usize = 500;

/// Everything that ratings follow from.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) rows: Vec<(DeliveryKey, DeliveryCounts)>,
    /// The latest revision of each row.
    revisions: HashMap<RowId, i64>,
    /// Rows that Billing cannot rate yet, or has let go.
    pub(super) parked: HashSet<DeliveryKey>,
    pub(super) terms: HashMap<(LineItemId, i64), Arc<Terms>>,
    pub(super) shares: HashMap<(AdUnitId, Timestamp), Arc<RevShare>>,
}

/// Reads all of it.
pub(super) async fn read(peers: &Peers) -> Result<Delivery> {
    let mut delivery = Delivery::default();
    read_rows(&peers.operations, &mut delivery).await?;
    read_terms(&peers.operations, &mut delivery).await?;
    read_shares(&peers.operations, &mut delivery).await?;
    read_parked(peers, &mut delivery).await?;
    read_written_off(peers, &mut delivery).await?;
    Ok(delivery)
}

async fn read_rows(client: &OperationsClient, delivery: &mut Delivery) -> Result<()> {
    let mut rows = pin!(client.list_all_delivery(ListDeliveryRequest::default()));
    while let Some(row) = rows.try_next().await? {
        let key = row.key.context("a delivery row has no key")?;
        let key = DeliveryKey {
            source: key.source,
            line_item: key.line_item_id.parse()?,
            terms_version: key.terms_version,
            ad_unit: key.ad_unit_id.parse()?,
            hour: from_proto(key.hour.as_ref()),
        };
        delivery.revisions.insert(key.id(), row.revision);
        let counts = convert::counts(&row.counts.unwrap_or_default());
        delivery.rows.push((key, counts));
    }
    Ok(())
}

async fn read_terms(client: &OperationsClient, delivery: &mut Delivery) -> Result<()> {
    let keys: BTreeSet<_> = delivery
        .rows
        .iter()
        .map(|(key, _)| (key.line_item, key.terms_version))
        .collect();
    let keys: Vec<_> = keys.into_iter().collect();
    for keys in keys.chunks(AT_ONCE) {
        let key = |(line_item, version): &(LineItemId, i64)| LineItemTermsKey {
            line_item_id: line_item.to_string(),
            version: *version,
        };
        let request = BatchGetLineItemTermsRequest {
            keys: keys.iter().map(key).collect(),
        };
        for wire in client.batch_get_line_item_terms(request).await?.terms {
            let terms = convert::terms(&wire)?;
            delivery
                .terms
                .insert((terms.line_item, terms.version), Arc::new(terms));
        }
    }
    Ok(())
}

async fn read_shares(client: &OperationsClient, delivery: &mut Delivery) -> Result<()> {
    let keys: BTreeSet<_> = delivery
        .rows
        .iter()
        .map(|(key, _)| (key.ad_unit, key.hour))
        .collect();
    let keys: Vec<_> = keys.into_iter().collect();
    for keys in keys.chunks(AT_ONCE) {
        let query = |(ad_unit, hour): &(AdUnitId, Timestamp)| RevShareQuery {
            ad_unit_id: ad_unit.to_string(),
            time: Some(to_proto(*hour)),
        };
        let request = BatchGetRevShareRequest {
            queries: keys.iter().map(query).collect(),
        };
        for wire in client.batch_get_rev_share(request).await?.value.rev_shares {
            let share = convert::rev_share(&wire)?;
            let at = from_proto(wire.time.as_ref());
            delivery.shares.insert((share.ad_unit, at), Arc::new(share));
        }
    }
    Ok(())
}

async fn read_parked(peers: &Peers, delivery: &mut Delivery) -> Result<()> {
    let mut rows = pin!(
        peers
            .billing
            .list_all_parked_rows(ListParkedRowsRequest::default())
    );
    while let Some(row) = rows.try_next().await? {
        let (Ok(line_item), Ok(ad_unit)) = (row.line_item_id.parse(), row.ad_unit_id.parse())
        else {
            // Of a row that Billing could not read, Operations has no key that could be told from others.
            continue;
        };
        delivery.parked.insert(DeliveryKey {
            source: row.source,
            line_item,
            terms_version: row.terms_version,
            ad_unit,
            hour: from_proto(row.hour.as_ref()),
        });
    }
    Ok(())
}

/// Rows that Billing let go without rating them count as parked as long as no later revision of them came.
async fn read_written_off(peers: &Peers, delivery: &mut Delivery) -> Result<()> {
    let request = ListWrittenOffRowsRequest::default();
    let mut rows = pin!(peers.billing.list_all_written_off_rows(request));
    while let Some(row) = rows.try_next().await? {
        let (Ok(line_item), Ok(ad_unit)) = (row.line_item_id.parse(), row.ad_unit_id.parse())
        else {
            continue;
        };
        let key = DeliveryKey {
            source: row.source,
            line_item,
            terms_version: row.terms_version,
            ad_unit,
            hour: from_proto(row.hour.as_ref()),
        };
        let latest = delivery.revisions.get(&key.id()).copied();
        if !row.rated && latest.is_none_or(|latest| latest <= row.revision) {
            delivery.parked.insert(key);
        }
    }
    Ok(())
}
