//! A side loses its database and goes on from a backup: the other side notices, both agree again to the micro, and
//! nothing is charged twice.

use crate::copies::{Copy, lose, text};
use crate::started;
use anyhow::{Context, Result, ensure};
use billing_client::{BillingClient, pb as billing, types};
use cleave_e2e::network::{self, Network, Plan, clicks_row, money, verified};
use cleave_e2e::{Engine, Pair, Process, until};
use futures::stream;
use operations_client::{OperationsClient, pb as operations};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::task::JoinHandle;

/// Clicks of every hour that is reported, each at one rupee.
const CLICKS: i64 = 3;
/// What is paid in, in rupees.
const PAYMENT: i64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn given_billing_restored_on_sqlite_then_everything_since_is_rated_once() -> Result<()> {
    billing_goes_back(Engine::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_billing_restored_on_postgres_then_everything_since_is_rated_once() -> Result<()> {
    billing_goes_back(Engine::Postgres).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_billing_restored_on_mysql_then_everything_since_is_rated_once() -> Result<()> {
    billing_goes_back(Engine::MySql).await
}

async fn billing_goes_back(engine: Engine) -> Result<()> {
    let Some(mut world) = World::new(engine).await? else {
        return Ok(());
    };
    let copy = Copy::new(engine, &world.folder.path().join("billing.backup"));
    world.pay("first").await?;
    let load = world.load();

    // given: a copy, taken while rows come in, and work that goes on after it
    load.more(20).await;
    copy.take(&world.pair.billing, &world.pair.billing_db)
        .await?;
    world.pay("second").await?;
    load.more(20).await;
    let (lost, lost_account) = world.late_advertiser().await?;
    load.more(5).await;

    // when: the database is lost, and the copy takes its place
    world.pair.billing.kill()?;
    world.pair.billing_db.db().close().await?;
    copy.put_back(&world.pair.billing, &world.pair.billing_db)
        .await?;
    let hours = load.stop().await?;

    // then: nothing is granted before it is known what was delivered since
    world.pair.operations.stop().await?;
    world.pair.billing.start().await?;
    let refused = world.reserve().await.err().context("it is refused")?;
    assert!(refused.is_reason("CATCHING_UP"), "{refused:?}");

    // and: with Operations back, every row is rated once, and money is granted again
    world.pair.operations.start().await?;
    world.charged(hours).await;
    world.serves().await;
    // and: the payment that was lost can be entered again, once
    world.pay("second").await?;
    world.pay("second").await?;
    let balance = (2 * PAYMENT - hours * CLICKS) * 1_000_000;
    assert_eq!(world.balance().await?, balance);
    verified(&world.billing).await?;
    world.agrees(hours).await?;
    // and: the account that was opened after the copy is opened again, as what it was
    until::holds("the lost account is back", || async {
        account_of(&world.billing, &lost).await.as_ref() == Some(&lost_account)
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_operations_restored_when_sources_report_again_then_both_sides_agree() -> Result<()> {
    let mut world = World::new(Engine::Sqlite)
        .await?
        .context("SQLite is at hand")?;
    let copy = world.folder.path().join("operations.backup");
    let load = world.load();

    // given: a copy, taken while rows come in, and rows that are rated after it
    load.more(20).await;
    let said = world.pair.operations.run(&["backup", text(&copy)]).await?;
    ensure!(said.contains("integrity check has passed"), "{said}");
    load.more(20).await;
    let hours = load.stop().await?;
    world.charged(hours).await;

    // when: the database is lost, and the copy takes its place
    world.pair.operations.kill()?;
    lose(&world.pair.operations_db).await?;
    world.pair.operations.run(&["restore", text(&copy)]).await?;
    world.pair.operations.start().await?;
    let known = world.reported().await?;
    ensure!(known < hours, "the copy is older: {known} of {hours} hours");

    // then: what Billing has charged stands, and is charged no second time when it is reported again
    world.charged(hours).await;
    for hour in 1..=hours + 5 {
        world.report(hour).await?;
    }
    world.charged(hours + 5).await;
    verified(&world.billing).await?;
    world.agrees(hours + 5).await?;
    world.serves().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_operations_restored_when_a_version_comes_again_then_nothing_is_rated_by_it()
-> Result<()> {
    let mut world = World::new(Engine::Sqlite)
        .await?
        .context("SQLite is at hand")?;
    let copy = world.folder.path().join("operations.backup");
    world.pair.operations.run(&["backup", text(&copy)]).await?;

    // given: terms that were published and rated by after the copy
    world.publish(2_000_000).await?;
    world.report_under(1, 2).await?;
    world.spent(CLICKS * 2_000_000).await;

    // when: they are lost, and other terms get their number
    world.pair.operations.kill()?;
    lose(&world.pair.operations_db).await?;
    world.pair.operations.run(&["restore", text(&copy)]).await?;
    world.pair.operations.start().await?;
    world.publish(9_000_000).await?;
    world.report_under(1, 2).await?;
    world.report_under(2, 2).await?;

    // then: what was rated stays as it was, and what comes under that number waits for a person
    let parked = until::some("the row is parked", || async {
        let request = billing::ListParkedRowsRequest::default();
        let parked = world.billing.list_parked_rows(request).await.ok()?;
        parked.rows.into_iter().next()
    })
    .await;
    assert_eq!(parked.reason(), billing::parked_row::Reason::InvalidRow);
    assert!(
        parked.detail.contains("publish another version"),
        "{parked:?}"
    );
    world.spent(CLICKS * 2_000_000).await;
    // and: under the next number it goes on
    world.publish(9_000_000).await?;
    world.report_under(3, 3).await?;
    world.spent(CLICKS * 11_000_000).await;
    verified(&world.billing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_database_in_use_when_restored_then_it_is_refused() -> Result<()> {
    let mut world = World::new(Engine::Sqlite)
        .await?
        .context("SQLite is at hand")?;
    let copy = world.folder.path().join("billing.backup");
    let pair = &mut world.pair;
    pair.billing.run(&["backup", text(&copy)]).await?;
    pair.billing_db.db().close().await?;
    pair.operations_db.db().close().await?;

    // a copy overwrites nothing
    let said = refused(&pair.billing, &["backup", text(&copy)]).await?;
    ensure!(said.contains("overwrites nothing"), "{said}");
    // while the service runs, nothing takes the place of its database, by force or not
    let said = refused(&pair.billing, &["restore", "--force", text(&copy)]).await?;
    ensure!(said.contains("stop the service first"), "{said}");
    // nor ever does the database of the other side
    pair.operations.stop().await?;
    let said = refused(&pair.operations, &["restore", "--force", text(&copy)]).await?;
    ensure!(said.contains("of another service"), "{said}");
    // what is there stays, unless it is told to make way, and then it is kept
    pair.billing.stop().await?;
    let said = refused(&pair.billing, &["restore", text(&copy)]).await?;
    ensure!(said.contains("--force"), "{said}");
    let said = pair
        .billing
        .run(&["restore", "--force", text(&copy)])
        .await?;
    ensure!(said.contains("before-restore-"), "{said}");
    // a copy that is damaged takes nobody's place
    let mut bytes = std::fs::read(&copy)?;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xff);
    std::fs::write(&copy, bytes)?;
    let said = refused(&pair.billing, &["restore", "--force", text(&copy)]).await?;
    ensure!(
        said.contains("damaged") || said.contains("cannot be read"),
        "{said}"
    );
    pair.billing.start().await
}

/// What a command says that is refused.
async fn refused(process: &Process, arguments: &[&str]) -> Result<String> {
    let refused = process.run(arguments).await;
    Ok(refused.err().context("it is refused")?.to_string())
}

/// The pair with a network on it.
struct World {
    pair: Pair,
    operations: OperationsClient,
    billing: BillingClient,
    network: Arc<Network>,
    folder: tempfile::TempDir,
}

/// A source that reports one hour after the other.
struct Load {
    stop: Arc<AtomicBool>,
    hours: Arc<AtomicI64>,
    running: JoinHandle<Result<()>>,
}

impl Load {
    /// Waits until so many more hours are reported.
    async fn more(&self, hours: i64) {
        let goal = self.hours.load(Ordering::SeqCst) + hours;
        until::holds("the source reports on", || async {
            self.hours.load(Ordering::SeqCst) >= goal
        })
        .await;
    }

    /// Reports no more; answers how many hours were.
    async fn stop(self) -> Result<i64> {
        self.stop.store(true, Ordering::SeqCst);
        self.running.await??;
        Ok(self.hours.load(Ordering::SeqCst))
    }
}

impl World {
    async fn new(engine: Engine) -> Result<Option<Self>> {
        let Some(pair) = started(engine).await? else {
            return Ok(None);
        };
        let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
        let network = network::build(&operations, &billing, &Plan::default()).await?;
        Ok(Some(Self {
            pair,
            operations,
            billing,
            network: Arc::new(network),
            folder: tempfile::tempdir()?,
        }))
    }

    /// Reports hours until it is stopped.
    fn load(&self) -> Load {
        let (stop, hours) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicI64::new(0)),
        );
        let (operations, network) = (self.operations.clone(), Arc::clone(&self.network));
        let (stopping, reported) = (Arc::clone(&stop), Arc::clone(&hours));
        let running = tokio::spawn(async move {
            while !stopping.load(Ordering::SeqCst) {
                let hour = reported.load(Ordering::SeqCst) + 1;
                report(&operations, &network, hour).await?;
                reported.store(hour, Ordering::SeqCst);
            }
            Ok(())
        });
        Load {
            stop,
            hours,
            running,
        }
    }

    async fn report(&self, hour: i64) -> Result<()> {
        report(&self.operations, &self.network, hour).await
    }

    /// Pays in; the same payment again, under another request, changes nothing.
    async fn pay(&self, external_ref: &str) -> Result<()> {
        let request = billing::RecordPaymentRequest {
            request_id: network::request_id(),
            external_ref: external_ref.to_owned(),
            account_id: self.network.account_id.clone(),
            amount: Some(money(PAYMENT * 1_000_000)),
            ..Default::default()
        };
        match self.billing.record_payment(request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_reason("PAYMENT_ALREADY_RECORDED") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Publishes the next version of the terms, at this price of a click.
    async fn publish(&self, rate_micros: i64) -> Result<()> {
        let id = self.network.line_item_ids[0].clone();
        let request = operations::GetLineItemRequest { id };
        let line_item = self.operations.get_line_item(request).await?.line_item;
        let line_item = line_item.context("a line item")?;
        let request = operations::PublishTermsRequest {
            request_id: network::request_id(),
            line_item_id: line_item.id,
            etag: line_item.etag,
            terms: Some(operations::LineItemTerms {
                pricing_model: Plan::default().pricing_model.into(),
                rate_micros,
                unit: 1,
                billing_source: operations::BillingSource::Own.into(),
                overdelivery_policy: types::OverdeliveryPolicy::PlatformAbsorbs.into(),
                ..Default::default()
            }),
        };
        self.operations.publish_terms(request).await?;
        Ok(())
    }

    /// Reports an hour under this version of the terms.
    async fn report_under(&self, hour: i64, version: i64) -> Result<()> {
        let mut row = clicks_row(&self.network, 0, -hour, 1, CLICKS);
        if let Some(key) = &mut row.key {
            key.terms_version = version;
        }
        report_row(&self.operations, row).await
    }

    /// Asks for a little money for the line item.
    async fn reserve(&self) -> Result<(), cleave_mesh::CallError> {
        let minute = prost_types::Duration {
            seconds: 60,
            nanos: 0,
        };
        let request = billing::ReserveBudgetRequest {
            request_id: network::request_id(),
            advertiser_id: self.network.advertiser_id.clone(),
            line_item_id: self.network.line_item_ids[0].clone(),
            terms_version: 1,
            amount: Some(money(1_000_000)),
            min_amount: Some(money(1_000_000)),
            serve_for: Some(minute),
            settle_for: Some(minute),
        };
        self.billing.reserve_budget(request).await.map(drop)
    }

    /// An advertiser who gets an account now: the ids of both.
    async fn late_advertiser(&self) -> Result<(String, String)> {
        network::advertiser(&self.operations, &Plan::default()).await
    }

    /// Waits until exactly so many hours are charged.
    async fn charged(&self, hours: i64) {
        self.spent(hours * CLICKS * 1_000_000).await;
    }

    /// Waits until the line item has cost exactly so much.
    async fn spent(&self, micros: i64) {
        let line_item = &self.network.line_item_ids[0];
        until::holds("all delivery is rated", || async {
            let spend = network::spend(&self.billing, line_item).await;
            spend.is_ok_and(|spend| spend.rated_micros == micros)
        })
        .await;
    }

    async fn balance(&self) -> Result<i64> {
        let request = billing::GetBalancesRequest {
            owner: Some(billing::get_balances_request::Owner::AccountId(
                self.network.account_id.clone(),
            )),
        };
        Ok(self.billing.get_balances(request).await?.balance_micros)
    }

    /// How many hours Operations knows of.
    async fn reported(&self) -> Result<i64> {
        let line_item_id = self.network.line_item_ids[0].clone();
        let mut request = operations::ListDeliveryRequest {
            page_size: 1000,
            line_item_id,
            ..Default::default()
        };
        let mut rows = 0;
        loop {
            let page = self.operations.list_delivery(request.clone()).await?;
            rows += page.rows.len();
            if page.next_page_token.is_empty() {
                return Ok(i64::try_from(rows)?);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Both sides hold the same rows, and the same worth of them.
    async fn agrees(&self, hours: i64) -> Result<()> {
        ensure!(self.reported().await? == hours, "Operations has every hour");
        let request = billing::ListChargesRequest::default();
        let charges = self.billing.list_charges(request).await?.charges;
        let rows: i64 = charges.iter().map(|charge| charge.row_count).sum();
        let clicks: i64 = charges.iter().map(|charge| charge.quantity).sum();
        ensure!(
            (rows, clicks) == (hours, hours * CLICKS),
            "Billing has {rows} rows with {clicks} clicks for {hours} hours"
        );
        Ok(())
    }

    /// Waits until the line item has a lease that Billing knows of.
    async fn serves(&self) {
        until::holds("a lease is granted", || async {
            let request = billing::ListReservationsRequest {
                line_item_id: self.network.line_item_ids[0].clone(),
                state: billing::reservation::State::Held.into(),
                ..Default::default()
            };
            let found = self.billing.list_reservations(request).await;
            found.is_ok_and(|found| !found.reservations.is_empty())
        })
        .await;
    }
}

/// Reports one hour until it is taken.
async fn report(operations: &OperationsClient, network: &Network, hour: i64) -> Result<()> {
    // Hours run backwards, so that none lies in the future.
    report_row(operations, clicks_row(network, 0, -hour, 1, CLICKS)).await
}

async fn report_row(operations: &OperationsClient, row: operations::DeliveryRow) -> Result<()> {
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![row],
        ..Default::default()
    };
    loop {
        let reported = operations.report_delivery(stream::iter([message.clone()]));
        match reported.await {
            Ok(reply) => {
                ensure!(reply.rejected_count == 0, "{:?}", reply.rejections);
                return Ok(());
            }
            Err(error) if error.is_unavailable() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn account_of(billing: &BillingClient, ops_ref: &str) -> Option<String> {
    let request = billing::BatchGetAccountStandingRequest {
        ops_refs: vec![ops_ref.to_owned()],
    };
    let reply = billing.batch_get_account_standing(request).await.ok()?;
    let standing = reply.value.standings.into_iter().next()?;
    Some(standing.account_id)
}
