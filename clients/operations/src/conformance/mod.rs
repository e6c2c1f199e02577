//! The cases that every Operations must pass for the RPCs which Billing's tasks call: the real service, and the
//! fake that stands in for it in Billing's tests.
//!
//! Each case stages its own line item, so cases may share an Operations.
//! [`operations_conformance!`](crate::operations_conformance) turns all of them into tests.

mod arrange;
mod catalog;
mod lookup;
mod watch;

pub use self::arrange::{Arrange, SHARE_PPM, START, Stage, hour};
pub use self::catalog::*;
pub use self::lookup::*;
pub use self::watch::*;

/// A test for each case; the expression makes the [`Arrange`] that a test runs against, inside an async block.
#[macro_export]
macro_rules! operations_conformance {
    ($arrange:expr) => {
        $crate::operations_conformance! { $arrange =>
            terms_come_in_the_order_of_their_keys
            shares_come_in_the_order_of_their_queries
            parties_come_in_the_order_of_their_ids
            malformed_lookups_name_their_faults
            delivery_comes_whole_from_the_beginning
            delivery_goes_on_from_its_token
            a_corrected_row_comes_as_it_is_now
            a_stale_report_is_not_news
            batches_are_as_small_as_asked_for
            watermarks_come_with_the_head
            a_quiet_watch_sends_heartbeats_with_tokens
            a_token_of_another_life_is_refused
            a_token_that_is_none_is_refused
            the_catalogue_comes_whole_and_goes_on
        }
    };
    ($arrange:expr => $($case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let operations = async { $arrange }.await;
            $crate::conformance::$case(&operations).await;
        }
    )*};
}
