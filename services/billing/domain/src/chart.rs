//! The chart of accounts: what a ledger account stands for, whose it is, and which side makes it grow.

use cleave_kernel::{AccountId, Currency, LedgerAccountId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which side makes a ledger account grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Debits do.
    Debit,
    /// Credits do.
    Credit,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $side:ident;)*) => {
        /// What a ledger account stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {$($(#[$doc])* $name,)*}

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number that rows and messages carry.
            pub const fn number(self) -> i16 {
                match self {$(Self::$name => $number,)*}
            }

            /// Which side makes it grow.
            pub const fn side(self) -> Side {
                match self {$(Self::$name => Side::$side,)*}
            }
        }
    };
}

codes! {
    /// Money in the bank.
    Bank = 1, Debit;
    /// The running account of an advertiser; below zero it is credit in use.
    AdvertiserBalance = 2, Credit;
    /// What an advertiser was invoiced and has not paid.
    AdvertiserReceivable = 3, Debit;
    /// Where a charge meets the shares it pays for.
    DeliveryClearing = 4, Credit;
    /// Delivery of an advertiser that nothing covers yet.
    DeliveryUnfunded = 5, Debit;
    /// What a publisher earned in open periods.
    PublisherEstimated = 6, Credit;
    /// What a publisher earned in closed periods.
    PublisherFinal = 7, Credit;
    /// What a publisher has to give back.
    ClawbackReceivable = 8, Debit;
    /// Payouts on their way.
    PayoutInTransit = 9, Credit;
    /// Goods and services tax, integrated.
    GstOutputIntegrated = 10, Credit;
    /// Goods and services tax, central part.
    GstOutputCentral = 11, Credit;
    /// Goods and services tax, part of the federal state.
    GstOutputState = 12, Credit;
    /// Tax withheld from publishers.
    TdsPayable = 13, Credit;
    /// Tax that advertisers withheld.
    TdsReceivable = 14, Debit;
    /// What the platform keeps.
    NetworkRevenue = 15, Credit;
    /// Delivery that was served and is not charged.
    OverdeliveryCost = 16, Debit;
    /// Charges that will never be paid.
    BadDebt = 17, Debit;
    /// Residues of rounding on documents.
    Rounding = 18, Debit;
    /// Positions in foreign currency.
    FxPosition = 19, Debit;
    /// Corrections that a person made.
    Adjustments = 20, Debit;
}

impl Code {
    /// The ledger accounts of an advertiser.
    pub const OF_ADVERTISER: &'static [Self] = &[
        Self::AdvertiserBalance,
        Self::AdvertiserReceivable,
        Self::DeliveryUnfunded,
    ];
    /// The ledger accounts of a publisher.
    pub const OF_PUBLISHER: &'static [Self] = &[
        Self::PublisherEstimated,
        Self::PublisherFinal,
        Self::ClawbackReceivable,
    ];
    /// The platform's own ledger accounts that this release books to, one of each per currency.
    pub const OF_PLATFORM: &'static [Self] = &[
        Self::Bank,
        Self::DeliveryClearing,
        Self::NetworkRevenue,
        Self::OverdeliveryCost,
        Self::BadDebt,
        Self::Adjustments,
    ];

    /// The code behind a stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }
}

/// Whose a ledger account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    /// The platform's own, one per currency.
    Platform,
    /// A billing account's.
    Account(AccountId),
}

/// Names one ledger account by what it is. Its id follows from the name, so that nobody has to look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Whose.
    pub owner: Owner,
    /// In which currency.
    pub currency: Currency,
    /// Standing for what.
    pub code: Code,
}

impl LedgerKey {
    /// A ledger account of a billing account.
    pub const fn account(account: AccountId, currency: Currency, code: Code) -> Self {
        Self {
            owner: Owner::Account(account),
            currency,
            code,
        }
    }

    /// A ledger account of the platform.
    pub const fn platform(currency: Currency, code: Code) -> Self {
        Self {
            owner: Owner::Platform,
            currency,
            code,
        }
    }

    /// The billing account it belongs to, unless it is the platform's.
    pub const fn account_id(&self) -> Option<AccountId> {
        match self.owner {
            Owner::Platform => None,
            Owner::Account(account) => Some(account),
        }
    }

    /// The id of the ledger account: the same for the same name, for ever.
    pub fn id(&self) -> LedgerAccountId {
        let scope = match self.owner {
            Owner::Platform => PLATFORM,
            Owner::Account(account) => account.uuid(),
        };
        let name = format!("{}/{}", self.currency.code(), self.code.number());
        LedgerAccountId::from_uuid(Uuid::new_v5(&scope, name.as_bytes()))
    }
}

/// The namespace of the platform's ledger accounts. Never changes: ids follow from it.
const PLATFORM: Uuid = Uuid::from_u128(0x8f0c_52e3_6d1b_4c5e_9a27_41d0_37ee_b0a4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
        assert_eq!(Code::from_number(0), None);
    }

    #[test]
    fn ids_follow_from_names_and_differ() {
        let inr = Currency::from_code("INR").unwrap();
        let usd = Currency::from_code("USD").unwrap();
        let account = AccountId::generate();
        let keys = [
            LedgerKey::platform(inr, Code::Bank),
            LedgerKey::platform(usd, Code::Bank),
            LedgerKey::platform(inr, Code::NetworkRevenue),
            LedgerKey::account(account, inr, Code::Bank),
        ];
        let ids: std::collections::BTreeSet<_> = keys.iter().map(LedgerKey::id).collect();
        assert_eq!(ids.len(), keys.len());
        assert_eq!(keys[0].id(), keys[0].id());
    }
}
