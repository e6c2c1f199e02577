//! Typed ids: a prefix that names the noun and a UUIDv7, written as a TypeID
//! (`camp_01h455vb4pex5vsknk084sn02q`), stored as a UUID.
//!
//! The caller creates an id where the call that uses it must be repeatable.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use type_safe_id::TypeSafeId;
use uuid::Uuid;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}_01h455vb4pex5vsknk084sn02q")]
pub struct InvalidId {
    /// What was given, cut to a length that may be shown.
    pub text: String,
    /// The prefix that was expected.
    pub prefix: &'static str,
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
    $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id that sorts after those made before it.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id behind a stored UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID to store.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                TypeSafeId::<kind::$name>::from_uuid(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.parse::<TypeSafeId<kind::$name>>() {
                    Ok(id) => Ok(Self(id.uuid())),
                    Err(_) => Err(invalid(text, $prefix)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*

        /// The prefixes as the types that the TypeID library wants.
        mod kind {$(
            #[derive(Default, Clone, Copy)]
            pub(super) struct $name;

            impl type_safe_id::StaticType for $name {
                const TYPE: &'static str = $prefix;
            }
        )*}
    };
}

typed_ids! {
    /// Names an advertiser of Operations.
    AdvertiserId = "adv";
    /// Names a publisher of Operations.
    PublisherId = "pub";
    /// Names a game of a publisher.
    GameId = "game";
    /// Names an ad unit of a game.
    AdUnitId = "unit";
    /// Names one version of a revenue share.
    RevShareId = "rsh";
    /// Names a campaign of an advertiser.
    CampaignId = "camp";
    /// Names a request for approval.
    ApprovalId = "appr";
    /// Names a line item of a campaign.
    LineItemId = "line";
    /// Names a billing account.
    AccountId = "acct";
    /// Names one account of the ledger.
    LedgerAccountId = "lact";
    /// Names one transfer of the ledger.
    TransferId = "xfer";
    /// Names a hold on an account's money.
    ReservationId = "rsv";
    /// Names a payment received.
    PaymentId = "pay";
    /// Names an adjustment.
    AdjustmentId = "adj";
    /// Names what one source counted in one hour.
    DeliveryRowId = "drow";
}

/// Names one mutation, so that it may be sent again: a plain UUID that the caller makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new request.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The request behind a stored UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID to store.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The id that `seed` names within `scope`: the same every time, so that a caller which repeats a step
    /// after a crash repeats its request.
    pub fn derived(scope: Uuid, seed: &str) -> Self {
        Self(Uuid::new_v5(&scope, seed.as_bytes()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match Uuid::try_parse(text) {
            Ok(uuid) if !uuid.is_nil() => Ok(Self(uuid)),
            _ => Err(invalid(text, "a UUID; request")),
        }
    }
}

fn invalid(text: &str, prefix: &'static str) -> InvalidId {
    InvalidId {
        text: text.chars().take(64).collect(),
        prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let campaign = CampaignId::generate().to_string();
        let refused = campaign.parse::<LineItemId>().unwrap_err();
        assert_eq!(refused.prefix, "line");
        assert!(refused.to_string().contains("line_"));
    }

    #[test]
    fn the_nil_request_is_refused() {
        assert!(RequestId::from_str(&Uuid::nil().to_string()).is_err());
    }

    proptest! {
        #[test]
        fn text_and_uuid_are_one(bits: u128) {
            let id = LineItemId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<LineItemId>(), Ok(id));
        }

        #[test]
        fn rubbish_is_refused(text in ".{0,80}") {
            prop_assert!(text.parse::<CampaignId>().is_err());
            prop_assert!(text.parse::<RequestId>().is_err() || Uuid::try_parse(&text).is_ok());
        }
    }
}
