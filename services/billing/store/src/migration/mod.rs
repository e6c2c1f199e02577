//! The schema, step by step. A merged step is never edited: the next one expands what is there.

mod m0001_ledger;

use cleave_storage::migrate::Migrations;

/// Every step, the shared ones first.
pub fn migrations() -> Migrations {
    let mut all = cleave_storage::migrations();
    all.push(Box::new(m0001_ledger::Migration));
    all
}
