//! The rules of Operations: what its resources are, which moves they allow, what follows from what. Pure: no
//! clock, no store, no wire; time comes in as an argument, refusals go out as values.

pub mod account;
mod ad_unit;
mod advertiser;
mod aggregate;
mod approval;
mod billing_proposal;
mod campaign;
pub mod delivery;
pub mod delivery_counts;
pub mod delivery_digest;
pub mod delivery_total;
pub mod explain;
mod game;
pub mod lease;
mod line_item;
pub mod line_item_status;
pub mod named;
mod outbox;
mod publisher;
mod refusal;
pub mod rev_share;
pub mod serving;
pub mod source_name;
pub mod terms;
pub mod testing;
pub mod text;
pub mod watermark;

pub use ad_unit::{
    AdFormat, AdUnit, AdUnitChange, AdUnitShape, AdUnitState, NewAdUnit, PIXELS_MAX,
};
pub use advertiser::{Advertiser, AdvertiserChange, AdvertiserState, NewAdvertiser};
pub use aggregate::{Aggregate, Kind, Stamp};
pub use approval::{Approval, ApprovalState, Statement};
pub use billing_proposal::{AccountMode, BillingProposal, NET_DAYS_MAX};
pub use campaign::{Campaign, CampaignChange, CampaignState, Flight, NewCampaign};
pub use game::{Game, GameChange, GameState, GameStore, NewGame};
pub use line_item::{
    Limits, LineItem, LineItemChange, LineItemKind, LineItemState, NewLineItem, PRIORITY_MAX,
    PRIORITY_USUAL, Pacing,
};
pub use outbox::{OutboxMessage, Party};
pub use publisher::{
    CONTACTS_MAX, NewPublisher, Publisher, PublisherChange, PublisherState, Seller,
};
pub use refusal::{FieldFault, Refusal};
pub use rev_share::{NewRevShare, RevShare, ShareLevel, ShareScope};
pub use terms::{BillingSource, MILLE, OverdeliveryPolicy, PricingModel, Terms, TermsSpec};
