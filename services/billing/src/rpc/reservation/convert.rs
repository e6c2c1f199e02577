//! Reservations on the wire and in the domain.

use crate::app::Request;
use crate::rpc::account::standing;
use crate::rpc::convert::{self as value, checked};
use billing_domain::Reservation;
use billing_domain::reservation::{CloseCause, State};
use billing_domain::reserve::{ReleaseReservation, Released, ReserveBudget, Reserved};
use billing_store::ReservationFilter;
use cleave_contracts::billing::v1 as pb;
use cleave_kernel::{Micros, Money, Violation, Violations};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that a reservation may be served.
const SERVE_FOR: Duration = Duration::from_secs(30 * DAY.as_secs());
/// The longest that rows may draw from one.
const SETTLE_FOR: Duration = Duration::from_secs(90 * DAY.as_secs());

pub(super) fn reserve_budget(
    message: &pb::ReserveBudgetRequest,
) -> Result<(ReserveBudget, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let advertiser = bad.take(value::id("advertiser_id", &message.advertiser_id));
    let line_item = bad.take(value::id("line_item_id", &message.line_item_id));
    let amount = bad.take(value::positive("amount", message.amount.as_ref()));
    let min_amount = match (&message.min_amount, amount) {
        (None, _) => Some(Micros::new(1)),
        (Some(min), Some(amount)) => bad.take(least(min, amount)),
        (Some(_), None) => None,
    };
    if message.terms_version < 1 {
        let mend = "give a version from 1 on";
        bad.push(Violation::new("terms_version", "OUT_OF_BOUNDS", mend));
    }
    let serve_for = value::span("serve_for", message.serve_for.as_ref(), SERVE_FOR);
    let serve_for = bad.take(serve_for);
    let settle_for = value::span("settle_for", message.settle_for.as_ref(), SETTLE_FOR);
    let settle_for = bad.take(settle_for);
    if let (Some(serve_for), Some(settle_for)) = (serve_for, settle_for)
        && settle_for < serve_for
    {
        let mend = "give at least serve_for";
        bad.push(Violation::new("settle_for", "OUT_OF_BOUNDS", mend));
    }
    let parsed = || {
        let command = ReserveBudget {
            advertiser: advertiser?,
            line_item: line_item?,
            terms_version: message.terms_version,
            amount: amount?,
            min_amount: min_amount?,
            serve_for: serve_for?,
            settle_for: settle_for?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

/// The least that is of use: in the currency of the amount, and not more.
fn least(min: &cleave_contracts::types::v1::Money, amount: Money) -> Result<Micros, Violation> {
    let min = value::positive("min_amount", Some(min))?;
    if min.currency != amount.currency {
        let mend = "give the currency of amount";
        return Err(Violation::new("currency_code", "CONTRADICTION", mend).under("min_amount"));
    }
    if min.micros > amount.micros {
        let mend = "give at most amount";
        return Err(Violation::new("micros", "OUT_OF_BOUNDS", mend).under("min_amount"));
    }
    Ok(min.micros)
}

pub(super) fn release_reservation(
    message: &pb::ReleaseReservationRequest,
) -> Result<(ReleaseReservation, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let reservation = bad.take(value::id("reservation_id", &message.reservation_id));
    let spend = value::at_least_zero("counted_spend", message.counted_spend.as_ref());
    let counted_spend = bad.take(spend);
    let parsed = || {
        let command = ReleaseReservation {
            reservation: reservation?,
            counted_spend: counted_spend?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn reservation_filter(
    message: &pb::ListReservationsRequest,
) -> Result<ReservationFilter, Violations> {
    let mut bad = Violations::new();
    let account = bad.take(value::optional_id("account_id", &message.account_id));
    let line_item = bad.take(value::optional_id("line_item_id", &message.line_item_id));
    let state = bad.take(value::optional("state", message.state, state_of));
    let filter = ReservationFilter {
        account: account.flatten(),
        line_item: line_item.flatten(),
        state: state.flatten(),
    };
    checked(bad, Some(filter))
}

pub(super) fn reserved(reserved: &Reserved) -> pb::ReserveBudgetResponse {
    pb::ReserveBudgetResponse {
        reservation: Some(reservation(&reserved.reservation)),
        standing: standing(reserved.standing).into(),
        revision: reserved.revision,
    }
}

pub(super) fn released(released: &Released) -> pb::ReleaseReservationResponse {
    let money = |micros| value::money(Money::new(released.reservation.currency, micros));
    pb::ReleaseReservationResponse {
        reservation: Some(reservation(&released.reservation)),
        posted: Some(money(released.reservation.posted)),
        kept: Some(money(released.kept)),
        freed: Some(money(released.freed)),
    }
}

pub(super) fn reservation(reservation: &Reservation) -> pb::Reservation {
    let money = |micros| Some(value::money(Money::new(reservation.currency, micros)));
    let (state, close_cause) = state(reservation.state);
    pb::Reservation {
        id: reservation.id.to_string(),
        account_id: reservation.account.to_string(),
        advertiser_id: reservation.advertiser.to_string(),
        line_item_id: reservation.line_item.to_string(),
        terms_version: reservation.terms_version,
        granted: money(reservation.granted),
        posted: money(reservation.posted),
        freed: money(reservation.freed),
        state: state.into(),
        close_cause: close_cause.into(),
        serve_until_time: Some(value::time(reservation.serve_until)),
        settle_until_time: Some(value::time(reservation.settle_until)),
        create_time: Some(value::time(reservation.created_at)),
        close_time: reservation.closed_at.map(value::time),
    }
}

const fn state(state: State) -> (pb::reservation::State, pb::reservation::CloseCause) {
    use pb::reservation::{CloseCause as Cause, State as Wire};
    match state {
        State::Held => (Wire::Held, Cause::Unspecified),
        State::Settling => (Wire::Settling, Cause::Unspecified),
        State::Closed(CloseCause::Used) => (Wire::Closed, Cause::Used),
        State::Closed(CloseCause::Voided) => (Wire::Closed, Cause::Voided),
        State::Closed(CloseCause::Expired) => (Wire::Closed, Cause::Expired),
    }
}

/// A filter by CLOSED means closed for whatever cause; the cause named here is not looked at.
const fn state_of(state: pb::reservation::State) -> Option<State> {
    match state {
        pb::reservation::State::Unspecified => None,
        pb::reservation::State::Held => Some(State::Held),
        pb::reservation::State::Settling => Some(State::Settling),
        pb::reservation::State::Closed => Some(State::Closed(CloseCause::Used)),
    }
}
