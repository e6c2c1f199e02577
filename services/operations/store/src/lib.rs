//! The rows of Operations and every query over them. Whatever writes does so within a [`Unit`], which announces
//! on the change feed what was written; nothing above this crate sees a statement.

pub mod account;
pub mod ad_unit;
pub mod advertiser;
mod approval;
mod campaign;
pub mod catalog;
pub mod delivery;
mod game;
pub mod lease;
pub mod lease_line;
pub mod line_item;
mod migration;
pub mod outbox;
mod page;
pub mod peer_feed;
pub mod publisher;
pub mod record;
mod restored;
pub mod rev_share;
mod row;
pub mod terms;
mod topic;
mod unit;

pub use migration::migrations;
pub use page::{Filter, PageRequest, Position};
pub use record::Record;
pub use restored::end_leases;
pub use row::Row;
pub use topic::Topic;
pub use unit::{Store, Unit};
