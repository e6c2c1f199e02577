//! Rates rows: asks Operations for the terms and shares that are not known yet, outside of any transaction, and hands
//! the rows to the ledger writer.

use crate::app::App;
use crate::peers::Operations;
use billing_domain::catalogue::Catalogue;
use billing_domain::delivery::DeliveryRow;
use billing_domain::rate_delivery::RateReport;
use billing_domain::rating_set::Progress;
use cleave_kernel::Timestamp;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Rates rows. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Rater {
    app: App,
    operations: Operations,
    catalogue: Arc<Mutex<Catalogue>>,
}

impl Rater {
    pub(crate) fn new(app: App, operations: Operations) -> Self {
        let zone = app.store().zone().clone();
        Self {
            app,
            operations,
            catalogue: Arc::new(Mutex::new(Catalogue::new(zone))),
        }
    }

    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    pub(crate) const fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Rates rows that Operations had read by `as_of`. Those whose terms or share nobody knows are parked.
    pub(crate) async fn rate(
        &self,
        rows: Vec<DeliveryRow>,
        as_of: Timestamp,
        progress: Option<Progress>,
    ) -> anyhow::Result<RateReport> {
        let unknown = self.catalogue.lock().await.unknown(&rows);
        let terms: Vec<_> = unknown.terms.into_iter().collect();
        let shares: Vec<_> = unknown.shares.into_iter().collect();
        let terms = self.operations.terms(&terms).await?;
        let shares = self.operations.shares(&shares).await?;
        let rows = {
            let mut catalogue = self.catalogue.lock().await;
            terms
                .into_iter()
                .for_each(|terms| catalogue.learn_terms(terms));
            shares
                .into_iter()
                .for_each(|share| share.teach(&mut catalogue, as_of));
            catalogue.prepare(rows)
        };
        Ok(self.app.rate_delivery(rows, progress).await?)
    }
}
