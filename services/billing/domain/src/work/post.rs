//! Moving money: a group of drafts becomes transfers, all of them or none.

use super::{Work, held_for, held_from};
use crate::book::BookError;
use crate::chart::LedgerKey;
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::transfer::{Draft, Group, Kind, Reason, Transfer};
use cleave_kernel::{Micros, ReservationId, TransferId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a draft on a hold comes to.
type Movement = (
    Kind,
    LedgerKey,
    LedgerKey,
    Micros,
    Reason,
    Option<TransferId>,
);

impl Work {
    /// Moves money: all of the group, or nothing.
    ///
    /// # Errors
    /// When a counter would leave 64 bits, or the group breaks a rule of the book.
    pub fn commit(&mut self, group: Group) -> Result<(), Refusal> {
        let id = self.next_id();
        let transfers = group
            .sourced()
            .map(|(source_ref, draft)| self.transfer(id, source_ref, draft))
            .collect::<Result<Vec<_>, _>>()?;
        let moved = self.reservations_after(&group)?;
        self.book
            .post(&transfers)
            .map_err(|error| self.refusal(&transfers, error))?;
        for reservation in moved {
            self.touched_reservations.insert(reservation.id);
            self.reservations.insert(reservation.id, reservation);
        }
        let owners: BTreeSet<_> = transfers
            .iter()
            .flat_map(|t| [t.debit, t.credit])
            .filter_map(|side| self.book.account(side)?.key.account_id())
            .collect();
        owners.into_iter().for_each(|owner| self.touch(owner));
        self.staged.extend(transfers);
        Ok(())
    }

    fn transfer(&self, group: Uuid, source_ref: &str, draft: &Draft) -> Result<Transfer, Refusal> {
        let (kind, debit, credit, amount, reason, hold) = match draft {
            Draft::Single {
                debit,
                credit,
                amount,
                reason,
            } => (Kind::Single, *debit, *credit, *amount, *reason, None),
            Draft::Hold {
                reservation,
                amount,
                reason,
            } => self.on_hold(Kind::Pending, *reservation, *amount, *reason)?,
            Draft::Draw {
                reservation,
                amount,
                reason,
            } => self.on_hold(Kind::Post, *reservation, *amount, *reason)?,
            Draft::Free {
                reservation,
                amount,
                reason,
            } => self.on_hold(Kind::Void, *reservation, *amount, *reason)?,
        };
        let (id, pending) = match (kind, hold) {
            (Kind::Pending, Some(hold)) => (hold, None),
            (_, pending) => (TransferId::from_uuid(self.next_id()), pending),
        };
        Ok(Transfer {
            id,
            debit: debit.id(),
            credit: credit.id(),
            amount,
            kind,
            pending,
            group,
            booked_at: self.now,
            period: self.period,
            source_ref: source_ref.to_owned(),
            reason,
        })
    }

    fn on_hold(
        &self,
        kind: Kind,
        id: ReservationId,
        amount: Micros,
        reason: Reason,
    ) -> Result<Movement, Refusal> {
        let reservation = self
            .reservation(id)
            .ok_or(Refusal::ReservationNotFound { reservation: id })?;
        let (debit, credit) = (held_from(reservation), held_for(reservation));
        let hold = Some(reservation.pending());
        Ok((kind, debit, credit, amount, reason, hold))
    }

    /// The reservations of the group as they will be.
    fn reservations_after(&self, group: &Group) -> Result<Vec<Reservation>, Refusal> {
        let mut after: BTreeMap<ReservationId, Reservation> = BTreeMap::new();
        for draft in &group.drafts {
            let (Draft::Draw { reservation, .. } | Draft::Free { reservation, .. }) = draft else {
                continue;
            };
            let Some(stored) = self.reservation(*reservation) else {
                continue;
            };
            let entry = after.entry(*reservation).or_insert_with(|| stored.clone());
            let counted = match draft {
                Draft::Draw { amount, .. } => entry.drawn(*amount, self.now),
                Draft::Free { amount, reason, .. } => entry.freed(*amount, *reason, self.now),
                Draft::Single { .. } | Draft::Hold { .. } => Ok(()),
            };
            counted.map_err(|_| Refusal::AmountOverflow {
                account: stored.account,
            })?;
        }
        Ok(after.into_values().collect())
    }

    fn refusal(&self, transfers: &[Transfer], error: BookError) -> Refusal {
        let owner = transfers
            .iter()
            .flat_map(|t| [t.debit, t.credit])
            .find_map(|side| self.book.account(side)?.key.account_id());
        match (error, owner) {
            (BookError::Overflow(_), Some(account)) => Refusal::AmountOverflow { account },
            (error, _) => Refusal::Broken {
                rule: error.to_string(),
            },
        }
    }

    pub(crate) fn open_reservation(
        &mut self,
        reservation: Reservation,
        group: Group,
    ) -> Result<(), Refusal> {
        let id = reservation.id;
        self.reservations.insert(id, reservation);
        match self.commit(group) {
            Ok(()) => {
                self.touched_reservations.insert(id);
                Ok(())
            }
            Err(refusal) => {
                self.reservations.remove(&id);
                Err(refusal)
            }
        }
    }

    pub(crate) fn settle_reservation(&mut self, id: ReservationId) {
        if let Some(reservation) = self.reservations.get_mut(&id) {
            reservation.settle();
            self.touched_reservations.insert(id);
        }
    }
}
