//! Columns that mean the same on every engine, for the migrations of the stores. Beside these use only
//! `big_integer`, `integer`, `small_integer`, `boolean`, `uuid` and `string_len`; instants are `big_integer`.

use sea_orm::DbBackend;
use sea_orm::sea_query::ColumnDef;

/// A key column of 64-bit integers. On SQLite it is named INTEGER, which makes it the row's own address
/// instead of an index beside the table; its values have 64 bits all the same.
pub fn bigint_key(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match backend {
        DbBackend::Sqlite => column.custom("integer"),
        _ => column.big_integer(),
    };
    column.not_null().primary_key();
    column
}

/// A column of bytes without a limit worth naming (a plain blob ends at 64 KiB on MySQL).
pub fn long_bytes(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match backend {
        DbBackend::MySql => column.custom("longblob"),
        _ => column.blob(),
    };
    column
}

/// A column of text without a limit worth naming.
pub fn long_text(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match backend {
        DbBackend::MySql => column.custom("longtext"),
        _ => column.text(),
    };
    column
}
