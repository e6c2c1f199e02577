//! `reservations`.

use super::currency;
use crate::error::StoreError;
use billing_domain::Reservation;
use billing_domain::reservation::{CloseCause, State};
use cleave_kernel::{AccountId, AdvertiserId, LineItemId, Micros, ReservationId, Timestamp};
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "reservations";
pub(crate) const COLUMNS: [&str; 15] = [
    "id",
    "account_id",
    "advertiser_id",
    "line_item_id",
    "terms_version",
    "currency",
    "granted",
    "posted",
    "freed",
    "state",
    "serve_until",
    "settle_until",
    "due_at",
    "created_at",
    "closed_at",
];
/// The numbers of the states in which rows may draw from a reservation.
pub(crate) const LIVE: [i16; 2] = [HELD, SETTLING];
pub(crate) const HELD: i16 = 1;
pub(crate) const SETTLING: i16 = 2;
/// The numbers of the states in which it is over.
pub(crate) const CLOSED: [i16; 3] = [3, 4, 5];

pub(crate) fn values(reservation: &Reservation) -> [Value; 15] {
    [
        reservation.id.uuid().into(),
        reservation.account.uuid().into(),
        reservation.advertiser.uuid().into(),
        reservation.line_item.uuid().into(),
        reservation.terms_version.into(),
        reservation.currency.code().into(),
        reservation.granted.get().into(),
        reservation.posted.get().into(),
        reservation.freed.get().into(),
        state_number(reservation.state).into(),
        reservation.serve_until.micros().into(),
        reservation.settle_until.micros().into(),
        due_at(reservation).map(Timestamp::micros).into(),
        reservation.created_at.micros().into(),
        reservation.closed_at.map(Timestamp::micros).into(),
    ]
}

pub(crate) fn read(row: &QueryResult) -> Result<Reservation, StoreError> {
    let micros = |at: usize| row.try_get_by_index(at).map(Micros::new);
    let time = |at: usize| row.try_get_by_index(at).map(Timestamp::from_micros);
    Ok(Reservation {
        id: ReservationId::from_uuid(row.try_get_by_index(0)?),
        account: AccountId::from_uuid(row.try_get_by_index(1)?),
        advertiser: AdvertiserId::from_uuid(row.try_get_by_index(2)?),
        line_item: LineItemId::from_uuid(row.try_get_by_index(3)?),
        terms_version: row.try_get_by_index(4)?,
        currency: currency(&row.try_get_by_index::<String>(5)?)?,
        granted: micros(6)?,
        posted: micros(7)?,
        freed: micros(8)?,
        state: state_of(row.try_get_by_index(9)?)?,
        serve_until: time(10)?,
        settle_until: time(11)?,
        created_at: time(13)?,
        closed_at: row
            .try_get_by_index::<Option<i64>>(14)?
            .map(Timestamp::from_micros),
    })
}

/// When the reservation next changes by itself.
fn due_at(reservation: &Reservation) -> Option<Timestamp> {
    match reservation.state {
        State::Held => Some(reservation.serve_until),
        State::Settling => Some(reservation.settle_until),
        State::Closed(_) => None,
    }
}

const fn state_number(state: State) -> i16 {
    match state {
        State::Held => HELD,
        State::Settling => SETTLING,
        State::Closed(CloseCause::Used) => CLOSED[0],
        State::Closed(CloseCause::Voided) => CLOSED[1],
        State::Closed(CloseCause::Expired) => CLOSED[2],
    }
}

fn state_of(number: i16) -> Result<State, StoreError> {
    match number {
        HELD => Ok(State::Held),
        SETTLING => Ok(State::Settling),
        3 => Ok(State::Closed(CloseCause::Used)),
        4 => Ok(State::Closed(CloseCause::Voided)),
        5 => Ok(State::Closed(CloseCause::Expired)),
        _ => Err(StoreError::corrupt(format!(
            "reservations.state is {number}"
        ))),
    }
}
