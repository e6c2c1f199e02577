//! A store of one test, and short ways to ask it.

use billing_domain::account::{Account, Mode, OpenAccount, OpsRef};
use billing_domain::catalogue::Catalogue;
use billing_domain::delivery::{DeliveryCounts, DeliveryKey, DeliveryRow};
use billing_domain::payment::{RecordPayment, Recorded};
use billing_domain::rate_delivery::RateDelivery;
use billing_domain::reserve::{ReserveBudget, Reserved};
use billing_domain::rev_share::RevShare;
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use billing_domain::{Outcome, Refusal};
use billing_store::{
    Command, Decision, Finding, Report, Store, StoreError, StoreOptions, Submission, Summary,
};
use cleave_kernel::{
    AccountId, AdUnitId, AdvertiserId, CampaignId, Clock, Currency, GameId, LineItemId,
    ManualClock, Micros, Money, Ppm, PublisherId, RevShareId, SystemClock, Timestamp,
};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, FeedSignal, migrate};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// One database, and as many stores over it as there are replicas.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stores: Vec<Store>,
}

impl Bench {
    /// A bench with so many replicas on each engine that is at hand.
    pub(crate) async fn each_engine(replicas: usize) -> Vec<Self> {
        let mut benches = Vec::new();
        for database in TestDatabase::each_engine().await {
            benches.push(Self::over(database, replicas).await);
        }
        benches
    }

    async fn over(database: TestDatabase, replicas: usize) -> Self {
        migrate::run(database.db(), &billing_store::migrations())
            .await
            .unwrap();
        let clock = ManualClock::at(SystemClock.now());
        let mut stores = vec![open(database.db().clone(), clock.clone())];
        while stores.len() < replicas {
            stores.push(open(database.replica().await, clock.clone()));
        }
        Self {
            database,
            clock,
            stores,
        }
    }

    /// The first replica.
    pub(crate) fn store(&self) -> &Store {
        &self.stores[0]
    }

    /// An open advertiser on credit of `limit`, with so much money.
    pub(crate) async fn advertiser(&self, limit: i64, money: i64) -> (AdvertiserId, AccountId) {
        let advertiser = AdvertiserId::generate();
        let command = Command::OpenAccount(opening(advertiser, limit));
        ask(self.store(), command, Uuid::now_v7())
            .await
            .unwrap()
            .unwrap();
        let account = Account::id_of(OpsRef::Advertiser(advertiser));
        if money > 0 {
            pay(self.store(), account, money).await.unwrap();
        }
        (advertiser, account)
    }

    /// An open publisher.
    pub(crate) async fn publisher(&self) -> PublisherId {
        let publisher = PublisherId::generate();
        let command = Command::OpenAccount(OpenAccount {
            ops_ref: OpsRef::Publisher(publisher),
            mode: Mode::Prepaid,
            ..opening(AdvertiserId::generate(), 0)
        });
        ask(self.store(), command, Uuid::now_v7())
            .await
            .unwrap()
            .unwrap();
        publisher
    }

    /// A line item of an advertiser on a publisher's ad unit, whose delivery can be rated.
    pub(crate) fn rated(
        &self,
        advertiser: AdvertiserId,
        publisher: PublisherId,
        seed: u64,
    ) -> Rated {
        let (line_item, ad_unit) = (LineItemId::generate(), AdUnitId::generate());
        let mut catalogue = Catalogue::new(self.store().zone().clone());
        catalogue.learn_terms(Terms {
            line_item,
            version: 1,
            campaign: CampaignId::generate(),
            advertiser,
            currency: inr(0).currency,
            model: PricingModel::Cpc,
            rate: 3,
            unit: 2,
            billing_cap: seed.is_multiple_of(2).then_some(Micros::new(250)),
            overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
            effective_at: Timestamp::EPOCH,
        });
        let share = RevShare {
            id: RevShareId::generate(),
            version: 1,
            ad_unit,
            game: GameId::generate(),
            publisher,
            share: Ppm::new(700_001).unwrap(),
        };
        let end = Timestamp::from_micros(i64::MAX);
        catalogue.learn_share(share, Timestamp::EPOCH, end);
        Rated {
            line_item,
            ad_unit,
            catalogue,
        }
    }

    /// What a check of the whole ledger finds.
    pub(crate) async fn verify(&self) -> (Summary, Vec<Finding>) {
        let (reports, mut received) = mpsc::channel(16);
        let listening = tokio::spawn(async move {
            let mut findings = Vec::new();
            while let Some(report) = received.recv().await {
                if let Report::Found(finding) = report {
                    findings.push(finding);
                }
            }
            findings
        });
        let summary = self.store().verify_ledger(false, reports).await.unwrap();
        (summary, listening.await.unwrap())
    }

    /// Ends the test in order: gatherers answered, pools closed, database dropped.
    pub(crate) async fn close(self) {
        for store in self.stores {
            store.close().await.unwrap();
        }
    }
}

/// A line item whose delivery can be rated.
pub(crate) struct Rated {
    pub(crate) line_item: LineItemId,
    ad_unit: AdUnitId,
    catalogue: Catalogue,
}

impl Rated {
    /// One hour of delivery, as counted by now.
    pub(crate) fn row(&mut self, hour: u64, revision: i64, clicks: i64) -> RateDelivery {
        let hour = Timestamp::EPOCH.plus(Duration::from_secs(
            1_700_000_000 / 3600 * 3600 + hour * 3600,
        ));
        let row = DeliveryRow {
            key: DeliveryKey {
                source: "bank".to_owned(),
                line_item: self.line_item,
                terms_version: 1,
                ad_unit: self.ad_unit,
                hour,
            },
            revision,
            counts: DeliveryCounts {
                impressions: clicks,
                clicks,
                ..DeliveryCounts::default()
            },
        };
        RateDelivery {
            rows: self.catalogue.prepare(vec![row]),
            unreadable: Vec::new(),
            progress: None,
        }
    }

    /// The decision on what nothing covered.
    pub(crate) const fn settlement(&self) -> SettleUnfunded {
        SettleUnfunded {
            line_item: self.line_item,
            unfunded_before: Timestamp::from_micros(i64::MAX),
        }
    }
}

fn open(database: Database, clock: Arc<ManualClock>) -> Store {
    let options = StoreOptions {
        clock,
        zone: jiff::tz::TimeZone::get("Asia/Kolkata").unwrap(),
        corrections: Duration::ZERO,
        poll: FeedSignal::POLL,
    };
    Store::open(database, options)
}

pub(crate) fn inr(micros: i64) -> Money {
    Money::new(Currency::from_code("INR").unwrap(), Micros::new(micros))
}

pub(crate) fn opening(advertiser: AdvertiserId, limit: i64) -> OpenAccount {
    OpenAccount {
        ops_ref: OpsRef::Advertiser(advertiser),
        display_name: "Bank".to_owned(),
        currency: inr(0).currency,
        mode: Mode::PrepaidWithCredit,
        credit_limit: Micros::new(limit),
        net_days: 0,
    }
}

pub(crate) fn payment(account: AccountId, micros: i64) -> RecordPayment {
    RecordPayment {
        account,
        amount: inr(micros),
        external_ref: Uuid::now_v7().to_string(),
        method: "test".to_owned(),
        received_at: None,
    }
}

pub(crate) fn order(advertiser: AdvertiserId, micros: i64) -> ReserveBudget {
    ReserveBudget {
        advertiser,
        line_item: LineItemId::generate(),
        terms_version: 1,
        amount: inr(micros),
        min_amount: Micros::new(1),
        serve_for: Duration::from_secs(60),
        settle_for: Duration::from_secs(120),
    }
}

/// Submits a command as a request; its own content stands for the message.
pub(crate) async fn ask(
    store: &Store,
    command: Command,
    request: Uuid,
) -> Result<Decision, StoreError> {
    let message = format!("{command:?}").into_bytes();
    store
        .submit(Submission::requested(command, request, &message))
        .await
}

pub(crate) async fn pay(
    store: &Store,
    account: AccountId,
    micros: i64,
) -> Result<Recorded, Refusal> {
    let command = Command::RecordPayment(payment(account, micros));
    match ask(store, command, Uuid::now_v7()).await.unwrap()? {
        Outcome::Recorded(recorded) => Ok(*recorded),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn reserve(
    store: &Store,
    advertiser: AdvertiserId,
    micros: i64,
) -> Result<Reserved, Refusal> {
    let command = Command::ReserveBudget(order(advertiser, micros));
    match ask(store, command, Uuid::now_v7()).await.unwrap()? {
        Outcome::Reserved(reserved) => Ok(*reserved),
        other => panic!("{other:?}"),
    }
}
