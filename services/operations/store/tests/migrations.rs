//! Migrations only expand what the release before uses: it runs beside this one during an upgrade, and again after a
//! rollback. `schema/` has what the last release left behind; a release writes it anew with
//! `CLEAVE_BLESS=1 cargo test -p operations-store --test migrations`, with all three engines at hand.

use cleave_storage::testing::expand::{self, Contraction};
use std::path::Path;

/// Migrations that take something away, with what makes that safe: since which release nothing uses it. Their names
/// contain `_contract_`, by which a release that still uses it refuses to run on the database.
const CONTRACTIONS: &[Contraction] = &[];

#[tokio::test]
async fn given_the_schema_of_the_last_release_then_every_migration_only_expands_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");

    let breaks = expand::breaks(operations_store::migrations, &folder, CONTRACTIONS).await;

    assert!(breaks.is_empty(), "{}", breaks.join("\n"));
}
