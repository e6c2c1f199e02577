//! What Operations does without being asked: follows Billing's accounts, keeps leases, tells the outbox.

pub mod accounts;
pub mod figures;
pub mod leases;
pub(crate) mod meter;
pub mod outbox;
