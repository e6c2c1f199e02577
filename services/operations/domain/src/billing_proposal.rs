//! What Operations proposes when it asks Billing to open an account.

use cleave_kernel::{Micros, Violation};
use serde::{Deserialize, Serialize};

use crate::named::named;

/// Longest time to pay, in days.
pub const NET_DAYS_MAX: u16 = 365;

named! {
    /// How an account pays for what it consumes.
    pub enum AccountMode {
        /// Spends only what was paid in before.
        Prepaid = "PREPAID",
        /// Spends on credit, and is invoiced.
        Postpaid = "POSTPAID",
        /// Spends its balance first, then credit.
        PrepaidWithCredit = "PREPAID_WITH_CREDIT",
    }
}

/// The terms asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingProposal {
    /// How it pays.
    pub mode: AccountMode,
    /// Credit asked for.
    pub credit_limit: Micros,
    /// Days from a document to its due date.
    pub net_days: u16,
}

impl BillingProposal {
    /// A proposal for an account that buys.
    ///
    /// # Errors
    /// When the credit limit is negative, or above zero for a prepaid account, or the days are too many.
    pub fn new(mode: AccountMode, credit_limit: Micros, net_days: i64) -> Result<Self, Violation> {
        let field = "credit_limit_micros";
        if credit_limit.is_negative() {
            return Err(Violation::new(
                field,
                "NEGATIVE",
                "the limit may not be negative",
            ));
        }
        if mode == AccountMode::Prepaid && credit_limit.is_positive() {
            return Err(Violation::new(
                field,
                "NOT_APPLICABLE",
                "a prepaid account has no credit: leave it out or propose PREPAID_WITH_CREDIT",
            ));
        }
        Ok(Self {
            mode,
            credit_limit,
            net_days: parse_days(net_days)?,
        })
    }

    /// The proposal for an account that earns: paid in arrears, after `net_days`.
    ///
    /// # Errors
    /// When the days are too many.
    pub fn for_publisher(net_days: i64) -> Result<Self, Violation> {
        Self::new(AccountMode::Postpaid, Micros::ZERO, net_days)
    }
}

fn parse_days(days: i64) -> Result<u16, Violation> {
    u16::try_from(days)
        .ok()
        .filter(|days| *days <= NET_DAYS_MAX)
        .ok_or_else(|| {
            Violation::new(
                "net_days",
                "OUT_OF_RANGE",
                format!("days lie between 0 and {NET_DAYS_MAX}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_needs_an_account_that_has_it() {
        let limit = Micros::new(1);
        let refused = |mode| BillingProposal::new(mode, limit, 30).is_err();
        assert!(refused(AccountMode::Prepaid));
        assert!(!refused(AccountMode::Postpaid));
        assert!(BillingProposal::new(AccountMode::Postpaid, Micros::new(-1), 30).is_err());
    }

    #[test]
    fn days_are_bounded() {
        assert!(BillingProposal::for_publisher(365).is_ok());
        assert!(BillingProposal::for_publisher(366).is_err());
        assert!(BillingProposal::for_publisher(-1).is_err());
    }
}
