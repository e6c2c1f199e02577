//! Values on the wire and in the domain.

use billing_client::{pb as billing, types};
use billing_domain::payment::Recorded;
use billing_domain::reservation::{CloseCause, Reservation, State};
use billing_domain::reserve::{Released, ReserveBudget, Reserved};
use cleave_kernel::{Currency, Micros, Money, Timestamp};
use operations_client::pb as operations;
use operations_domain::delivery::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, SourceName,
};
use std::str::FromStr;
use std::time::Duration;
use tonic::Status;

/// The only currency of the simulation.
pub(crate) fn inr() -> Currency {
    Currency::from_code("INR").expect("a currency")
}

/// An amount in it.
pub(crate) fn money(micros: i64) -> Money {
    Money::new(inr(), Micros::new(micros))
}

/// An amount on the wire.
pub(crate) fn to_wire(micros: Micros) -> Option<types::Money> {
    Some(types::Money {
        currency_code: "INR".to_owned(),
        micros: micros.get(),
    })
}

/// An amount off the wire.
pub(crate) fn amount(money: Option<&types::Money>) -> Result<Money, Status> {
    let micros = money.ok_or_else(|| malformed("amount"))?.micros;
    Ok(self::money(micros))
}

/// An instant on the wire.
pub(crate) fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    let nanos = i32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).ok()?;
    Some(prost_types::Timestamp {
        seconds: at.micros().div_euclid(1_000_000),
        nanos,
    })
}

/// An id off the wire.
pub(crate) fn id<T: FromStr>(field: &str, text: &str) -> Result<T, Status> {
    text.parse().map_err(|_| malformed(field))
}

fn malformed(field: &str) -> Status {
    Status::invalid_argument(format!("{field} cannot be read"))
}

/// What is to be reserved.
pub(crate) fn reserve(message: &billing::ReserveBudgetRequest) -> Result<ReserveBudget, Status> {
    let span = |span: Option<&prost_types::Duration>| {
        let span = span.and_then(|span| Duration::try_from(*span).ok());
        span.ok_or_else(|| malformed("span"))
    };
    Ok(ReserveBudget {
        advertiser: id("advertiser_id", &message.advertiser_id)?,
        line_item: id("line_item_id", &message.line_item_id)?,
        terms_version: message.terms_version,
        amount: amount(message.amount.as_ref())?,
        min_amount: amount(message.min_amount.as_ref())?.micros,
        serve_for: span(message.serve_for.as_ref())?,
        settle_for: span(message.settle_for.as_ref())?,
    })
}

/// A grant.
pub(crate) fn reserved(reserved: &Reserved) -> billing::ReserveBudgetResponse {
    billing::ReserveBudgetResponse {
        reservation: Some(reservation(&reserved.reservation)),
        standing: types::AccountStanding::Active.into(),
        revision: reserved.revision,
    }
}

/// A release.
pub(crate) fn released(released: &Released) -> billing::ReleaseReservationResponse {
    billing::ReleaseReservationResponse {
        reservation: Some(reservation(&released.reservation)),
        posted: to_wire(released.reservation.posted),
        kept: to_wire(released.kept),
        freed: to_wire(released.freed),
    }
}

/// A payment.
pub(crate) fn recorded(recorded: &Recorded) -> billing::RecordPaymentResponse {
    let payment = &recorded.payment;
    billing::RecordPaymentResponse {
        payment: Some(billing::Payment {
            id: payment.id.to_string(),
            account_id: payment.account.to_string(),
            amount: to_wire(payment.amount.micros),
            external_ref: payment.external_ref.clone(),
            method: payment.method.clone(),
            receive_time: time(payment.received_at),
            create_time: time(payment.created_at),
        }),
        available: to_wire(recorded.available),
    }
}

/// A reservation.
pub(crate) fn reservation(reservation: &Reservation) -> billing::Reservation {
    use billing::reservation::{CloseCause as Cause, State as Wire};
    let (state, cause) = match reservation.state {
        State::Held => (Wire::Held, Cause::Unspecified),
        State::Settling => (Wire::Settling, Cause::Unspecified),
        State::Closed(CloseCause::Used) => (Wire::Closed, Cause::Used),
        State::Closed(CloseCause::Voided) => (Wire::Closed, Cause::Voided),
        State::Closed(CloseCause::Expired) => (Wire::Closed, Cause::Expired),
    };
    billing::Reservation {
        id: reservation.id.to_string(),
        account_id: reservation.account.to_string(),
        advertiser_id: reservation.advertiser.to_string(),
        line_item_id: reservation.line_item.to_string(),
        terms_version: reservation.terms_version,
        granted: to_wire(reservation.granted),
        posted: to_wire(reservation.posted),
        freed: to_wire(reservation.freed),
        state: state.into(),
        close_cause: cause.into(),
        serve_until_time: time(reservation.serve_until),
        settle_until_time: time(reservation.settle_until),
        create_time: time(reservation.created_at),
        close_time: reservation.closed_at.and_then(time),
    }
}

/// A row of delivery on the wire.
pub(crate) fn row_to_wire(row: &DeliveryRow) -> operations::DeliveryRow {
    operations::DeliveryRow {
        key: Some(operations::DeliveryKey {
            source: row.key.source.as_str().to_owned(),
            line_item_id: row.key.line_item.to_string(),
            terms_version: row.key.terms_version,
            ad_unit_id: row.key.ad_unit.to_string(),
            hour: time(row.key.hour),
        }),
        revision: row.revision,
        counts: Some(operations::DeliveryCounts {
            impressions: row.counts.impressions,
            ..operations::DeliveryCounts::default()
        }),
        reason: operations::DeliveryReason::Live.into(),
        state: operations::DeliveryState::Provisional.into(),
        report_time: None,
    }
}

/// A row of delivery off the wire.
pub(crate) fn row(row: &operations::DeliveryRow) -> Result<DeliveryRow, Status> {
    let key = row.key.as_ref().ok_or_else(|| malformed("key"))?;
    let hour = key.hour.ok_or_else(|| malformed("hour"))?;
    let counts = row.counts.ok_or_else(|| malformed("counts"))?;
    Ok(DeliveryRow {
        key: DeliveryKey {
            source: SourceName::new(&key.source).map_err(|_| malformed("source"))?,
            line_item: id("line_item_id", &key.line_item_id)?,
            terms_version: key.terms_version,
            ad_unit: id("ad_unit_id", &key.ad_unit_id)?,
            hour: Timestamp::from_micros(hour.seconds.saturating_mul(1_000_000)),
        },
        revision: row.revision,
        counts: DeliveryCounts {
            impressions: counts.impressions,
            ..DeliveryCounts::default()
        },
        reason: DeliveryReason::Live,
    })
}
