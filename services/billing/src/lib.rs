//! The billing data service: accounts, the ledger, reservations and the rating of delivery.
//!
//! `rpc` speaks the contract, `app` answers what is asked, `tasks` do what nobody asks for, `peers` are the other side as
//! the tasks see it. The rules are in `billing-domain`, the rows in `billing-store`.

pub mod app;
mod peers;
pub mod rpc;
mod run;
mod settings;
mod tasks;

pub use cleave_host::Running;
pub use cleave_storage::backup::{Contents, Restored};
pub use cleave_storage::{Engine, Inspection};
pub use run::{Billing, backup, inspect, migrate, restore, start, start_with};
pub use settings::{
    DatabaseSettings, LedgerSettings, PeerSettings, RatingSettings, Settings, WatchSettings,
};
