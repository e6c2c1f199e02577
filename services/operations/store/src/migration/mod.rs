//! The tables of Operations, in the order in which they came. A merged migration is never edited.

mod m0001_parties;
mod m0002_inventory;
mod m0003_orders;
mod m0004_outbox;
mod m0010_delivery;
mod m0011_billing_accounts;
mod m0012_leases;

use cleave_storage::migrate::Migrations;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::{ColumnDef, Index, IndexCreateStatement, Table};

/// Every migration, those of the storage crate first.
pub fn migrations() -> Migrations {
    let mut all = cleave_storage::migrations();
    all.push(Box::new(m0001_parties::Migration));
    all.push(Box::new(m0002_inventory::Migration));
    all.push(Box::new(m0003_orders::Migration));
    all.push(Box::new(m0004_outbox::Migration));
    all.push(Box::new(m0010_delivery::Migration));
    all.push(Box::new(m0011_billing_accounts::Migration));
    all.push(Box::new(m0012_leases::Migration));
    all
}

/// A table of aggregates: id, version and times, to which the noun's own columns are added.
fn aggregates(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .if_not_exists()
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(big("version"))
        .col(big("created_at"))
        .col(big("updated_at"))
        .to_owned()
}

/// A number or an instant.
fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

/// A text of at most `length` characters.
fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name)
        .string_len(length)
        .not_null()
        .to_owned()
}

/// The name of a variant.
fn word(name: &'static str) -> ColumnDef {
    text(name, 32)
}

/// A text of at most `length` characters, or nothing.
fn maybe_text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).null().to_owned()
}

/// A number or an instant, or nothing.
fn maybe_big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().to_owned()
}

/// An id.
fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

/// An id, or nothing.
fn maybe_id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().null().to_owned()
}

/// Creates an index, unless an earlier run of the migration did before it was cut off.
async fn ensure_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    ensure(manager, table, name, index(table, name, columns)).await
}

/// The same for a unique index.
async fn ensure_unique(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let unique = index(table, name, columns).unique().to_owned();
    ensure(manager, table, name, unique).await
}

/// The index by which lists of aggregates are paged.
async fn ensure_paging(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
) -> Result<(), DbErr> {
    ensure_index(manager, table, name, &["created_at", "id"]).await
}

fn index(
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.table(table).name(name);
    for column in columns {
        index.col(*column);
    }
    index
}

async fn ensure(
    manager: &SchemaManager<'_>,
    table: &str,
    name: &str,
    index: IndexCreateStatement,
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.create_index(index).await
}
