//! A small network in a fresh database: one advertiser, two publishers, and a clock that stands.

use billing_domain::account::{Account, CloseAccount, Mode, OpenAccount, OpsRef};
use billing_domain::adjustment::{Direction, Kind, PostAdjustment};
use billing_domain::catalogue::Catalogue;
use billing_domain::chart::Code;
use billing_domain::delivery::{DeliveryCounts, DeliveryKey, DeliveryRow, RowId};
use billing_domain::parked_row::{ParkedRow, UnreadableRow};
use billing_domain::payment::RecordPayment;
use billing_domain::rate_delivery::{RateDelivery, RateReport};
use billing_domain::rating_set::Progress;
use billing_domain::reserve::ReserveBudget;
use billing_domain::rev_share::RevShare;
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use billing_domain::write_off::{WriteOffRows, WrittenOff};
use billing_domain::{Outcome, Refusal, Reservation};
use billing_store::{
    BalancesOf, Command, Finding, Report, Store, StoreOptions, Submission, Summary, Waits,
    migrations,
};
use cleave_kernel::{
    AdUnitId, AdvertiserId, CampaignId, Currency, GameId, LineItemId, ManualClock, Micros, Money,
    Ppm, PublisherId, RequestId, RevShareId, Timestamp,
};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, migrate};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// 2026-11-01T00:00Z.
pub(crate) const START: i64 = 1_793_491_200_000_000;

/// How long after its end a month may be corrected.
pub(crate) const CORRECTIONS: Duration = Duration::from_secs(8 * 24 * 60 * 60);

pub(crate) struct World {
    pub(crate) test: TestDatabase,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) catalogue: Catalogue,
}

pub(crate) fn advertiser() -> AdvertiserId {
    AdvertiserId::from_uuid(Uuid::from_u128(1))
}

pub(crate) fn publisher(number: u8) -> PublisherId {
    PublisherId::from_uuid(Uuid::from_u128(u128::from(number) + 20))
}

pub(crate) fn campaign() -> CampaignId {
    CampaignId::from_uuid(Uuid::from_u128(9))
}

pub(crate) fn line_item(number: u8) -> LineItemId {
    LineItemId::from_uuid(Uuid::from_u128(u128::from(number) + 1000))
}

/// Ad units of even numbers are the first publisher's, the others the second's.
pub(crate) fn unit(number: u8) -> AdUnitId {
    AdUnitId::from_uuid(Uuid::from_u128(u128::from(number) + 100))
}

pub(crate) fn inr() -> Currency {
    Currency::from_code("INR").unwrap()
}

pub(crate) fn hour(number: i64) -> Timestamp {
    Timestamp::from_micros(START + number * 3_600_000_000)
}

/// A row with `n` of everything.
pub(crate) fn row(item: u8, ad_unit: u8, at: i64, revision: i64, n: i64) -> DeliveryRow {
    DeliveryRow {
        key: DeliveryKey {
            source: "own".to_owned(),
            line_item: line_item(item),
            terms_version: 1,
            ad_unit: unit(ad_unit),
            hour: hour(at),
        },
        revision,
        counts: DeliveryCounts {
            impressions: n,
            clicks: n,
            media_cost: n,
            ..DeliveryCounts::default()
        },
    }
}

pub(crate) fn terms(item: u8, model: PricingModel, rate: i64, unit: i64) -> Terms {
    Terms {
        line_item: line_item(item),
        version: 1,
        campaign: campaign(),
        advertiser: advertiser(),
        currency: inr(),
        model,
        rate,
        unit,
        billing_cap: None,
        overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
        effective_at: Timestamp::EPOCH,
    }
}

impl World {
    /// One world per engine.
    pub(crate) async fn on_each_engine() -> Vec<Self> {
        let mut worlds = Vec::new();
        for test in TestDatabase::each_engine().await {
            worlds.push(Self::new(test).await);
        }
        worlds
    }

    pub(crate) async fn new(test: TestDatabase) -> Self {
        migrate::run(test.db(), &migrations()).await.unwrap();
        let clock = ManualClock::at(hour(2));
        let store = open(test.db().clone(), &clock);
        let mut world = Self {
            test,
            store,
            clock,
            catalogue: Catalogue::new(TimeZone::get("Asia/Kolkata").unwrap()),
        };
        world.open_account(OpsRef::Advertiser(advertiser())).await;
        world.open_account(OpsRef::Publisher(publisher(0))).await;
        world.open_account(OpsRef::Publisher(publisher(1))).await;
        for number in 0..8 {
            world.share(number, 700_000);
        }
        world
    }

    /// A second store on the same database, as another replica has.
    pub(crate) async fn replica(&self) -> Store {
        open(self.test.replica().await, &self.clock)
    }

    pub(crate) fn share(&mut self, number: u8, ppm: u32) {
        let share = RevShare {
            id: RevShareId::from_uuid(Uuid::from_u128(50)),
            version: 3,
            ad_unit: unit(number),
            game: GameId::from_uuid(Uuid::from_u128(51)),
            publisher: publisher(number % 2),
            share: Ppm::new(ppm).unwrap(),
        };
        let end = Timestamp::from_micros(i64::MAX);
        self.catalogue.learn_share(share, Timestamp::EPOCH, end);
    }

    pub(crate) async fn submit(&self, command: Command) -> Outcome {
        let id = RequestId::generate().uuid();
        let submission = match &command {
            Command::RateDelivery(_) | Command::SettleUnfunded(_) => Submission::internal(command),
            _ => Submission::requested(command, id, id.as_bytes()),
        };
        self.store.submit(submission).await.unwrap().unwrap()
    }

    pub(crate) async fn open_account(&self, ops_ref: OpsRef) {
        let open = OpenAccount {
            ops_ref,
            display_name: "Test".to_owned(),
            currency: inr(),
            mode: Mode::Prepaid,
            credit_limit: Micros::ZERO,
            net_days: 0,
        };
        self.submit(Command::OpenAccount(open)).await;
    }

    pub(crate) async fn pay(&self, amount: i64) {
        let payment = RecordPayment {
            account: Account::id_of(OpsRef::Advertiser(advertiser())),
            amount: Money::new(inr(), Micros::new(amount)),
            external_ref: Uuid::now_v7().to_string(),
            method: String::new(),
            received_at: None,
        };
        self.submit(Command::RecordPayment(payment)).await;
    }

    pub(crate) async fn reserve(&self, item: u8, amount: i64) -> Reservation {
        let reserve = ReserveBudget {
            advertiser: advertiser(),
            line_item: line_item(item),
            terms_version: 1,
            amount: Money::new(inr(), Micros::new(amount)),
            min_amount: Micros::new(1),
            serve_for: Duration::from_secs(60),
            settle_for: Duration::from_secs(120),
        };
        match self.submit(Command::ReserveBudget(reserve)).await {
            Outcome::Reserved(reserved) => reserved.reservation,
            other => panic!("{other:?}"),
        }
    }

    /// Takes rows in that cannot be read.
    pub(crate) async fn quarantine(&self, unreadable: Vec<UnreadableRow>) -> RateReport {
        let command = Command::RateDelivery(Box::new(RateDelivery {
            rows: Vec::new(),
            unreadable,
            progress: None,
        }));
        match self.submit(command).await {
            Outcome::Rated(report) => report,
            other => panic!("{other:?}"),
        }
    }

    /// Rates rows that came with no progress of the stream.
    pub(crate) async fn rate(&mut self, rows: Vec<DeliveryRow>) -> RateReport {
        self.rate_with(rows, None).await
    }

    pub(crate) async fn rate_with(
        &mut self,
        rows: Vec<DeliveryRow>,
        progress: Option<Progress>,
    ) -> RateReport {
        let rows = self.catalogue.prepare(rows);
        let command = Command::RateDelivery(Box::new(RateDelivery {
            rows,
            unreadable: Vec::new(),
            progress,
        }));
        match self.submit(command).await {
            Outcome::Rated(report) => report,
            other => panic!("{other:?}"),
        }
    }

    /// The rows that wait to be rated.
    pub(crate) async fn parked(&self) -> Vec<(RowId, ParkedRow)> {
        let waiting = self.store.list_parked(None, 1000).await.unwrap();
        let parked = |(id, waits)| match waits {
            Waits::ToBeRated(parked) => Some((id, parked)),
            Waits::Unreadable(_) => None,
        };
        waiting.rows.into_iter().filter_map(parked).collect()
    }

    pub(crate) async fn close(&self, owner: OpsRef) -> Result<Outcome, Refusal> {
        let account = Account::id_of(owner);
        let view = self.store.account(account).await.unwrap().unwrap();
        let etag = view.account.etag();
        self.ask(Command::CloseAccount(CloseAccount { account, etag }))
            .await
    }

    /// Takes what an account has out of it, so that it may close.
    pub(crate) async fn empty(&self, owner: OpsRef) {
        let account = Account::id_of(owner);
        let view = self.store.account(account).await.unwrap().unwrap();
        if view.position.balance.is_zero() {
            return;
        }
        let adjustment = PostAdjustment {
            account,
            kind: Kind::Discrepancy,
            direction: Direction::Debit,
            amount: Money::new(inr(), view.position.balance),
            reason: "paid out".to_owned(),
            actor: "finance".to_owned(),
        };
        self.submit(Command::PostAdjustment(adjustment)).await;
    }

    pub(crate) async fn write_off(&self, rows: Vec<(RowId, i64)>) -> Result<WrittenOff, Refusal> {
        let command = WriteOffRows {
            rows,
            reason: "came after the closing".to_owned(),
            actor: "finance".to_owned(),
        };
        match self.ask(Command::WriteOffRows(command)).await? {
            Outcome::WrittenOff(written_off) => Ok(*written_off),
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, command: Command) -> Result<Outcome, Refusal> {
        let id = RequestId::generate().uuid();
        let submission = Submission::requested(command, id, id.as_bytes());
        self.store.submit(submission).await.unwrap()
    }

    pub(crate) async fn settle(&self, item: u8) -> (i64, i64) {
        let settle = SettleUnfunded {
            line_item: line_item(item),
            unfunded_before: hour(1_000_000),
        };
        match self.submit(Command::SettleUnfunded(settle)).await {
            Outcome::Settled(settled) => (settled.charged.get(), settled.written_off.get()),
            other => panic!("{other:?}"),
        }
    }

    /// The balances of everything that rating moves, by name.
    pub(crate) async fn balances(&self) -> BTreeMap<String, i64> {
        let owners = [
            ("adv", OpsRef::Advertiser(advertiser())),
            ("pub0", OpsRef::Publisher(publisher(0))),
            ("pub1", OpsRef::Publisher(publisher(1))),
        ];
        let owners = owners.map(|(name, owner)| (name, BalancesOf::Account(Account::id_of(owner))));
        let platform = ("platform", BalancesOf::Platform(inr()));
        let mut all = BTreeMap::new();
        for (name, of) in owners.into_iter().chain([platform]) {
            let balances = self.store.balances(of).await.unwrap().unwrap();
            for row in balances.rows {
                let code: Code = row.key.code;
                let balance = row.counters.balance(code.side()).unwrap().get();
                if balance != 0 {
                    all.insert(format!("{name} {code:?}"), balance);
                }
            }
        }
        all
    }

    pub(crate) async fn balance(&self, name: &str) -> i64 {
        self.balances().await.get(name).copied().unwrap_or(0)
    }

    /// Verifies the ledger; answers what does not agree.
    pub(crate) async fn verify(&self) -> (Summary, Vec<Finding>) {
        let (reports, mut heard) = tokio::sync::mpsc::channel(1000);
        let collect = tokio::spawn(async move {
            let mut findings = Vec::new();
            while let Some(report) = heard.recv().await {
                if let Report::Found(finding) = report {
                    findings.push(finding);
                }
            }
            findings
        });
        let summary = self.store.verify_ledger(false, reports).await.unwrap();
        (summary, collect.await.unwrap())
    }

    pub(crate) async fn assert_clean(&self) {
        let (_, findings) = self.verify().await;
        assert!(findings.is_empty(), "{:?}: {findings:#?}", self.test);
    }
}

fn open(database: Database, clock: &Arc<ManualClock>) -> Store {
    let options = StoreOptions {
        clock: clock.clone(),
        zone: TimeZone::get("Asia/Kolkata").unwrap(),
        corrections: CORRECTIONS,
        poll: Duration::from_millis(100),
    };
    Store::open(database, options)
}
