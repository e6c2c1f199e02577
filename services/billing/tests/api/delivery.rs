//! Delivery, from an Operations on the other end of a real connection to charges in the ledger.

use crate::server::{Server, eventually, settings_with};
use billing_client::pb;
use cleave_kernel::AccountId;
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Engine, StorageError};
use operations_client::fake::{FakeOperations, ShareVersion, new_id};
use operations_client::pb as ops;
use operations_client::types::{OverdeliveryPolicy, PricingModel};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::time::Duration;

/// 2026-11-01T00:00Z.
const START: i64 = 1_793_491_200;
/// Longer than anything here takes, shorter than patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// A billing service beside a fake Operations with one advertiser, one publisher and one line item.
pub(crate) struct Pair {
    pub(crate) server: Server,
    pub(crate) operations: FakeOperations,
    pub(crate) advertiser: pb::BillingAccount,
    pub(crate) publisher: pb::BillingAccount,
    pub(crate) line_item: String,
    pub(crate) ad_unit: String,
}

pub(crate) fn instant(hour: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: START + hour * 3600,
        nanos: 0,
    }
}

impl Pair {
    pub(crate) async fn start(paid: i64) -> Self {
        Self::over(TestDatabase::on(Engine::Sqlite).await.unwrap(), paid).await
    }

    pub(crate) async fn over(database: TestDatabase, paid: i64) -> Self {
        let operations = FakeOperations::start().await.unwrap();
        let server = Server::beside(database, &operations.address()).await;
        let advertiser = server.advertiser(paid).await;
        let publisher = server.publisher().await;
        let pair = Self {
            server,
            operations,
            advertiser,
            publisher,
            line_item: new_id("line"),
            ad_unit: new_id("unit"),
        };
        pair.publish_share(700_000, -1000);
        pair
    }

    fn publish_share(&self, share_ppm: i64, from: i64) {
        self.operations.publish_share(ShareVersion {
            ad_unit_id: self.ad_unit.clone(),
            publisher_id: self.publisher.ops_ref.clone(),
            game_id: new_id("game"),
            share_ppm,
            effective_time: instant(from),
        });
    }

    pub(crate) fn publish_terms(&self, version: i64, rate: i64) {
        self.operations.publish_terms(self.terms(version, rate));
    }

    fn terms(&self, version: i64, rate: i64) -> ops::LineItemTerms {
        ops::LineItemTerms {
            line_item_id: self.line_item.clone(),
            version,
            campaign_id: new_id("camp"),
            advertiser_id: self.advertiser.ops_ref.clone(),
            currency_code: "INR".to_owned(),
            pricing_model: PricingModel::Cpc.into(),
            rate_micros: rate,
            unit: 1,
            billing_source: ops::BillingSource::Own.into(),
            billing_cap_micros: None,
            overdelivery_policy: OverdeliveryPolicy::PlatformAbsorbs.into(),
            effective_time: Some(instant(-1000)),
            line_item_name: String::new(),
            campaign_name: String::new(),
        }
    }

    pub(crate) fn row(&self, hour: i64, revision: i64, clicks: i64) -> ops::DeliveryRow {
        ops::DeliveryRow {
            key: Some(ops::DeliveryKey {
                source: "own".to_owned(),
                line_item_id: self.line_item.clone(),
                terms_version: 1,
                ad_unit_id: self.ad_unit.clone(),
                hour: Some(instant(hour)),
            }),
            revision,
            counts: Some(ops::DeliveryCounts {
                clicks,
                ..ops::DeliveryCounts::default()
            }),
            ..ops::DeliveryRow::default()
        }
    }

    /// Another advertiser without money, with 50 micros delivered of a line item of its own, which is answered.
    async fn beside(&self) -> String {
        let line_item = new_id("line");
        self.operations.publish_terms(ops::LineItemTerms {
            line_item_id: line_item.clone(),
            advertiser_id: self.server.advertiser(0).await.ops_ref,
            ..self.terms(1, 1)
        });
        let mut row = self.row(0, 1, 50);
        row.key.as_mut().unwrap().line_item_id = line_item.clone();
        self.operations.report([row]);
        let request = pb::BatchGetSpendRequest {
            line_item_ids: vec![line_item.clone()],
        };
        let client = &self.server.client;
        eventually(
            "the second line item is rated",
            || client.batch_get_spend(request.clone()),
            |spend| spend.as_ref().is_ok_and(|spend| spend.spends.len() == 1),
        )
        .await
        .unwrap();
        line_item
    }

    /// Takes the row of an account away.
    async fn forget_account(&self, account: &pb::BillingAccount) {
        let id: AccountId = account.id.parse().unwrap();
        let delete = &Query::delete()
            .from_table("accounts")
            .and_where(Expr::col("id").eq(id.uuid()))
            .to_owned();
        let tampered = self
            .server
            .database
            .db()
            .transaction("tamper", |txn| async move {
                txn.execute(delete).await?;
                Ok::<_, StorageError>(())
            });
        tampered.await.unwrap();
    }

    pub(crate) async fn spend(&self) -> pb::BatchGetSpendResponse {
        let request = pb::BatchGetSpendRequest {
            line_item_ids: vec![self.line_item.clone()],
        };
        let answer = self.server.client.batch_get_spend(request).await;
        answer.unwrap().value
    }

    /// Waits until the line item has cost so much.
    pub(crate) async fn rated(&self, micros: i64) {
        let reached = async {
            loop {
                let spend = self.spend().await;
                if spend
                    .spends
                    .first()
                    .is_some_and(|s| s.rated_micros == micros)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{micros} expected: {:#?}", self.spend().await);
        }
    }

    pub(crate) async fn parked(&self) -> Vec<pb::ParkedRow> {
        let request = pb::ListParkedRowsRequest::default();
        let answer = self.server.client.list_parked_rows(request).await.unwrap();
        assert_eq!(usize::try_from(answer.total_count), Ok(answer.rows.len()));
        answer.rows
    }

    pub(crate) async fn until_parked(&self, count: usize) -> Vec<pb::ParkedRow> {
        let reached = async {
            loop {
                let parked = self.parked().await;
                if parked.len() == count {
                    return parked;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap()
    }

    pub(crate) async fn earned(&self) -> i64 {
        let request = pb::GetPublisherEarningsRequest {
            publisher_id: self.publisher.ops_ref.clone(),
            ..pb::GetPublisherEarningsRequest::default()
        };
        let answer = self.server.client.get_publisher_earnings(request).await;
        answer
            .unwrap()
            .value
            .earnings
            .iter()
            .map(|e| e.estimated_micros)
            .sum()
    }
}

#[tokio::test]
async fn delivery_becomes_charges_and_earnings_and_corrections_reverse() {
    for database in TestDatabase::each_engine().await {
        let pair = Pair::over(database, 10_000).await;
        pair.publish_terms(1, 10);
        pair.operations
            .report((0..24).map(|hour| pair.row(hour, 1, 10)));
        pair.rated(2400).await;
        assert_eq!(pair.earned().await, 1680);
        pair.operations.report([pair.row(3, 2, 0)]);
        pair.rated(2300).await;
        assert_eq!(pair.earned().await, 1610);
        let standing = pair.server.standing(&pair.advertiser.id).await;
        assert_eq!(standing.available_micros, 7700);
        let summary = pair.server.verified().await;
        assert_eq!((summary.bucket_count, summary.row_count), (1, 24));
    }
}

#[tokio::test]
async fn each_hour_earns_by_the_share_that_held_then() {
    let pair = Pair::start(10_000).await;
    pair.publish_terms(1, 10);
    pair.operations.report([pair.row(15, 1, 10)]);
    pair.rated(100).await;
    // A version from a later hour on, published while the hours between have no delivery yet.
    pair.publish_share(500_000, 16);
    pair.operations.report(
        (0..24)
            .filter(|hour| *hour != 15)
            .map(|hour| pair.row(hour, 1, 10)),
    );
    pair.rated(2400).await;
    assert_eq!(pair.earned().await, 16 * 70 + 8 * 50);
    assert_eq!(pair.server.verified().await.bucket_count, 2);
}

#[tokio::test]
async fn a_row_without_terms_waits_and_holds_the_watermark_back() {
    let pair = Pair::start(1000).await;
    pair.operations.report([pair.row(5, 1, 10)]);
    pair.operations.complete_through("own", instant(20));
    let parked = pair.until_parked(1).await;
    assert_eq!(parked[0].reason(), pb::parked_row::Reason::MissingTerms);
    assert_eq!(parked[0].line_item_id, pair.line_item);
    let through = || async { pair.spend().await.rated_through_time };
    let reached = async {
        while through().await.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    assert_eq!(through().await, Some(instant(5)));

    pair.publish_terms(1, 3);
    pair.server.clock.advance(Duration::from_secs(1));
    pair.rated(30).await;
    assert_eq!(through().await, Some(instant(20)));
    assert!(pair.parked().await.is_empty());
}

#[tokio::test]
async fn a_row_waits_for_the_account_of_its_publisher() {
    let pair = Pair::start(1000).await;
    pair.publish_terms(1, 1);
    let stranger = cleave_kernel::PublisherId::generate().to_string();
    let ad_unit = new_id("unit");
    pair.operations.publish_share(ShareVersion {
        ad_unit_id: ad_unit.clone(),
        publisher_id: stranger.clone(),
        game_id: new_id("game"),
        share_ppm: 500_000,
        effective_time: instant(-1000),
    });
    let mut row = pair.row(0, 1, 10);
    row.key.as_mut().unwrap().ad_unit_id = ad_unit;
    pair.operations.report([row]);
    let parked = pair.until_parked(1).await;
    assert_eq!(parked[0].reason(), pb::parked_row::Reason::MissingAccount);
    assert_eq!(parked[0].detail, stranger);
    let opening = pb::OpenAccountRequest {
        party: billing_client::types::PartyKind::Publisher.into(),
        mode: billing_client::types::AccountMode::Unspecified.into(),
        ..crate::server::opening(&stranger)
    };
    pair.server.open(opening).await;
    pair.server.clock.advance(Duration::from_secs(1));
    pair.rated(10).await;
}

#[tokio::test]
async fn a_restored_operations_and_an_outage_change_nothing_that_is_right() {
    let pair = Pair::start(10_000).await;
    pair.publish_terms(1, 1);
    pair.operations
        .report((0..50).map(|hour| pair.row(hour, 1, 10)));
    pair.rated(500).await;
    pair.operations.server().go_down().await;
    pair.operations.report([pair.row(50, 1, 10)]);
    pair.operations.server().come_up().await.unwrap();
    pair.rated(510).await;
    pair.operations.restore();
    pair.operations.report([pair.row(51, 1, 10)]);
    pair.rated(520).await;
    assert_eq!(pair.earned().await, 364);
    assert_eq!(pair.server.verified().await.row_count, 52);
}

#[tokio::test]
async fn a_restarted_billing_goes_on_where_it_was() {
    let pair = Pair::start(10_000).await;
    pair.publish_terms(1, 1);
    pair.operations
        .report((0..50).map(|hour| pair.row(hour, 1, 10)));
    pair.rated(500).await;
    pair.server.running.shutdown().await;
    pair.operations
        .report([pair.row(7, 2, 20), pair.row(60, 1, 5)]);
    let settings = settings_with(pair.server.database.url(), &pair.operations.address());
    let running = billing::start(settings).await.unwrap();
    running.ready().await;
    let client = crate::server::client(&running);
    let request = pb::BatchGetSpendRequest {
        line_item_ids: vec![pair.line_item.clone()],
    };
    let reached = async {
        loop {
            let spend = client.batch_get_spend(request.clone()).await.unwrap();
            if spend.value.spends[0].rated_micros == 515 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    running.shutdown().await;
}

#[tokio::test]
async fn what_nothing_covers_is_carried_by_the_platform_after_a_while() {
    let pair = Pair::start(30).await;
    pair.publish_terms(1, 1);
    pair.operations.report([pair.row(0, 1, 100)]);
    pair.rated(100).await;
    let funding = |spend: pb::BatchGetSpendResponse| spend.spends[0].funding.clone().unwrap();
    let before = funding(pair.spend().await);
    assert_eq!((before.charged_micros, before.unfunded_micros), (30, 70));
    pair.server.clock.advance(Duration::from_secs(25 * 60 * 60));
    let reached = async {
        while funding(pair.spend().await).unfunded_micros > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    let spend = pair.spend().await.spends.remove(0);
    assert_eq!(spend.overdelivered_micros, 70);
    assert_eq!(spend.funding.unwrap().written_off_micros, 70);
    pair.server.verified().await;
}

#[tokio::test]
async fn given_a_line_item_that_cannot_be_settled_then_those_after_it_are() {
    for database in TestDatabase::each_engine().await {
        let pair = Pair::over(database, 0).await;
        pair.publish_terms(1, 1);
        pair.operations.report([pair.row(0, 1, 100)]);
        pair.rated(100).await;
        // The second one has waited for a shorter time.
        pair.server.clock.advance(Duration::from_secs(1));
        let second = pair.beside().await;
        // No program does that; a restored table might.
        pair.forget_account(&pair.advertiser).await;
        pair.server.clock.advance(Duration::from_secs(25 * 60 * 60));
        let request = pb::BatchGetSpendRequest {
            line_item_ids: vec![second],
        };
        let reached = async {
            loop {
                let spend = pair.server.client.batch_get_spend(request.clone()).await;
                let funding = spend.unwrap().spends.remove(0).funding.unwrap();
                if funding.written_off_micros == 50 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap();
    }
}
