//! Reservations: granted, released, and moved on when their time has passed.

use super::{App, Error, Request, unexpected};
use billing_domain::reserve::{ReleaseReservation, Released, ReserveBudget, Reserved};
use billing_domain::{Outcome, Refusal, Reservation};
use billing_store::Command;
use cleave_kernel::ReservationId;

/// How many are moved on in one transaction.
const EXPIRED_TOGETHER: u64 = 500;

impl App {
    /// Holds money for a line item.
    pub(crate) async fn reserve_budget(
        &self,
        command: ReserveBudget,
        request: Request,
    ) -> Result<Reserved, Error> {
        self.catch_up().check(self.store()).await?;
        let command = Command::ReserveBudget(command);
        match self.write(command, request).await? {
            Outcome::Reserved(reserved) => Ok(*reserved),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends a hold before its time.
    pub(crate) async fn release_reservation(
        &self,
        command: ReleaseReservation,
        request: Request,
    ) -> Result<Released, Error> {
        let command = Command::ReleaseReservation(command);
        match self.write(command, request).await? {
            Outcome::Released(released) => Ok(*released),
            other => Err(unexpected(&other)),
        }
    }

    /// A reservation.
    pub(crate) async fn reservation(&self, id: ReservationId) -> Result<Reservation, Error> {
        self.store()
            .reservation(id)
            .await?
            .ok_or(Error::Refused(Refusal::ReservationNotFound {
                reservation: id,
            }))
    }

    /// Moves on what is due: some of it, when there is much. Answers how many moved, and whether more may be due.
    pub(crate) async fn expire(&self) -> Result<(u64, bool), Error> {
        let now = self.clock().now();
        let mut moved = 0;
        let mut more = false;
        let due = self.store().due_reservations(now, EXPIRED_TOGETHER).await?;
        if !due.is_empty() {
            more |= u64::try_from(due.len()).is_ok_and(|count| count == EXPIRED_TOGETHER);
            moved += self.moved_on(Command::ExpireReservations(due)).await?;
        }
        let due = self.store().due_overrides(now, EXPIRED_TOGETHER).await?;
        if !due.is_empty() {
            more |= u64::try_from(due.len()).is_ok_and(|count| count == EXPIRED_TOGETHER);
            moved += self.moved_on(Command::ExpireOverrides(due)).await?;
        }
        Ok((moved, more))
    }

    async fn moved_on(&self, command: Command) -> Result<u64, Error> {
        match self.act(command).await? {
            Outcome::Expired(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }
}
