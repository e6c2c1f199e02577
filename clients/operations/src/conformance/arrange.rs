//! What a case needs of the Operations it runs against, and short ways to say it.

use std::future::Future;
use std::time::Duration;

use prost_types::Timestamp;

use crate::{CallError, OperationsClient, pb};

/// When every staged share and term takes effect, in seconds: 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600;
/// What every staged share gives the publisher.
pub const SHARE_PPM: i64 = 700_000;
/// How long a message may take to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A line item under terms that are published, and an ad unit whose publisher earns a share.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Who is charged, `adv_...`.
    pub advertiser_id: String,
    /// Who earns, `pub_...`.
    pub publisher_id: String,
    /// The game of the ad unit, `game_...`.
    pub game_id: String,
    /// Where it is shown, `unit_...`.
    pub ad_unit_id: String,
    /// What is shown, `line_...`, under version 1 of its terms: CPM in INR.
    pub line_item_id: String,
    /// Who counts: a name of its own for each stage.
    pub source: String,
}

/// Brings about what other callers than Billing would.
pub trait Arrange: Sync {
    /// A client of the Operations under test.
    fn client(&self) -> OperationsClient;

    /// A new stage: its terms are in effect, and a share of [`SHARE_PPM`] holds, since [`START`] or before.
    fn stage(&self) -> impl Future<Output = Stage> + Send;

    /// Reports rows as an ad server would.
    fn report(&self, rows: Vec<pb::DeliveryRow>) -> impl Future<Output = ()> + Send;

    /// Says that a source has reported everything before an instant.
    fn complete_through(&self, source: &str, instant: Timestamp)
    -> impl Future<Output = ()> + Send;

    /// A resume token of WatchDelivery that was made in another life of the database.
    fn foreign_token(&self) -> impl Future<Output = String> + Send;
}

/// The start of an hour, counted from [`START`].
#[must_use]
pub const fn hour(number: i64) -> Timestamp {
    Timestamp {
        seconds: START + 3600 * number,
        nanos: 0,
    }
}

/// A row of a stage, in the hour of this number.
pub(super) fn row(stage: &Stage, number: i64, revision: i64, impressions: i64) -> pb::DeliveryRow {
    pb::DeliveryRow {
        key: Some(pb::DeliveryKey {
            source: stage.source.clone(),
            line_item_id: stage.line_item_id.clone(),
            terms_version: 1,
            ad_unit_id: stage.ad_unit_id.clone(),
            hour: Some(hour(number)),
        }),
        revision,
        counts: Some(pb::DeliveryCounts {
            requests: impressions + 1,
            impressions,
            ..Default::default()
        }),
        reason: pb::DeliveryReason::Live.into(),
        ..Default::default()
    }
}

/// Fails unless the call was refused with this code and reason.
pub(super) fn refused<T: std::fmt::Debug>(
    answer: Result<T, CallError>,
    code: tonic::Code,
    reason: &str,
) -> CallError {
    let error = answer.expect_err("the call is refused");
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(error.reason.as_deref(), Some(reason), "{error:?}");
    assert_eq!(
        error.domain.as_deref(),
        Some("operations.cleave"),
        "{error:?}"
    );
    error
}
