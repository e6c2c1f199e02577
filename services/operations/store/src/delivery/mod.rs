//! Rows of delivery: how they are taken in, followed, listed, summed, compared and frozen.
//!
//! Whoever writes delivery holds the one row of `delivery_gate` from the first read to the commit. So two
//! replicas that meet the same key agree on which revision stands, no row slips behind a freeze, and `seq`,
//! which the gate counts, follows the order of commits: who has read up to a seq never misses a smaller one.

mod chunk;
mod delivered;
mod digest;
mod feed;
mod freeze;
mod gate;
mod ingest;
mod key;
mod known;
mod list;
mod row;
mod total;

pub use delivered::delivered_facts;
pub use digest::{DayDigest, digests};
pub use feed::{DeliveryPage, changes};
pub use freeze::{FreezeOutcome, freeze};
pub use gate::{DeliveryHead, close_gate, head, watermarks};
pub use ingest::{Batch, BatchOutcome, ingest};
pub use known::KnownReferences;
pub use list::{DeliveryFilter, DeliveryPosition, list};
pub use row::StoredRow;
pub use total::{days_of, last_hours, moved_since};

pub(crate) use gate::GATE_ROW;
pub(crate) use row::COUNT_COLUMNS;
