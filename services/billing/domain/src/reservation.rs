//! Reservations: holds on an advertiser's money for one line item, with two times at which they change.

use crate::transfer::Reason;
use cleave_kernel::{
    AccountId, AdvertiserId, Currency, LineItemId, Micros, Overflow, ReservationId, Timestamp,
    TransferId,
};
use serde::{Deserialize, Serialize};

/// Where a reservation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May be served against.
    Held,
    /// No longer served against; late rows still draw from it.
    Settling,
    /// Over.
    Closed(CloseCause),
}

/// How a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// All of it was charged.
    Used,
    /// What was left was given back.
    Voided,
    /// Its time passed.
    Expired,
}

/// A hold. Its pending transfer has the same UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Names it.
    pub id: ReservationId,
    /// The account it holds from.
    pub account: AccountId,
    /// The owner of that account.
    pub advertiser: AdvertiserId,
    /// What it serves.
    pub line_item: LineItemId,
    /// The terms it was asked under.
    pub terms_version: i64,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What was granted.
    pub granted: Micros,
    /// What was charged so far.
    pub posted: Micros,
    /// What was given back so far.
    pub freed: Micros,
    /// Where it is in its life.
    pub state: State,
    /// Until when it may be served against.
    pub serve_until: Timestamp,
    /// Until when rows may draw from it.
    pub settle_until: Timestamp,
    /// When it was granted.
    pub created_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
}

impl Reservation {
    /// What it still holds.
    ///
    /// # Errors
    /// Never for a reservation that kept its own rules.
    pub fn left(&self) -> Result<Micros, Overflow> {
        self.granted
            .checked_sub(self.posted)
            .and_then(|rest| rest.checked_sub(self.freed))
    }

    /// Whether rows may draw from it.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    /// The pending transfer that holds the money.
    pub const fn pending(&self) -> TransferId {
        TransferId::from_uuid(self.id.uuid())
    }

    /// Counts a charge, and closes when nothing is left.
    pub(crate) fn drawn(&mut self, amount: Micros, now: Timestamp) -> Result<(), Overflow> {
        self.posted = self.posted.checked_add(amount)?;
        self.close_if_empty(CloseCause::Used, now)
    }

    /// Counts what is given back, and closes when nothing is left.
    pub(crate) fn freed(
        &mut self,
        amount: Micros,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), Overflow> {
        self.freed = self.freed.checked_add(amount)?;
        let cause = match reason {
            Reason::Expiry => CloseCause::Expired,
            _ => CloseCause::Voided,
        };
        self.close_if_empty(cause, now)
    }

    /// Ends the serving.
    pub(crate) fn settle(&mut self) {
        if self.state == State::Held {
            self.state = State::Settling;
        }
    }

    fn close_if_empty(&mut self, cause: CloseCause, now: Timestamp) -> Result<(), Overflow> {
        if self.is_live() && self.left()?.is_zero() {
            self.state = State::Closed(cause);
            self.closed_at = Some(now);
        }
        Ok(())
    }
}
