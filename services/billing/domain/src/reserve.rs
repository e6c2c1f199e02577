//! Granting, releasing and expiring reservations.

use crate::account::{Account, OpsRef, Party};
use crate::refusal::Refusal;
use crate::reservation::{Reservation, State};
use crate::standing::Standing;
use crate::transfer::{Group, Reason};
use crate::work::Work;
use cleave_kernel::{AdvertiserId, LineItemId, Micros, Money, ReservationId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Holds money for a line item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveBudget {
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// What will be served.
    pub line_item: LineItemId,
    /// The version of its terms.
    pub terms_version: i64,
    /// How much is wanted.
    pub amount: Money,
    /// The least that is of use: positive, at most `amount`.
    pub min_amount: Micros,
    /// How long to serve.
    pub serve_for: Duration,
    /// How long rows may draw from it.
    pub settle_for: Duration,
}

/// A grant, with what the holder should know of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The reservation.
    pub reservation: Reservation,
    /// The standing of its account.
    pub standing: Standing,
    /// The revision of its account.
    pub revision: i64,
}

/// Ends the serving of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReservation {
    /// Which.
    pub reservation: ReservationId,
    /// What was served against it, by the caller's count.
    pub counted_spend: Money,
}

/// What a release did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The reservation after it.
    pub reservation: Reservation,
    /// What stays held.
    pub kept: Micros,
    /// What was given back.
    pub freed: Micros,
}

impl Work {
    /// Holds money: what is wanted, or what is free if that is enough to be of use.
    ///
    /// # Errors
    /// When the account may not spend, or has less than `min_amount` free.
    pub fn reserve_budget(&mut self, command: &ReserveBudget) -> Result<Reserved, Refusal> {
        let owner = OpsRef::Advertiser(command.advertiser);
        let account = self.known(Account::id_of(owner), &owner)?.clone();
        account.check_open()?;
        account.check_party(Party::Advertiser)?;
        account.check_currency(command.amount.currency)?;
        let now = self.now();
        if self.standing(&account)? == Standing::Blocked {
            return Err(Refusal::AccountBlocked {
                account: account.id,
            });
        }
        let free = self.free_of(&account)?;
        if free < command.min_amount {
            return Err(Refusal::InsufficientFunds {
                account: account.id,
                available: free,
                requested: command.min_amount,
                currency: account.currency,
            });
        }
        let granted = command.amount.micros.min(free);
        let reservation = Reservation {
            id: ReservationId::from_uuid(self.next_id()),
            account: account.id,
            advertiser: command.advertiser,
            line_item: command.line_item,
            terms_version: command.terms_version,
            currency: account.currency,
            granted,
            posted: Micros::ZERO,
            freed: Micros::ZERO,
            state: State::Held,
            serve_until: now.plus(command.serve_for),
            settle_until: now.plus(command.settle_for),
            created_at: now,
            closed_at: None,
        };
        let mut group = Group::new(reservation.id.to_string());
        group.hold(reservation.id, granted, Reason::Lease);
        self.open_reservation(reservation.clone(), group)?;
        let account = self.known(account.id, &owner)?;
        Ok(Reserved {
            standing: self.standing(account)?,
            revision: account.revision,
            reservation,
        })
    }

    /// Ends the serving of a reservation. What was counted and is not charged yet stays held; the rest is free at once.
    ///
    /// # Errors
    /// When it has closed.
    pub fn release_reservation(
        &mut self,
        command: &ReleaseReservation,
    ) -> Result<Released, Refusal> {
        let id = command.reservation;
        let reservation = self
            .reservation(id)
            .ok_or(Refusal::ReservationNotFound { reservation: id })?
            .clone();
        if !reservation.is_live() {
            return Err(Refusal::ReservationClosed {
                reservation: id,
                state: reservation.state,
            });
        }
        if let Some(account) = self.account(reservation.account) {
            account.check_currency(command.counted_spend.currency)?;
        }
        let overflow = |_| Refusal::AmountOverflow {
            account: reservation.account,
        };
        let left = reservation.left().map_err(overflow)?;
        let counted = command.counted_spend.micros.min(reservation.granted);
        let uncharged = counted.checked_sub(reservation.posted).map_err(overflow)?;
        let kept = uncharged.max(Micros::ZERO).min(left);
        let freed = left.checked_sub(kept).map_err(overflow)?;
        let mut group = Group::new(id.to_string());
        group.free(id, freed, Reason::Release);
        self.commit(group)?;
        self.settle_reservation(id);
        let reservation = self.reservation(id).cloned().unwrap_or(reservation);
        Ok(Released {
            reservation,
            kept,
            freed,
        })
    }

    /// Moves reservations on whose time has passed: from HELD to SETTLING, from SETTLING to EXPIRED. Answers how many moved.
    ///
    /// # Errors
    /// When the book refuses to give back what a reservation says it holds.
    pub fn expire_reservations(&mut self, due: &[ReservationId]) -> Result<u64, Refusal> {
        let now = self.now();
        let mut moved = 0;
        for id in due {
            let Some(reservation) = self.reservation(*id).filter(|r| r.is_live()) else {
                continue;
            };
            if reservation.settle_until <= now {
                let left = reservation.left().map_err(|_| Refusal::AmountOverflow {
                    account: reservation.account,
                })?;
                let mut group = Group::new(id.to_string());
                group.free(*id, left, Reason::Expiry);
                self.commit(group)?;
                moved += 1;
            } else if reservation.serve_until <= now && reservation.state == State::Held {
                self.settle_reservation(*id);
                moved += 1;
            }
        }
        Ok(moved)
    }

    fn standing(&self, account: &Account) -> Result<Standing, Refusal> {
        Ok(self.position(account)?.standing(account, self.now()).0)
    }
}
