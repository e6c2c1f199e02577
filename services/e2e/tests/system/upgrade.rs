//! A release on the schema of the next one: it was rolled back to, or runs beside it.

use crate::started;
use anyhow::{Context, Result, ensure};
use cleave_e2e::network::{self, Plan, clicks_row, verified};
use cleave_e2e::{Engine, until};
use cleave_storage::testing::{TestDatabase, migrate_further};
use futures::stream;
use operations_client::pb as operations;

/// What the next release may do to the tables that rows are written to and read from.
const EXPANSION: [&str; 3] = [
    "ALTER TABLE {table} ADD COLUMN next_release_word VARCHAR(20) NULL",
    "ALTER TABLE {table} ADD COLUMN next_release_count BIGINT NOT NULL DEFAULT 7",
    "CREATE INDEX {table}_next_release ON {table} (next_release_count)",
];

#[tokio::test(flavor = "multi_thread")]
async fn given_the_schema_of_the_next_release_then_this_one_works_on_it() -> Result<()> {
    for engine in Engine::ALL {
        let Some(mut pair) = started(engine).await? else {
            continue;
        };
        // given: both sides were upgraded and rolled back
        pair.operations.stop().await?;
        pair.billing.stop().await?;
        let tables = [
            "advertisers",
            "line_items",
            "leases",
            "delivery_rows",
            "outbox",
        ];
        expand(&pair.operations_db, "operations_m9999_next", &tables).await?;
        let tables = [
            "accounts",
            "transfers",
            "reservations",
            "rated_rows",
            "payments",
        ];
        expand(&pair.billing_db, "billing_m9999_next", &tables).await?;

        // when: this release starts on what they left behind
        pair.start().await?;

        // then: it says so, and works
        for process in [&pair.operations, &pair.billing] {
            let log = process.log_text();
            ensure!(
                log.contains("the schema is newer than this version"),
                "{log}"
            );
        }
        let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
        let network = network::build(&operations, &billing, &Plan::default()).await?;
        network::pay(&billing, &network.account_id, 1_000_000).await?;
        let message = operations::ReportDeliveryRequest {
            source: network::SOURCE.to_owned(),
            rows: vec![clicks_row(&network, 0, -1, 1, 5)],
            ..Default::default()
        };
        operations.report_delivery(stream::iter([message])).await?;
        until::holds("delivery is rated", || async {
            let spend = network::spend(&billing, &network.line_item_ids[0]).await;
            spend.is_ok_and(|spend| spend.rated_micros == 5_000_000)
        })
        .await;
        verified(&billing).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_schema_that_serves_this_release_no_longer_then_it_does_not_start() -> Result<()> {
    let mut pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is at hand")?;
    pair.billing.stop().await?;
    expand(
        &pair.billing_db,
        "billing_m9999_contract_names",
        &["accounts"],
    )
    .await?;

    let refused = pair.billing.start().await.err().context("it is refused")?;

    let said = refused.to_string();
    ensure!(said.contains("serves it no longer"), "{said}");
    ensure!(said.contains("billing_m9999_contract_names"), "{said}");
    Ok(())
}

/// Does to a database what the next release might, and leaves its name there.
async fn expand(database: &TestDatabase, name: &str, tables: &[&str]) -> Result<()> {
    let mut statements: Vec<String> = tables
        .iter()
        .flat_map(|table| EXPANSION.map(|sql| sql.replace("{table}", table)))
        .collect();
    statements.push("CREATE TABLE next_release (id BIGINT NOT NULL PRIMARY KEY)".to_owned());
    migrate_further(database.db(), name, &statements).await?;
    Ok(())
}
