//! What both stores share. One database, chosen by URL ([`Database`]), reached through one transaction
//! helper that retries contention, plus the four mechanisms every store needs: the change feed
//! ([`feed`]), idempotency ([`idempotency`]), gap-free sequences ([`sequence`]) and gathering
//! ([`Gatherer`]). Nothing here knows an entity of either side.

pub mod backup;
mod bulk;
mod connect;
mod counter;
mod database;
mod engine;
mod error;
pub mod feed;
mod figures;
mod gather;
pub mod idempotency;
mod inspect;
mod lane;
pub mod migrate;
mod migration;
mod options;
mod retry;
pub mod schema;
pub mod sequence;
pub mod testing;
pub mod token;
mod transaction;

pub use bulk::{Bulk, Column, insert_chunks, one_of, padded};
pub use database::Database;
pub use engine::Engine;
pub use error::{Retryable, StorageError};
pub use feed::FeedSignal;
pub use figures::Figures;
pub use gather::{GatherError, Gatherer};
pub use inspect::{Inspection, inspect};
pub use lane::Reader;
pub use migration::migrations;
pub use options::DatabaseOptions;
pub use token::{PageToken, ResumeToken, TokenError, filter_hash};
pub use transaction::Transaction;
