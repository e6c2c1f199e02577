//! What can be asked of Operations, in the words of the domain. One file per noun; knows no protocol.

mod account;
mod ad_unit;
mod advertiser;
mod campaign;
pub mod catalog;
mod context;
mod delivered;
mod delivery;
mod delivery_intake;
mod error;
mod explain;
mod game;
mod lease;
mod lease_answer;
mod lease_plan;
mod line_item;
mod mutate;
mod outbox;
mod publisher;
mod rev_share;

pub use delivered::DeliveredMemory;
pub use delivery::{delivery_token, history_ended};
pub use delivery_intake::DeliveryIntake;
pub use error::Error;
pub use explain::Explanation;
pub use lease::LeaseRound;
pub use lease_answer::LeaseAnswer;
pub use line_item::LineItemView;
pub use mutate::Request;
pub use rev_share::ResolvedShare;

use std::sync::Arc;

use cleave_kernel::SharedClock;
use jiff::tz::TimeZone;
use operations_domain::Aggregate;
use operations_store::{Filter, PageRequest, Position, Record, Store, record};
use tokio::sync::Notify;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The rows, each with where a page ends that ends with it.
    pub rows: Vec<(T, Position)>,
    /// Whether there are rows behind the last one.
    pub more: bool,
}

/// Answers what is asked. Clones share everything.
#[derive(Clone)]
pub struct App {
    store: Store,
    clock: SharedClock,
    zone: TimeZone,
    outbox_bell: Arc<Notify>,
    lease_bell: Arc<Notify>,
}

impl App {
    /// Answers from this store, by this clock; days are those of `zone`.
    pub fn new(store: Store, clock: SharedClock, zone: TimeZone) -> Self {
        Self {
            store,
            clock,
            zone,
            outbox_bell: Arc::default(),
            lease_bell: Arc::default(),
        }
    }

    /// The rows.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Where days begin and end.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Rings when there is something to tell Billing.
    pub const fn outbox_bell(&self) -> &Arc<Notify> {
        &self.outbox_bell
    }

    /// Rings when a line item may want a lease, or no longer want one.
    pub const fn lease_bell(&self) -> &Arc<Notify> {
        &self.lease_bell
    }

    /// The noun with this id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get<R>(&self, id: <R as Record>::Id) -> Result<R, Error>
    where
        R: Record + Aggregate<Id = <R as Record>::Id>,
    {
        self.find::<R>(id)
            .await?
            .ok_or_else(|| Error::not_found::<R>(id))
    }

    /// The noun with this id, if there is one.
    pub(crate) async fn find<R: Record>(&self, id: R::Id) -> Result<Option<R>, Error> {
        let db = self.store.db();
        db.read(
            "get",
            |conn| async move { Ok(record::find(conn, id).await?) },
        )
        .await
    }

    /// A page of nouns, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list<R: Record>(
        &self,
        filter: Filter,
        page: PageRequest,
    ) -> Result<Listed<R>, Error> {
        // One row more tells whether there is another page.
        let asked = PageRequest {
            limit: page.limit + 1,
            ..page
        };
        let (db, filter, asked) = (self.store.db(), &filter, &asked);
        let mut rows = db
            .read("list", |conn| async move {
                Ok::<_, Error>(record::page::<R, _>(conn, filter.clone(), asked).await?)
            })
            .await?;
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Listed { rows, more })
    }
}
