//! Reservations: granted, released, expired.

use crate::server::{Server, eventually, inr, order, refused, request_id, seconds};
use billing_client::pb;
use billing_client::types::Money;
use cleave_kernel::ReservationId;
use pb::reservation::{CloseCause, State};
use std::time::Duration;
use tonic::Code;

fn release(reservation: &pb::Reservation, counted: i64) -> pb::ReleaseReservationRequest {
    pb::ReleaseReservationRequest {
        request_id: request_id(),
        reservation_id: reservation.id.clone(),
        counted_spend: inr(counted),
    }
}

async fn reserve(server: &Server, account: &pb::BillingAccount, micros: i64) -> pb::Reservation {
    let answer = server.client.reserve_budget(order(account, micros)).await;
    answer.unwrap().reservation.unwrap()
}

async fn read(server: &Server, id: &str) -> pb::Reservation {
    let request = pb::GetReservationRequest {
        reservation_id: id.to_owned(),
    };
    let answer = server.client.get_reservation(request).await.unwrap();
    answer.reservation.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_less_than_wanted_when_reserved_then_what_is_free_is_granted() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let answer = server.client.reserve_budget(order(&account, 1_500)).await;
    let answer = answer.unwrap();
    let reservation = answer.reservation.unwrap();
    assert_eq!(reservation.granted, inr(1_000));
    assert_eq!(reservation.state(), State::Held);
    assert!(answer.revision > 0);
    assert_eq!(read(&server, &reservation.id).await, reservation);

    let wanted = pb::ReserveBudgetRequest {
        min_amount: inr(1),
        ..order(&account, 10)
    };
    let answer = server.client.reserve_budget(wanted.clone()).await;
    let error = refused(answer, Code::FailedPrecondition, "INSUFFICIENT_FUNDS");
    assert_eq!(error.metadata["available_micros"], "0");
    assert_eq!(error.metadata["currency_code"], "INR");

    // A refusal is an outcome: money that arrives later does not change it.
    let paid = crate::server::payment(&account.id, 5_000);
    server.client.record_payment(paid).await.unwrap();
    let answer = server.client.reserve_budget(wanted).await;
    refused(answer, Code::FailedPrecondition, "INSUFFICIENT_FUNDS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_reservation_when_repeated_then_it_is_made_once() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let request = order(&account, 300);
    let first = server.client.reserve_budget(request.clone()).await.unwrap();
    let calls = (0..16).map(|_| server.client.reserve_budget(request.clone()));
    for again in futures::future::join_all(calls).await {
        assert_eq!(again.unwrap(), first);
    }
    assert_eq!(server.standing(&account.id).await.held_micros, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_hold_when_released_then_the_rest_is_free_at_once() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let reservation = reserve(&server, &account, 800).await;
    let request = release(&reservation, 250);
    let released = server
        .client
        .release_reservation(request.clone())
        .await
        .unwrap();
    assert_eq!(
        (released.posted.clone(), released.kept.clone()),
        (inr(0), inr(250))
    );
    assert_eq!(released.freed, inr(550));
    assert_eq!(
        released.reservation.as_ref().unwrap().state(),
        State::Settling
    );
    assert_eq!(server.standing(&account.id).await.available_micros, 750);
    let again = server.client.release_reservation(request).await.unwrap();
    assert_eq!(again, released);

    let voided = server
        .client
        .release_reservation(release(&reservation, 0))
        .await;
    let voided = voided.unwrap().reservation.unwrap();
    assert_eq!(
        (voided.state(), voided.close_cause()),
        (State::Closed, CloseCause::Voided)
    );
    let answer = server
        .client
        .release_reservation(release(&reservation, 0))
        .await;
    let error = refused(answer, Code::FailedPrecondition, "RESERVATION_CLOSED");
    assert_eq!(error.metadata["close_cause"], "VOIDED");
    server.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_hold_when_its_times_pass_then_it_settles_and_expires() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let reservation = reserve(&server, &account, 800).await;
    server.clock.advance(Duration::from_secs(60));
    let settling = |r: &pb::Reservation| r.state() == State::Settling;
    eventually("it settles", || read(&server, &reservation.id), settling).await;
    assert_eq!(server.standing(&account.id).await.held_micros, 800);

    server.clock.advance(Duration::from_secs(60));
    let closed = |r: &pb::Reservation| r.state() == State::Closed;
    let expired = eventually("it expires", || read(&server, &reservation.id), closed).await;
    assert_eq!(expired.close_cause(), CloseCause::Expired);
    assert_eq!(expired.freed, inr(800));
    assert!(expired.close_time.is_some());
    assert_eq!(server.standing(&account.id).await.available_micros, 1_000);
    server.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_no_reservation_when_asked_for_then_not_found() {
    let server = Server::start().await;
    let stranger = pb::Reservation {
        id: ReservationId::generate().to_string(),
        ..pb::Reservation::default()
    };
    let request = pb::GetReservationRequest {
        reservation_id: stranger.id.clone(),
    };
    let answer = server.client.get_reservation(request).await;
    let error = refused(answer, Code::NotFound, "RESERVATION_NOT_FOUND");
    assert_eq!(error.metadata["reservation_id"], stranger.id);
    let answer = server
        .client
        .release_reservation(release(&stranger, 0))
        .await;
    refused(answer, Code::NotFound, "RESERVATION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_reservations_when_listed_then_oldest_first_and_by_filter() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(reserve(&server, &account, 100).await);
    }
    server
        .client
        .release_reservation(release(&made[1], 0))
        .await
        .unwrap();
    let list = |request: pb::ListReservationsRequest| {
        let client = server.client.clone();
        async move {
            let page = client.list_reservations(request).await.unwrap();
            page.reservations
                .into_iter()
                .map(|r| r.id)
                .collect::<Vec<_>>()
        }
    };
    let everything = pb::ListReservationsRequest {
        account_id: account.id.clone(),
        ..pb::ListReservationsRequest::default()
    };
    let ids: Vec<_> = made.iter().map(|r| r.id.clone()).collect();
    assert_eq!(list(everything.clone()).await, ids);
    let held = pb::ListReservationsRequest {
        state: State::Held.into(),
        ..everything.clone()
    };
    assert_eq!(list(held).await, [ids[0].clone(), ids[2].clone()]);
    let of_line_item = pb::ListReservationsRequest {
        line_item_id: made[2].line_item_id.clone(),
        ..everything
    };
    assert_eq!(list(of_line_item).await, [ids[2].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_wrong_currency_when_reserved_then_it_is_refused() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let dollars = pb::ReserveBudgetRequest {
        amount: Some(Money {
            currency_code: "USD".to_owned(),
            micros: 10,
        }),
        ..order(&account, 10)
    };
    let answer = server.client.reserve_budget(dollars).await;
    refused(answer, Code::FailedPrecondition, "CURRENCY_MISMATCH");
    let long = pb::ReserveBudgetRequest {
        serve_for: seconds(31 * 24 * 60 * 60),
        ..order(&account, 10)
    };
    let answer = server.client.reserve_budget(long).await;
    refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
}
