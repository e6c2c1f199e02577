//! A real Prometheus scrapes a real pair by the configuration, rules and dashboard that `deploy` has.

use crate::exported::Exported;
use crate::files::{self, dashboard_queries, recorded, rule_queries};
use crate::prometheus::{Prometheus, find};
use crate::promql::names;
use anyhow::{Context as _, Result, ensure};
use billing_client::BillingClient;
use cleave_e2e::identities::{Authority, Identity};
use cleave_e2e::network::{self, Plan, clicks_row};
use cleave_e2e::{Engine, Pair, Programs, until};
use cleave_storage::{Database, DatabaseOptions, StorageError};
use futures::stream;
use operations_client::{OperationsClient, pb as operations};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use yaml_serde::Value;

/// What only a lock that is held for long brings forth.
const CONTENTION: &str = "storage_transaction_retries_total";

#[tokio::test(flavor = "multi_thread")]
async fn every_query_asks_for_what_a_running_pair_exports() -> Result<()> {
    let Some(programs) = find("the dashboard and the rules against a running pair") else {
        return Ok(());
    };
    // given
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let pair = pair(&authority).await?;
    configure(folder.path(), &pair)?;
    let prometheus = Prometheus::start(&programs, folder.path()).await?;
    work(&pair, &authority).await?;
    contend(&pair, &prometheus).await?;

    // then everything is scraped and evaluated
    targets_are_up(&prometheus).await;
    rules_are_evaluated(&prometheus).await?;

    // and every query names what there is
    let exported = exported(&prometheus).await?;
    let queries = [rule_queries()?, dashboard_queries()?].concat();
    let faults: Vec<String> = queries
        .iter()
        .flat_map(|query| exported.faults(query))
        .collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));

    // and those of the dashboard show something
    for query in dashboard_queries()? {
        let names = names(&query.text);
        let mut quiet = names.compares;
        for selector in &names.selectors {
            quiet |= prometheus.query(&text_of(selector)).await?.is_empty();
        }
        if quiet {
            // It speaks of trouble, of which there was none; but it must be a query.
            prometheus.query(&query.text).await?;
            continue;
        }
        until::holds(&format!("{} shows something", query.place), || async {
            prometheus
                .query(&query.text)
                .await
                .is_ok_and(|found| !found.is_empty())
        })
        .await;
    }
    Ok(())
}

/// Both services with identities, so that there are certificates to watch.
async fn pair(authority: &Authority) -> Result<Pair> {
    let programs = Programs {
        operations: Path::new(env!("CARGO_BIN_EXE_e2e-operations")),
        billing: Path::new(env!("CARGO_BIN_EXE_e2e-billing")),
    };
    let pair = Pair::new(Engine::Sqlite, programs).await?;
    let mut pair = pair.context("SQLite is always at hand")?;
    pair.identify(authority)?;
    for process in [&mut pair.operations, &mut pair.billing] {
        process.set("telemetry.figures", "500ms");
    }
    pair.start().await?;
    Ok(pair)
}

/// The configuration of `deploy`, for targets that no name leads to, and in a hurry.
fn configure(folder: &Path, pair: &Pair) -> Result<()> {
    let mut config = files::yaml("monitoring/prometheus.yaml")?;
    config["global"]["scrape_interval"] = "1s".into();
    config["global"]["evaluation_interval"] = "1s".into();
    let rules = files::path("monitoring/rules.yaml").display().to_string();
    config["rule_files"] = Value::Sequence(vec![rules.into()]);
    let jobs = config["scrape_configs"].as_sequence_mut();
    for job in jobs.context("scrape_configs")? {
        let process = match job["job_name"].as_str() {
            Some("operations") => &pair.operations,
            Some("billing") => &pair.billing,
            other => anyhow::bail!("an unknown job: {other:?}"),
        };
        let job = job.as_mapping_mut().context("a job")?;
        job.remove("dns_sd_configs").context("found by name")?;
        job.insert("static_configs".into(), targets(process.admin())?);
    }
    let text = yaml_serde::to_string(&config)?;
    Ok(std::fs::write(folder.join("prometheus.yaml"), text)?)
}

fn targets(admin: SocketAddr) -> Result<Value> {
    Ok(yaml_serde::from_str(&format!(
        "[{{targets: ['{admin}']}}]"
    ))?)
}

/// Gives the pair something to do: accounts, leases, delivery, and calls that are refused.
async fn work(pair: &Pair, authority: &Authority) -> Result<()> {
    let cleave = Arc::new(Identity::new(authority, "cleave")?).credentials()?;
    let operations = OperationsClient::new(pair.operations.channel_by(&cleave)?);
    let billing = BillingClient::new(pair.billing.channel_by(&cleave)?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![clicks_row(&network, 0, 0, 1, 25)],
        complete_through: Some(network::HOUR),
        ..Default::default()
    };
    operations.report_delivery(stream::iter([message])).await?;
    until::holds("the delivery is rated", || async {
        network::spend(&billing, &network.line_item_ids[0])
            .await
            .is_ok_and(|spend| spend.rated_micros == 25_000_000)
    })
    .await;
    let unknown = operations::GetGameRequest::default();
    ensure!(
        operations.get_game(unknown).await.is_err(),
        "there is no such game"
    );
    Ok(())
}

/// Holds the write lock of Operations' database, in which a task writes every second, until somebody had to try again
/// for it.
async fn contend(pair: &Pair, prometheus: &Prometheus) -> Result<()> {
    let url = pair.operations_db.url();
    let database = Database::connect(url, &DatabaseOptions::default()).await?;
    database
        .transaction("contend", |_| async {
            until::holds("a transaction was tried again", || async {
                let found = prometheus.query(CONTENTION).await;
                found.is_ok_and(|found| !found.is_empty())
            })
            .await;
            Ok::<_, StorageError>(())
        })
        .await?;
    Ok(database.close().await?)
}

async fn targets_are_up(prometheus: &Prometheus) {
    until::holds("both targets are up", || async {
        let found = prometheus.get("targets", &[("state", "active")]).await;
        found.is_ok_and(|found| {
            let targets = found["activeTargets"].as_array().cloned();
            let targets = targets.unwrap_or_default();
            targets.len() == 2 && targets.iter().all(|target| target["health"] == "up")
        })
    })
    .await;
}

/// Waits until every rule was evaluated; none may fail.
async fn rules_are_evaluated(prometheus: &Prometheus) -> Result<()> {
    let rules = until::some("every rule was evaluated", || async {
        let found = prometheus.get("rules", &[]).await.ok()?;
        let groups = found["groups"].as_array()?.clone();
        let rules = groups
            .iter()
            .filter_map(|group| group["rules"].as_array().cloned());
        let rules: Vec<_> = rules.flatten().collect();
        let pending = rules.iter().any(|rule| rule["health"] == "unknown");
        (!rules.is_empty() && !pending).then_some(rules)
    })
    .await;
    for rule in rules {
        ensure!(rule["health"] == "ok", "{rule}");
    }
    Ok(())
}

/// Everything that Prometheus has, and what only trouble brings forth.
async fn exported(prometheus: &Prometheus) -> Result<Exported> {
    for rule in recorded()? {
        let name = rule.clone();
        until::holds(&format!("{name} is recorded"), || async {
            prometheus
                .query(&rule)
                .await
                .is_ok_and(|found| !found.is_empty())
        })
        .await;
    }
    let mut exported = Exported::golden();
    let all = [("match[]", "{__name__!=\"\"}")];
    let series = prometheus.get("series", &all).await?;
    for one in series.as_array().context("series")? {
        let labels = one.as_object().context("labels")?.iter();
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned)));
        let (name, labels): (Vec<_>, Vec<_>) = labels.partition(|(key, _)| key == "__name__");
        let name = name.into_iter().find_map(|(_, name)| name);
        exported.add(name.context("a name")?, labels);
    }
    Ok(exported)
}

fn text_of(selector: &crate::promql::Selector) -> String {
    let matchers = selector
        .matchers
        .iter()
        .map(|(label, operator, value)| format!("{label}{operator}\"{value}\""));
    let matchers: Vec<String> = matchers.collect();
    format!("{}{{{}}}", selector.metric, matchers.join(","))
}
