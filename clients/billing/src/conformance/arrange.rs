//! What a case needs of the Billing it runs against, and short ways to say it.

use std::future::Future;
use std::time::Duration;

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::types::{AccountMode, AccountStanding, Money, PartyKind};
use crate::{BillingClient, CallError, pb};

/// The currency of every account that a case opens.
pub(super) const CURRENCY: &str = "INR";

/// Brings about what other callers than Operations would.
pub trait Arrange: Sync {
    /// A client of the Billing under test.
    fn client(&self) -> BillingClient;

    /// Credits a payment to an account.
    fn pay(&self, account: &pb::BillingAccount, micros: i64) -> impl Future<Output = ()> + Send;

    /// Sets the standing of an account by hand.
    fn set_standing(
        &self,
        account: &pb::BillingAccount,
        standing: AccountStanding,
    ) -> impl Future<Output = ()> + Send;

    /// A resume token of WatchAccounts that was made in another life of the database.
    fn foreign_token(&self) -> impl Future<Output = String> + Send;
}

/// A new typed id, such as `adv_01h455vb4pex5vsknk084sn02q`.
///
/// # Panics
/// When the prefix is not one.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    let prefix = DynamicType::new(prefix).expect("a prefix of lower case letters");
    TypeSafeId::from_type_and_uuid(prefix, Uuid::now_v7()).to_string()
}

pub(super) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

pub(super) fn money(micros: i64) -> Option<Money> {
    Some(Money {
        currency_code: CURRENCY.to_owned(),
        micros,
    })
}

pub(super) fn opening(ops_ref: &str, party: PartyKind) -> pb::OpenAccountRequest {
    let mode = match party {
        PartyKind::Advertiser => AccountMode::Prepaid,
        PartyKind::Publisher | PartyKind::Unspecified => AccountMode::Unspecified,
    };
    pb::OpenAccountRequest {
        request_id: request_id(),
        ops_ref: ops_ref.to_owned(),
        party: party.into(),
        display_name: "Conformance".to_owned(),
        currency_code: CURRENCY.to_owned(),
        mode: mode.into(),
        credit_limit_micros: 0,
        net_days: 0,
    }
}

/// A prepaid advertiser with this much money.
pub(super) async fn advertiser(billing: &impl Arrange, micros: i64) -> pb::BillingAccount {
    let request = opening(&new_id("adv"), PartyKind::Advertiser);
    let opened = billing.client().open_account(request).await;
    let account = opened
        .expect("an account opens")
        .account
        .expect("the answer has the account");
    if micros > 0 {
        billing.pay(&account, micros).await;
    }
    account
}

pub(super) async fn standing(billing: &impl Arrange, ops_ref: &str) -> pb::AccountStandingInfo {
    let request = pb::BatchGetAccountStandingRequest {
        ops_refs: vec![ops_ref.to_owned()],
    };
    let answer = billing.client().batch_get_account_standing(request).await;
    let mut standings = answer.expect("a standing is answered").value.standings;
    standings.pop().expect("the party has an account")
}

/// An order for a lease of an hour.
pub(super) fn order(account: &pb::BillingAccount, amount: i64) -> pb::ReserveBudgetRequest {
    pb::ReserveBudgetRequest {
        request_id: request_id(),
        advertiser_id: account.ops_ref.clone(),
        line_item_id: new_id("line"),
        terms_version: 1,
        amount: money(amount),
        min_amount: None,
        serve_for: Some(seconds(3600)),
        settle_for: Some(seconds(7200)),
    }
}

pub(super) fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

pub(super) async fn reserve(
    billing: &impl Arrange,
    order: &pb::ReserveBudgetRequest,
) -> pb::Reservation {
    let answer = billing.client().reserve_budget(order.clone()).await;
    let reservation = answer.expect("the money is there").reservation;
    reservation.expect("the answer has the reservation")
}

/// Fails unless the call was refused with this code and reason.
pub(super) fn refused<T: std::fmt::Debug>(
    answer: Result<T, CallError>,
    code: tonic::Code,
    reason: &str,
) -> CallError {
    let error = answer.expect_err("the call is refused");
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(error.reason.as_deref(), Some(reason), "{error:?}");
    assert_eq!(error.domain.as_deref(), Some("billing.cleave"), "{error:?}");
    error
}

/// Asks again and again until the answer satisfies, or a generous time has passed.
pub(super) async fn eventually<T, Fut: Future<Output = T>>(
    what: &str,
    ask: impl Fn() -> Fut,
    satisfied: impl Fn(&T) -> bool,
) -> T {
    let patience = Duration::from_secs(20);
    let pause = Duration::from_millis(20);
    let asking = async {
        loop {
            let answer = ask().await;
            if satisfied(&answer) {
                return answer;
            }
            tokio::time::sleep(pause).await;
        }
    };
    match tokio::time::timeout(patience, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain until {what}"),
    }
}
