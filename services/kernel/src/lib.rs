//! Values that every layer shares: money, shares, ids, time and the account of a bad field.
//!
//! Pure: nothing here waits, speaks a protocol or knows a table.

mod clock;
mod currency;
mod id;
mod money;
mod reading;
mod share;
mod violation;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use currency::{Currency, UnknownCurrency};
pub use id::{
    AccountId, AdUnitId, AdjustmentId, AdvertiserId, ApprovalId, CampaignId, DeliveryRowId, GameId,
    InvalidId, LedgerAccountId, LineItemId, PaymentId, PublisherId, RequestId, ReservationId,
    RevShareId, TransferId,
};
pub use money::{Micros, Money, Overflow};
pub use reading::ClockReading;
pub use share::{Ppm, ShareOutOfRange};
pub use violation::{Violation, Violations};
