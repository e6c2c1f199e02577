//! Enums of the contract and of the domain, each way. A variant that the domain gains does not compile until it has
//! one in the contract; a number that the contract does not know is refused.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::types::v1 as types;
use cleave_kernel::Violation;
use operations_domain::delivery::{DeliveryReason, DeliveryState};
use operations_domain::explain::{FactSource, Subject, Verdict};
use operations_domain::line_item_status::{LineItemStatus, ReasonCode};
use operations_domain::{
    AccountMode, AdFormat, AdUnitState, AdvertiserState, ApprovalState, BillingSource,
    CampaignState, GameState, GameStore, LineItemKind, LineItemState, OverdeliveryPolicy, Pacing,
    PricingModel, PublisherState,
};

/// An enum of the domain with its numbers on the wire.
pub(crate) trait Wire: Sized {
    /// The number of the variant.
    fn to_wire(self) -> i32;

    /// The variant behind a number: `Some(None)` where nothing is stated, `None` for a number that is not known.
    fn from_wire(number: i32) -> Option<Option<Self>>;
}

macro_rules! wire {
    ($($domain:ty = $wire:ty { $($variant:ident),+ $(,)? })+) => {$(
        impl Wire for $domain {
            fn to_wire(self) -> i32 {
                match self {
                    $(Self::$variant => <$wire>::$variant.into(),)+
                }
            }

            fn from_wire(number: i32) -> Option<Option<Self>> {
                match <$wire>::try_from(number).ok()? {
                    <$wire>::Unspecified => Some(None),
                    $(<$wire>::$variant => Some(Some(Self::$variant)),)+
                }
            }
        }
    )+};
}

wire! {
    AccountMode = types::AccountMode { Prepaid, Postpaid, PrepaidWithCredit }
    AdvertiserState = pb::advertiser::State { PendingBilling, Active, Suspended, Archived }
    PublisherState = pb::publisher::State { Applied, Active, Suspended, Terminated }
    GameState = pb::game::State { Draft, InReview, Approved, Rejected, Archived }
    GameStore = pb::GameStore { Play, Appstore, Other }
    AdUnitState = pb::ad_unit::State { Active, Paused, Archived }
    AdFormat = pb::AdFormat { NativeInScene, Banner, Interstitial, Rewarded, Video }
    CampaignState = pb::campaign::State {
        Draft, PendingApproval, Approved, Disapproved, Canceled, Archived,
    }
    ApprovalState = pb::approval::State { Pending, Approved, Rejected, Withdrawn }
    LineItemState = pb::line_item::State { Draft, Enabled, Paused, Removed }
    LineItemKind = pb::LineItemKind { Guaranteed, Network, House }
    Pacing = pb::Pacing { Even, Frontloaded, Asap }
    LineItemStatus = pb::LineItemStatus {
        Draft, Paused, Removed, Pending, Ready, Delivering, Limited, NoBudget, AccountHold,
        Completed, Ended,
    }
    ReasonCode = pb::status_reason::Code {
        LineItemDraft, LineItemPaused, LineItemRemoved, CampaignNotApproved, CampaignStopped,
        AdvertiserPendingBilling, AdvertiserSuspended, AdvertiserArchived, TermsMissing,
        FlightNotStarted, FlightEnded, GoalReached, LifetimeCapReached, DailyCapReached,
        AccountUnknown, AccountOnHold, AccountStop, AccountBlocked, StandingStale,
        FundsExhausted, LeasePending, LeaseExpired, BillingUnreachable, LeaseUsedUp,
    }
    PricingModel = types::PricingModel { Cpm, Vcpm, Cpc, Cpi, Cpa, Flat, Cpd, CostPlus }
    OverdeliveryPolicy = types::OverdeliveryPolicy { PlatformAbsorbs, CapBoth }
    BillingSource = pb::BillingSource { Own, ThirdParty, Contracted }
    DeliveryReason = pb::DeliveryReason { Live, Late, Ivt, MmpReject, Discrepancy, Backfill }
    DeliveryState = pb::DeliveryState { Provisional, Frozen }
    Subject = pb::explain_step::Subject {
        LineItem, Campaign, Advertiser, Terms, Flight, Delivery, Account, Lease,
    }
    Verdict = pb::explain_step::Verdict { Pass, Limit, Block, Skip }
    FactSource = pb::explain_step::Source { Operations, Billing }
}

/// The variant that a field must name.
pub(crate) fn required<E: Wire>(field: &str, number: i32) -> Result<E, Violation> {
    optional(field, number)?.ok_or_else(|| Violation::required(field))
}

/// The variant that a field may name.
pub(crate) fn optional<E: Wire>(field: &str, number: i32) -> Result<Option<E>, Violation> {
    E::from_wire(number).ok_or_else(|| {
        Violation::new(
            field,
            "UNKNOWN_VALUE",
            format!("{number} is not a value of this enum"),
        )
    })
}

/// The variants that a repeated field names.
pub(crate) fn list<E: Wire>(field: &str, numbers: &[i32]) -> Result<Vec<E>, Violation> {
    numbers
        .iter()
        .enumerate()
        .map(|(index, number)| required("", *number).map_err(|fault| fault.at(index).under(field)))
        .collect()
}
