//! The schema, step by step. A merged step is never edited: the next one expands what is there.

mod columns;
mod m0001_ledger;
mod m0002_rating;
mod m0003_write_off;

use cleave_storage::migrate::Migrations;

/// Every step, the shared ones first.
pub fn migrations() -> Migrations {
    let mut all = cleave_storage::migrations();
    all.push(Box::new(m0001_ledger::Migration));
    all.push(Box::new(m0002_rating::Migration));
    all.push(Box::new(m0003_write_off::Migration));
    all
}
