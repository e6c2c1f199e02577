//! A small world to test the rules in: one advertiser, one publisher, one clock.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here fails the test"
)]

use billing_domain::account::{
    Account, CloseAccount, Mode, OpenAccount, OpsRef, UpdateCreditTerms,
};
use billing_domain::adjustment::{Adjustment, Direction, Kind, PostAdjustment};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code, LedgerKey};
use billing_domain::outcome::Changed;
use billing_domain::payment::{RecordPayment, Recorded};
use billing_domain::reserve::{ReleaseReservation, Released, ReserveBudget, Reserved};
use billing_domain::transfer::{Group, Reason};
use billing_domain::{Period, Refusal, Work};
use cleave_kernel::{
    AccountId, AdvertiserId, Currency, LineItemId, Micros, Money, PublisherId, ReservationId,
    Timestamp,
};
use std::time::Duration;
use uuid::Uuid;

/// How long the reservations of these tests may be served.
pub(crate) const SERVE: Duration = Duration::from_secs(60);
/// How long rows may draw from them.
pub(crate) const SETTLE: Duration = Duration::from_secs(120);

/// Some line item, the same for the same number.
pub(crate) fn line_item(number: u8) -> LineItemId {
    LineItemId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

/// The currency of these tests.
pub(crate) fn inr() -> Currency {
    Currency::from_code("INR").unwrap()
}

/// `micros` of it.
pub(crate) fn money(micros: i64) -> Money {
    Money::new(inr(), Micros::new(micros))
}

/// One advertiser and one publisher, with the rows they need.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) work: Work,
    pub(crate) advertiser: AdvertiserId,
    pub(crate) publisher: PublisherId,
    pub(crate) account: AccountId,
    pub(crate) publisher_account: AccountId,
    pays: u32,
}

impl World {
    /// An advertiser on credit of `limit`.
    pub(crate) fn prepaid_with_credit(limit: i64) -> Self {
        Self::open(Mode::PrepaidWithCredit, limit)
    }

    /// An advertiser of a mode, and a publisher.
    pub(crate) fn open(mode: Mode, limit: i64) -> Self {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut work = Work::new(now, Period::from_index(24_310), Uuid::now_v7);
        let advertiser = AdvertiserId::generate();
        let publisher = PublisherId::generate();
        for code in Code::OF_PLATFORM {
            let key = LedgerKey::platform(inr(), *code);
            work.book_mut().load(LedgerAccount::new(key));
        }
        for owner in [OpsRef::Advertiser(advertiser), OpsRef::Publisher(publisher)] {
            let command = match owner {
                OpsRef::Advertiser(_) => opening(owner, mode, limit),
                OpsRef::Publisher(_) => opening(owner, Mode::Prepaid, 0),
            };
            let account = work.open_account(&command).unwrap().account;
            for code in account.codes() {
                work.book_mut()
                    .load(LedgerAccount::new(account.ledger(*code)));
            }
        }
        Self {
            work,
            advertiser,
            publisher,
            account: Account::id_of(OpsRef::Advertiser(advertiser)),
            publisher_account: Account::id_of(OpsRef::Publisher(publisher)),
            pays: 0,
        }
    }

    pub(crate) fn ledger(&self, code: Code) -> LedgerKey {
        self.account().ledger(code)
    }

    pub(crate) fn platform(&self, code: Code) -> LedgerKey {
        LedgerKey::platform(inr(), code)
    }

    pub(crate) fn account(&self) -> &Account {
        self.work.account(self.account).unwrap()
    }

    pub(crate) fn free(&self) -> Micros {
        self.work.free(self.account).unwrap()
    }

    pub(crate) fn pay(&mut self, amount: i64) -> Result<Recorded, Refusal> {
        self.pays += 1;
        self.work.record_payment(&RecordPayment {
            account: self.account,
            amount: money(amount),
            external_ref: format!("pay-{}", self.pays),
            method: String::new(),
            received_at: None,
        })
    }

    pub(crate) fn reserve(
        &mut self,
        line: LineItemId,
        amount: i64,
        min: i64,
    ) -> Result<Reserved, Refusal> {
        self.work.reserve_budget(&ReserveBudget {
            advertiser: self.advertiser,
            line_item: line,
            terms_version: 1,
            amount: money(amount),
            min_amount: Micros::new(min),
            serve_for: SERVE,
            settle_for: SETTLE,
        })
    }

    pub(crate) fn draw(&mut self, hold: ReservationId, amount: i64) -> Result<(), Refusal> {
        let mut group = Group::new("test");
        group.draw(hold, Micros::new(amount), Reason::Charge);
        self.work.commit(group)
    }

    pub(crate) fn release(
        &mut self,
        hold: ReservationId,
        counted: i64,
    ) -> Result<Released, Refusal> {
        self.work.release_reservation(&ReleaseReservation {
            reservation: hold,
            counted_spend: money(counted),
        })
    }

    pub(crate) fn expire(&mut self, holds: &[ReservationId]) -> u64 {
        self.work.expire_reservations(holds).unwrap()
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        let now = self.work.now().plus(Duration::from_secs(seconds));
        self.work.set_now(now);
    }

    pub(crate) fn limit(&mut self, limit: i64) -> Result<Changed, Refusal> {
        let etag = self.account().etag();
        self.work.update_credit_terms(&UpdateCreditTerms {
            account: self.account,
            etag,
            credit_limit: Some(Micros::new(limit)),
            net_days: None,
        })
    }

    pub(crate) fn debit(&mut self, amount: i64) -> Result<Adjustment, Refusal> {
        self.adjust(self.account, Kind::Discrepancy, Direction::Debit, amount)
    }

    pub(crate) fn adjust(
        &mut self,
        account: AccountId,
        kind: Kind,
        direction: Direction,
        amount: i64,
    ) -> Result<Adjustment, Refusal> {
        self.work.post_adjustment(&PostAdjustment {
            account,
            kind,
            direction,
            amount: money(amount),
            reason: "test".to_owned(),
            actor: "tester".to_owned(),
        })
    }

    pub(crate) fn close(&mut self) -> Result<Changed, Refusal> {
        let etag = self.account().etag();
        self.work.close_account(&CloseAccount {
            account: self.account,
            etag,
        })
    }
}

/// The command that opens an account.
pub(crate) fn opening(owner: OpsRef, mode: Mode, limit: i64) -> OpenAccount {
    OpenAccount {
        ops_ref: owner,
        display_name: "Test".to_owned(),
        currency: inr(),
        mode,
        credit_limit: Micros::new(limit),
        net_days: 0,
    }
}
