//! The contract of Operations, served: each handler converts, asks the app, converts. One file per service.

mod ad_unit;
mod advertiser;
mod campaign;
mod catalog;
mod convert;
mod delivery;
mod explain;
mod game;
mod line_item;
mod mask;
mod names;
mod page;
mod publisher;
mod request;
mod rev_share;
mod status;
mod terms;

pub use ad_unit::AdUnits;
pub use advertiser::Advertisers;
pub use campaign::Campaigns;
pub use catalog::Catalog;
pub use delivery::Delivery;
pub use game::Games;
pub use line_item::LineItems;
pub use publisher::Publishers;
pub use rev_share::RevShares;

use tonic::{Response, Status};

use crate::app::Error;

/// How long a stream may be silent, and what ends it.
#[derive(Debug, Clone)]
pub struct Watching {
    /// A stream on which nothing happens says so this often.
    pub heartbeat: std::time::Duration,
    /// Ends the streams.
    pub drain: cleave_host::Drain,
}

/// The reply of a handler.
pub(crate) fn reply<T>(outcome: Result<T, Error>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(Status::from)
}
