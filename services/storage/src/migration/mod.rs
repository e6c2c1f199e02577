//! The tables that the mechanisms of this crate live in. A store lists them before its own.

mod m0001_change_feed;
mod m0002_sequences;
mod m0003_idempotency;

use sea_orm_migration::MigrationTrait;

/// The migrations of this crate's own tables, in order.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_change_feed::Migration),
        Box::new(m0002_sequences::Migration),
        Box::new(m0003_idempotency::Migration),
    ]
}
