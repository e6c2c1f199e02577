//! The cases that every Billing must pass for the RPCs which Operations' tasks call: the real service, and the
//! fake that stands in for it in Operations' tests.
//!
//! Each case makes its own parties, so cases may share a Billing. [`billing_conformance!`](crate::billing_conformance)
//! turns all of them into tests.

mod account;
mod arrange;
mod reservation;
mod spend;
mod watch;

pub use self::account::*;
pub use self::arrange::{Arrange, new_id};
pub use self::reservation::*;
pub use self::spend::*;
pub use self::watch::*;

/// A test for each case; the expression makes the [`Arrange`] that a test runs against, inside an async block.
#[macro_export]
macro_rules! billing_conformance {
    ($arrange:expr) => {
        $crate::billing_conformance! { $arrange =>
            opening_again_answers_the_same_account
            opening_on_other_terms_is_refused
            a_request_id_cannot_be_used_for_something_else
            malformed_requests_name_their_faults
            standings_come_in_the_order_asked_for
            a_payment_becomes_available
            a_grant_never_exceeds_what_is_free
            a_refused_reservation_stays_refused
            a_reservation_is_made_once
            only_an_open_advertiser_in_good_standing_reserves
            release_keeps_what_was_served
            a_closed_reservation_is_released_no_more
            a_lease_ends_by_itself
            a_watch_starts_with_every_account
            a_watch_goes_on_from_its_token
            a_quiet_watch_sends_heartbeats_with_tokens
            a_token_of_another_life_is_refused
            spend_tells_what_is_held
            unknown_line_items_have_no_spend
        }
    };
    ($arrange:expr => $($case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let billing = async { $arrange }.await;
            $crate::conformance::$case(&billing).await;
        }
    )*};
}
