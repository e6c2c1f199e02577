//! ReservationService, as far as it is faked.

use std::time::Duration;

use cleave_contracts::billing::v1::reservation_service_server::ReservationService;
use prost_types::Timestamp;
use tonic::{Code, Request, Response, Status, async_trait};

use super::account::new_id;
use super::books::{Books, Shelf, add, close, granted, held, posted};
use super::refusal::{Faults, not_faked, refuse};
use crate::pb;
use crate::pb::reservation::{CloseCause, State};
use crate::types::{AccountStanding, Money, PartyKind};

#[async_trait]
impl ReservationService for Shelf {
    async fn reserve_budget(
        &self,
        request: Request<pb::ReserveBudgetRequest>,
    ) -> Result<Response<pb::ReserveBudgetResponse>, Status> {
        let request = request.into_inner();
        let order = Order::read(&request)?;
        self.edit(|books| {
            books.once(&request.request_id, &request, |books| {
                reserve(books, &request, &order)
            })
        })
        .map(Response::new)
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Result<Response<pb::ReleaseReservationResponse>, Status> {
        let request = request.into_inner();
        let mut faults = Faults::default();
        faults.require_request_id(&request.request_id);
        faults.require_id(&request.reservation_id, &["rsv"], "reservation_id");
        let counted = request.counted_spend.as_ref().map(|money| money.micros);
        faults.require(
            counted.is_some_and(|c| c >= 0),
            "counted_spend",
            "given, 0 or more",
        );
        faults.refuse()?;
        self.edit(|books| {
            books.once(&request.request_id, &request, |books| {
                release(books, &request)
            })
        })
        .map(Response::new)
    }

    async fn get_reservation(
        &self,
        _: Request<pb::GetReservationRequest>,
    ) -> Result<Response<pb::GetReservationResponse>, Status> {
        Err(not_faked())
    }

    async fn list_reservations(
        &self,
        _: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        Err(not_faked())
    }
}

/// The parts of a request to reserve that are there for certain.
struct Order {
    amount: Money,
    least: i64,
    serve_for: Duration,
    settle_for: Duration,
}

impl Order {
    fn read(request: &pb::ReserveBudgetRequest) -> Result<Self, Status> {
        let span = |span: Option<&prost_types::Duration>| {
            span.and_then(|span| Duration::try_from(*span).ok())
                .unwrap_or_default()
        };
        let order = Self {
            amount: request.amount.clone().unwrap_or_default(),
            least: request.min_amount.as_ref().map_or(1, |least| least.micros),
            serve_for: span(request.serve_for.as_ref()),
            settle_for: span(request.settle_for.as_ref()),
        };
        let mut faults = Faults::default();
        faults.require_request_id(&request.request_id);
        faults.require_id(&request.advertiser_id, &["adv"], "advertiser_id");
        faults.require_id(&request.line_item_id, &["line"], "line_item_id");
        faults.require(request.terms_version >= 1, "terms_version", "1 or more");
        faults.require(order.amount.micros > 0, "amount", "above zero");
        let least_fits = order.least > 0 && order.least <= order.amount.micros;
        faults.require(
            least_fits,
            "min_amount",
            "above zero and at most the amount",
        );
        faults.require(!order.serve_for.is_zero(), "serve_for", "above zero");
        let settles = order.settle_for >= order.serve_for;
        faults.require(settles, "settle_for", "at least serve_for");
        faults.refuse()?;
        Ok(order)
    }
}

fn reserve(
    books: &mut Books,
    request: &pb::ReserveBudgetRequest,
    order: &Order,
) -> Result<pb::ReserveBudgetResponse, Status> {
    let info = chargeable(books, &request.advertiser_id, &order.amount.currency_code)?;
    let available = info.available_micros;
    if available < order.least {
        let metadata = [
            ("account_id", info.account_id.as_str()),
            ("available_micros", &available.to_string()),
            ("requested_micros", &order.least.to_string()),
            ("currency_code", info.currency_code.as_str()),
        ];
        return Err(refuse(
            Code::FailedPrecondition,
            "INSUFFICIENT_FUNDS",
            &metadata,
        ));
    }
    let money = |micros: i64| {
        Some(Money {
            currency_code: info.currency_code.clone(),
            micros,
        })
    };
    let now = books.clock.now();
    let reservation = pb::Reservation {
        id: new_id("rsv"),
        account_id: info.account_id.clone(),
        advertiser_id: request.advertiser_id.clone(),
        line_item_id: request.line_item_id.clone(),
        terms_version: request.terms_version,
        granted: money(order.amount.micros.min(available)),
        posted: money(0),
        freed: money(0),
        state: State::Held.into(),
        close_cause: CloseCause::Unspecified.into(),
        serve_until_time: Some(Timestamp::from(now + order.serve_for)),
        settle_until_time: Some(Timestamp::from(now + order.settle_for)),
        create_time: Some(Timestamp::from(now)),
        close_time: None,
    };
    books.reservations.push(reservation.clone());
    books.touch(&request.advertiser_id);
    Ok(pb::ReserveBudgetResponse {
        reservation: Some(reservation),
        standing: info.standing,
        revision: books.revision,
    })
}

/// The standing of an advertiser's account from which money in this currency may be held.
fn chargeable(
    books: &Books,
    advertiser_id: &str,
    currency_code: &str,
) -> Result<pb::AccountStandingInfo, Status> {
    let Some(info) = books.standing_info(advertiser_id) else {
        let metadata = [("account", advertiser_id)];
        return Err(refuse(Code::NotFound, "ACCOUNT_NOT_FOUND", &metadata));
    };
    let reason = if info.party() != PartyKind::Advertiser {
        "WRONG_PARTY"
    } else if info.currency_code != currency_code {
        "CURRENCY_MISMATCH"
    } else if info.standing() == AccountStanding::Blocked {
        "ACCOUNT_BLOCKED"
    } else {
        return Ok(info);
    };
    let metadata = [("account_id", info.account_id.as_str())];
    Err(refuse(Code::FailedPrecondition, reason, &metadata))
}

fn release(
    books: &mut Books,
    request: &pb::ReleaseReservationRequest,
) -> Result<pb::ReleaseReservationResponse, Status> {
    let id = request.reservation_id.as_str();
    let metadata = [("reservation_id", id)];
    let Some(hold) = books.reservations.iter_mut().find(|hold| hold.id == id) else {
        return Err(refuse(Code::NotFound, "RESERVATION_NOT_FOUND", &metadata));
    };
    if hold.state() == State::Closed {
        return Err(refuse(
            Code::FailedPrecondition,
            "RESERVATION_CLOSED",
            &metadata,
        ));
    }
    let counted = request
        .counted_spend
        .as_ref()
        .map_or(0, |money| money.micros);
    let kept = (counted.min(granted(hold)) - posted(hold)).clamp(0, held(hold));
    let given_back = held(hold) - kept;
    add(&mut hold.freed, given_back);
    if kept == 0 {
        close(hold, CloseCause::Voided);
    } else {
        hold.set_state(State::Settling);
    }
    let hold = hold.clone();
    books.touch(&hold.advertiser_id);
    let money = |micros: i64| {
        let currency_code = hold.granted.clone().unwrap_or_default().currency_code;
        Some(Money {
            currency_code,
            micros,
        })
    };
    Ok(pb::ReleaseReservationResponse {
        posted: money(posted(&hold)),
        kept: money(kept),
        freed: money(given_back),
        reservation: Some(hold),
    })
}
