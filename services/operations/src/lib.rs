//! The operations data service: the catalogue, delivery, and the leases on which line items serve.
//!
//! `rpc` speaks the contract, `app` answers what is asked, `tasks` do what nobody asks for, `peers` are the other side as
//! the tasks see it. The rules are in `operations-domain`, the rows in `operations-store`.

pub mod app;
pub mod peers;
pub mod rpc;
mod run;
mod settings;
pub mod tasks;

pub use cleave_host::Running;
pub use cleave_storage::backup::{Contents, Restored};
pub use cleave_storage::{Engine, Inspection};
pub use run::{Operations, backup, inspect, migrate, restore, start, start_with};
pub use settings::{
    DatabaseSettings, DeliverySettings, LeaseSettings, PeerSettings, Settings, WatchSettings,
};
