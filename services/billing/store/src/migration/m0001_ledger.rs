//! Accounts, ledger accounts, transfers, reservations, payments and adjustments.

use cleave_storage::schema::bigint_key;
use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, Table, TableCreateStatement};
use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "billing_m0001_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let seq = bigint_key(manager.get_database_backend(), "seq");
        let tables = [
            accounts(),
            ledger_accounts(),
            transfers(seq),
            reservations(),
            payments(),
            adjustments(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        for (table, name, columns) in INDEXES {
            if !manager.has_index(table, name).await? {
                manager.create_index(index(table, name, columns)).await?;
            }
        }
        Ok(())
    }
}

/// What rows are found by, beside their keys.
const INDEXES: [(&str, &str, &[&str]); 9] = [
    ("accounts", "accounts_override", &["override_ends_at"]),
    ("ledger_accounts", "ledger_accounts_owner", &["account_id"]),
    ("transfers", "transfers_debit", &["debit_id", "seq"]),
    ("transfers", "transfers_credit", &["credit_id", "seq"]),
    ("transfers", "transfers_source", &["source_ref", "seq"]),
    ("transfers", "transfers_group", &["group_id", "seq"]),
    (
        "reservations",
        "reservations_line_item",
        &["line_item_id", "state"],
    ),
    (
        "reservations",
        "reservations_account",
        &["account_id", "id"],
    ),
    ("reservations", "reservations_due", &["due_at"]),
];

fn index(
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

fn accounts() -> TableCreateStatement {
    table("accounts")
        .col(key("id"))
        .col(small("party").not_null())
        .col(id("ops_id").not_null())
        .col(text("display_name", 255).not_null())
        .col(text("currency", 3).not_null())
        .col(small("mode").not_null())
        .col(big("credit_limit").not_null())
        .col(ColumnDef::new("net_days").integer().not_null())
        .col(small("state").not_null())
        .col(small("override_standing").null())
        .col(text("override_reason", 500).null())
        .col(text("override_actor", 200).null())
        .col(big("override_ends_at").null())
        .col(big("override_created_at").null())
        .col(big("version").not_null())
        .col(big("revision").not_null())
        .col(big("created_at").not_null())
        .col(big("updated_at").not_null())
        .col(big("closed_at").null())
        .to_owned()
}

fn ledger_accounts() -> TableCreateStatement {
    table("ledger_accounts")
        .col(key("id"))
        .col(id("account_id").null())
        .col(small("code").not_null())
        .col(text("currency", 3).not_null())
        .col(big("debits_posted").not_null())
        .col(big("credits_posted").not_null())
        .col(big("debits_pending").not_null())
        .col(big("credits_pending").not_null())
        .to_owned()
}

fn transfers(mut seq: ColumnDef) -> TableCreateStatement {
    table("transfers")
        .col(&mut seq)
        .col(id("id").not_null())
        .col(id("debit_id").not_null())
        .col(id("credit_id").not_null())
        .col(big("amount").not_null())
        .col(small("kind").not_null())
        .col(id("pending_id").null())
        .col(id("group_id").not_null())
        .col(big("booked_at").not_null())
        .col(ColumnDef::new("period").integer().not_null())
        .col(text("source_ref", 255).not_null())
        .col(small("reason").not_null())
        .to_owned()
}

fn reservations() -> TableCreateStatement {
    table("reservations")
        .col(key("id"))
        .col(id("account_id").not_null())
        .col(id("advertiser_id").not_null())
        .col(id("line_item_id").not_null())
        .col(big("terms_version").not_null())
        .col(text("currency", 3).not_null())
        .col(big("granted").not_null())
        .col(big("posted").not_null())
        .col(big("freed").not_null())
        .col(small("state").not_null())
        .col(big("serve_until").not_null())
        .col(big("settle_until").not_null())
        .col(big("due_at").null())
        .col(big("created_at").not_null())
        .col(big("closed_at").null())
        .to_owned()
}

fn payments() -> TableCreateStatement {
    table("payments")
        .col(key("id"))
        .col(id("account_id").not_null())
        .col(text("currency", 3).not_null())
        .col(big("amount").not_null())
        .col(text("external_ref", 200).not_null().unique_key())
        .col(text("method", 50).not_null())
        .col(big("received_at").not_null())
        .col(big("created_at").not_null())
        .to_owned()
}

fn adjustments() -> TableCreateStatement {
    table("adjustments")
        .col(key("id"))
        .col(id("account_id").not_null())
        .col(small("kind").not_null())
        .col(small("direction").not_null())
        .col(text("currency", 3).not_null())
        .col(big("amount").not_null())
        .col(text("reason", 500).not_null())
        .col(text("actor", 200).not_null())
        .col(big("created_at").not_null())
        .to_owned()
}

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).if_not_exists().to_owned()
}

fn key(name: &'static str) -> ColumnDef {
    id(name).not_null().primary_key().to_owned()
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().to_owned()
}

fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

fn small(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).small_integer().to_owned()
}

fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).to_owned()
}
