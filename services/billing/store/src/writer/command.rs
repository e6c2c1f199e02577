//! What the writer can be asked to do. To add a command: a variant, what it needs loaded, and the rule that applies it.

use super::{Decision, Scope};
use billing_domain::account::{CloseAccount, OpenAccount, OpsRef, UpdateCreditTerms};
use billing_domain::adjustment::PostAdjustment;
use billing_domain::payment::RecordPayment;
use billing_domain::rate_delivery::RateDelivery;
use billing_domain::reserve::{ReleaseReservation, ReserveBudget};
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::standing::{ClearStandingOverride, OverrideStanding};
use billing_domain::write_off::WriteOffRows;
use billing_domain::{Account, Outcome, Work};
use cleave_kernel::{AccountId, ReservationId};

/// Something that changes accounts or money.
#[derive(Debug, Clone)]
pub enum Command {
    /// Opens an account.
    OpenAccount(OpenAccount),
    /// Sets credit terms.
    UpdateCreditTerms(UpdateCreditTerms),
    /// Sets the standing by hand.
    OverrideStanding(OverrideStanding),
    /// Ends an override.
    ClearStandingOverride(ClearStandingOverride),
    /// Closes an account.
    CloseAccount(CloseAccount),
    /// Records money that came in.
    RecordPayment(RecordPayment),
    /// Corrects an account by hand.
    PostAdjustment(PostAdjustment),
    /// Holds money for a line item.
    ReserveBudget(ReserveBudget),
    /// Ends a hold before its time.
    ReleaseReservation(ReleaseReservation),
    /// Moves on reservations whose time has passed.
    ExpireReservations(Vec<ReservationId>),
    /// Takes away overrides whose time has passed.
    ExpireOverrides(Vec<AccountId>),
    /// Rates delivery rows.
    RateDelivery(Box<RateDelivery>),
    /// Decides on delivery that nothing covered.
    SettleUnfunded(SettleUnfunded),
    /// Lets rows go that can never be rated.
    WriteOffRows(WriteOffRows),
}

impl Command {
    /// What people call it: the same for ever, because it is part of what a request's fingerprint covers.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenAccount(_) => "OpenAccount",
            Self::UpdateCreditTerms(_) => "UpdateCreditTerms",
            Self::OverrideStanding(_) => "OverrideStanding",
            Self::ClearStandingOverride(_) => "ClearStandingOverride",
            Self::CloseAccount(_) => "CloseAccount",
            Self::RecordPayment(_) => "RecordPayment",
            Self::PostAdjustment(_) => "PostAdjustment",
            Self::ReserveBudget(_) => "ReserveBudget",
            Self::ReleaseReservation(_) => "ReleaseReservation",
            Self::ExpireReservations(_) => "ExpireReservations",
            Self::ExpireOverrides(_) => "ExpireOverrides",
            Self::RateDelivery(_) => "RateDelivery",
            Self::SettleUnfunded(_) => "SettleUnfunded",
            Self::WriteOffRows(_) => "WriteOffRows",
        }
    }

    /// Names what must be locked and loaded before it is applied.
    pub(super) fn scope(&self, scope: &mut Scope) {
        match self {
            Self::OpenAccount(open) => {
                scope.account(Account::id_of(open.ops_ref));
                scope.opening(open);
            }
            Self::UpdateCreditTerms(command) => scope.account(command.account),
            Self::OverrideStanding(command) => scope.account(command.account),
            Self::ClearStandingOverride(command) => scope.account(command.account),
            Self::CloseAccount(command) => scope.closing(command.account),
            Self::RecordPayment(command) => {
                scope.account(command.account);
                scope.payment(&command.external_ref);
            }
            Self::PostAdjustment(command) => scope.account(command.account),
            Self::ReserveBudget(command) => {
                scope.account(Account::id_of(OpsRef::Advertiser(command.advertiser)));
            }
            Self::ReleaseReservation(command) => scope.reservation(command.reservation),
            Self::ExpireReservations(ids) => ids.iter().for_each(|id| scope.reservation(*id)),
            Self::ExpireOverrides(ids) => ids.iter().for_each(|id| scope.account(*id)),
            Self::RateDelivery(command) => scope.rating.rate(command),
            Self::SettleUnfunded(command) => scope.rating.settle(command),
            Self::WriteOffRows(command) => scope.rating.write_off(command),
        }
    }

    /// Applies the rules. A refusal leaves the work as it was.
    pub(super) fn apply(&self, work: &mut Work) -> Decision {
        let changed = |changed| Outcome::Changed(Box::new(changed));
        match self {
            Self::OpenAccount(command) => work.open_account(command).map(changed),
            Self::UpdateCreditTerms(command) => work.update_credit_terms(command).map(changed),
            Self::OverrideStanding(command) => work.override_standing(command).map(changed),
            Self::ClearStandingOverride(command) => {
                work.clear_standing_override(command).map(changed)
            }
            Self::CloseAccount(command) => work.close_account(command).map(changed),
            Self::RecordPayment(command) => work
                .record_payment(command)
                .map(|recorded| Outcome::Recorded(Box::new(recorded))),
            Self::PostAdjustment(command) => work
                .post_adjustment(command)
                .map(|adjusted| Outcome::Adjusted(Box::new(adjusted))),
            Self::ReserveBudget(command) => work
                .reserve_budget(command)
                .map(|reserved| Outcome::Reserved(Box::new(reserved))),
            Self::ReleaseReservation(command) => work
                .release_reservation(command)
                .map(|released| Outcome::Released(Box::new(released))),
            Self::ExpireReservations(ids) => work.expire_reservations(ids).map(Outcome::Expired),
            Self::ExpireOverrides(ids) => Ok(Outcome::Expired(work.expire_overrides(ids))),
            Self::RateDelivery(command) => work.rate_delivery(command).map(Outcome::Rated),
            Self::SettleUnfunded(command) => work.settle_unfunded(command).map(Outcome::Settled),
            Self::WriteOffRows(command) => work
                .write_off_rows(command)
                .map(|written_off| Outcome::WrittenOff(Box::new(written_off))),
        }
    }
}
