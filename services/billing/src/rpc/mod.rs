//! The contract of billing, spoken. A handler converts, asks the app, converts back; it decides nothing.

pub mod account;
pub(crate) mod convert;
pub mod ledger;
pub(crate) mod page;
pub mod reservation;
pub mod spend;
pub(crate) mod status;

/// What comes from a stream of answers.
pub(crate) type Answers<T> =
    std::pin::Pin<Box<dyn futures::Stream<Item = Result<T, tonic::Status>> + Send>>;
