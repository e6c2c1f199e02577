//! The kinds of columns there are.

use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, Table, TableCreateStatement};

pub(super) fn index(
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

pub(super) fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).if_not_exists().to_owned()
}

pub(super) fn key(name: &'static str) -> ColumnDef {
    id(name).not_null().primary_key().to_owned()
}

pub(super) fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().to_owned()
}

pub(super) fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

pub(super) fn small(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).small_integer().to_owned()
}

pub(super) fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).to_owned()
}
