//! The rows of rating, loaded for a batch of the ledger writer and written back with it.
//!
//! One lock guards all of them: two replicas never rate at the same time. It is taken before any other, and only
//! by batches that rate.

mod load;
mod save;
mod scope;
pub(crate) mod whole;

pub(crate) use load::load;
pub(crate) use save::{save, watermarks};
pub(crate) use scope::RatingScope;

/// The name of the delivery stream's row in `rating_cursor`.
pub(crate) const DELIVERY: &str = "delivery";
