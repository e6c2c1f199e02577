//! Rates rows: asks Operations for the terms and shares that are not known yet, outside of any transaction, and hands
//! the rows to the ledger writer.

use crate::app::App;
use crate::peers::Operations;
use billing_domain::catalogue::Catalogue;
use billing_domain::delivery::DeliveryRow;
use billing_domain::parked_row::UnreadableRow;
use billing_domain::rate_delivery::RateReport;
use billing_domain::rating_set::Progress;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Mutex, RwLock};

/// Rows that are put aside because they cannot be read, at most.
const MOST_UNREADABLE: usize = 10_000;

/// Rates rows. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Rater {
    app: App,
    operations: Operations,
    catalogue: Arc<Mutex<Catalogue>>,
    /// Read by those between learning and preparing, when nothing may be forgotten.
    in_use: Arc<RwLock<()>>,
}

impl Rater {
    pub(crate) fn new(app: App, operations: Operations) -> Self {
        let zone = app.store().zone().clone();
        Self {
            app,
            operations,
            catalogue: Arc::new(Mutex::new(Catalogue::new(zone))),
            in_use: Arc::default(),
        }
    }

    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    pub(crate) const fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Rates rows. Those whose terms or share nobody knows are parked.
    pub(crate) async fn rate(
        &self,
        rows: Vec<DeliveryRow>,
        unreadable: Vec<UnreadableRow>,
        progress: Option<Progress>,
    ) -> anyhow::Result<RateReport> {
        self.leave_room_for(&unreadable).await?;
        if let Ok(_alone) = self.in_use.try_write() {
            self.catalogue.lock().await.trim();
        }
        let in_use = self.in_use.read().await;
        // A share is known up to an hour: asking for the latest hours answers the earlier ones but for those before the
        // latest change, and so on.
        for latest in [true, true, false] {
            if !self.learn(&rows, latest).await? {
                break;
            }
        }
        let rows = self.catalogue.lock().await.prepare(rows);
        drop(in_use);
        Ok(self.app.rate_delivery(rows, unreadable, progress).await?)
    }

    /// Forgets what Operations has said, which has begun another history.
    pub(crate) async fn forget(&self) {
        let _alone = self.in_use.write().await;
        self.catalogue.lock().await.forget();
    }

    /// Refuses to put aside without end: an Operations of which nothing can be read is a fault to be mended there, and the
    /// stream waits at its place meanwhile, so that nothing is lost.
    async fn leave_room_for(&self, unreadable: &[UnreadableRow]) -> anyhow::Result<()> {
        if unreadable.is_empty() {
            return Ok(());
        }
        let waiting = self.app.store().unreadable_count().await?;
        let waiting = usize::try_from(waiting)?.saturating_add(unreadable.len());
        anyhow::ensure!(
            waiting <= MOST_UNREADABLE,
            "{waiting} delivery rows cannot be read, more than are put aside: mend them at their source, or write them off"
        );
        Ok(())
    }

    /// Asks for what the rows need and is not known, of the shares only for the latest hour of each ad unit when
    /// `latest`. Answers whether anything was unknown.
    async fn learn(&self, rows: &[DeliveryRow], latest: bool) -> anyhow::Result<bool> {
        let unknown = self.catalogue.lock().await.unknown(rows);
        let shares = if latest {
            // In the order of the hours of each ad unit, so the last one stays.
            let latest: BTreeMap<_, _> = unknown.shares.into_iter().collect();
            latest.into_iter().collect()
        } else {
            Vec::from_iter(unknown.shares)
        };
        let terms = Vec::from_iter(unknown.terms);
        if terms.is_empty() && shares.is_empty() {
            return Ok(false);
        }
        let terms = self.operations.terms(&terms).await?;
        let shares = self.operations.shares(&shares).await?;
        let contradicted = self.app.store().contradicted_terms(&terms).await?;
        let mut catalogue = self.catalogue.lock().await;
        for (line_item, version) in contradicted {
            tracing::error!(
                line_item.id = %line_item,
                terms.version = version,
                "terms are not what they were when they were rated by; their rows are parked"
            );
            catalogue.contradict_terms(line_item, version);
        }
        for terms in terms {
            catalogue.learn_terms(terms);
        }
        for share in shares {
            share.teach(&mut catalogue);
        }
        Ok(true)
    }
}
