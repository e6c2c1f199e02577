//! Cases of leases: granting, refusing, releasing, expiring.

use tonic::Code;

use super::arrange::{
    Arrange, advertiser, eventually, money, new_id, opening, order, refused, request_id, reserve,
    seconds, standing,
};
use crate::pb;
use crate::pb::reservation::State;
use crate::types::{AccountStanding, PartyKind};

fn granted(reservation: &pb::Reservation) -> i64 {
    reservation.granted.as_ref().map_or(0, |money| money.micros)
}

/// A grant shrinks to what is free, down to the least that is of use.
pub async fn a_grant_never_exceeds_what_is_free(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let first = reserve(billing, &order(&account, 700_000)).await;
    assert_eq!(granted(&first), 700_000);
    assert_eq!(first.state(), State::Held);

    let too_much = pb::ReserveBudgetRequest {
        min_amount: money(300_001),
        ..order(&account, 700_000)
    };
    let answer = billing.client().reserve_budget(too_much).await;
    let error = refused(answer, Code::FailedPrecondition, "INSUFFICIENT_FUNDS");
    let available = error.metadata.get("available_micros");
    assert_eq!(available.map(String::as_str), Some("300000"));

    let rest = reserve(billing, &order(&account, 700_000)).await;
    assert_eq!(granted(&rest), 300_000);
    let after = standing(billing, &account.ops_ref).await;
    assert_eq!((after.available_micros, after.held_micros), (0, 1_000_000));
}

/// The first outcome of a request is its outcome for ever, also once there is money.
pub async fn a_refused_reservation_stays_refused(billing: &impl Arrange) {
    let account = advertiser(billing, 0).await;
    let order = order(&account, 500_000);
    let answer = billing.client().reserve_budget(order.clone()).await;
    refused(answer, Code::FailedPrecondition, "INSUFFICIENT_FUNDS");

    billing.pay(&account, 1_000_000).await;
    let answer = billing.client().reserve_budget(order.clone()).await;
    refused(answer, Code::FailedPrecondition, "INSUFFICIENT_FUNDS");

    let anew = pb::ReserveBudgetRequest {
        request_id: request_id(),
        ..order
    };
    assert_eq!(granted(&reserve(billing, &anew).await), 500_000);
}

/// However often a request is sent, it holds money once; with other contents it is refused.
pub async fn a_reservation_is_made_once(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let order = order(&account, 400_000);
    let first = reserve(billing, &order).await;
    let again = reserve(billing, &order).await;
    assert_eq!(first, again);
    assert_eq!(
        standing(billing, &account.ops_ref).await.held_micros,
        400_000
    );

    let other = pb::ReserveBudgetRequest {
        amount: money(1),
        ..order
    };
    let answer = billing.client().reserve_budget(other).await;
    refused(answer, Code::FailedPrecondition, "REQUEST_MISMATCH");
}

/// Nobody else gets money, and the refusal says why.
pub async fn only_an_open_advertiser_in_good_standing_reserves(billing: &impl Arrange) {
    let client = billing.client();
    let account = advertiser(billing, 1_000_000).await;
    let whole = || order(&account, 100_000);

    let unknown = pb::ReserveBudgetRequest {
        advertiser_id: new_id("adv"),
        ..whole()
    };
    refused(
        client.reserve_budget(unknown).await,
        Code::NotFound,
        "ACCOUNT_NOT_FOUND",
    );

    let publisher = opening(&new_id("pub"), PartyKind::Publisher);
    let request = pb::ReserveBudgetRequest {
        advertiser_id: publisher.ops_ref.clone(),
        ..whole()
    };
    client
        .open_account(publisher)
        .await
        .expect("an account opens");
    refused(
        client.reserve_budget(request).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );

    let mut dollars = whole();
    dollars.amount.get_or_insert_default().currency_code = "USD".to_owned();
    let answer = client.reserve_budget(dollars).await;
    refused(answer, Code::FailedPrecondition, "CURRENCY_MISMATCH");

    let backwards = pb::ReserveBudgetRequest {
        settle_for: Some(seconds(1)),
        ..whole()
    };
    refused(
        client.reserve_budget(backwards).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );

    billing
        .set_standing(&account, AccountStanding::Blocked)
        .await;
    let answer = client.reserve_budget(whole()).await;
    refused(answer, Code::FailedPrecondition, "ACCOUNT_BLOCKED");
}

fn release(reservation: &pb::Reservation, counted: i64) -> pb::ReleaseReservationRequest {
    pb::ReleaseReservationRequest {
        request_id: request_id(),
        reservation_id: reservation.id.clone(),
        counted_spend: money(counted),
    }
}

/// What was served stays held until its rows arrive; the rest is free at once, and only once.
pub async fn release_keeps_what_was_served(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let reservation = reserve(billing, &order(&account, 600_000)).await;
    let request = release(&reservation, 250_000);
    for _ in 0..2 {
        let answer = billing.client().release_reservation(request.clone()).await;
        let answer = answer.expect("a live reservation is released");
        assert_eq!(answer.kept, money(250_000));
        assert_eq!(answer.freed, money(350_000));
        assert_eq!(answer.posted, money(0));
        let state = answer.reservation.expect("it is answered").state();
        assert_eq!(state, State::Settling);
    }
    let after = standing(billing, &account.ops_ref).await;
    assert_eq!(
        (after.available_micros, after.held_micros),
        (750_000, 250_000)
    );
}

/// A release that keeps nothing closes; after that there is nothing to release.
pub async fn a_closed_reservation_is_released_no_more(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let reservation = reserve(billing, &order(&account, 600_000)).await;
    let client = billing.client();
    let answer = client.release_reservation(release(&reservation, 0)).await;
    let closed = answer.expect("a live reservation is released").reservation;
    let closed = closed.expect("it is answered");
    assert_eq!(closed.state(), State::Closed);
    assert_eq!(closed.close_cause(), pb::reservation::CloseCause::Voided);

    let answer = client.release_reservation(release(&reservation, 0)).await;
    refused(answer, Code::FailedPrecondition, "RESERVATION_CLOSED");
    let unknown = pb::Reservation {
        id: new_id("rsv"),
        ..reservation
    };
    let answer = client.release_reservation(release(&unknown, 0)).await;
    refused(answer, Code::NotFound, "RESERVATION_NOT_FOUND");
    assert_eq!(
        standing(billing, &account.ops_ref).await.available_micros,
        1_000_000
    );
}

/// By Billing's clock, without anybody's help.
pub async fn a_lease_ends_by_itself(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let short = pb::ReserveBudgetRequest {
        serve_for: Some(seconds(1)),
        settle_for: Some(seconds(1)),
        ..order(&account, 600_000)
    };
    reserve(billing, &short).await;
    let after = eventually(
        "the lease has ended",
        || standing(billing, &account.ops_ref),
        |info| info.held_micros == 0,
    )
    .await;
    assert_eq!(after.available_micros, 1_000_000);
}
