//! Cases of opening accounts and reading their standing.

use tonic::Code;

use super::arrange::{Arrange, advertiser, new_id, opening, refused, request_id, standing};
use crate::types::{AccountStanding, PartyKind};
use crate::{Origin, pb};

/// The same opening under a new request, or the same request again, answers the account that exists.
pub async fn opening_again_answers_the_same_account(billing: &impl Arrange) {
    for party in [PartyKind::Advertiser, PartyKind::Publisher] {
        let prefix = if party == PartyKind::Advertiser {
            "adv"
        } else {
            "pub"
        };
        let first = opening(&new_id(prefix), party);
        let again = pb::OpenAccountRequest {
            request_id: request_id(),
            ..first.clone()
        };

        let mut ids = Vec::new();
        for request in [first.clone(), first, again] {
            let answer = billing.client().open_account(request).await;
            let account = answer
                .expect("an account opens")
                .account
                .expect("it is answered");
            assert_eq!(account.state(), pb::billing_account::State::Open);
            assert_eq!(account.party(), party);
            ids.push(account.id);
        }
        assert!(
            ids.iter()
                .all(|id| *id == ids[0] && id.starts_with("acct_"))
        );
    }
}

/// A party has one account, in one currency.
pub async fn opening_on_other_terms_is_refused(billing: &impl Arrange) {
    let account = advertiser(billing, 0).await;
    let request = pb::OpenAccountRequest {
        currency_code: "USD".to_owned(),
        ..opening(&account.ops_ref, PartyKind::Advertiser)
    };
    let answer = billing.client().open_account(request).await;
    let error = refused(answer, Code::AlreadyExists, "ACCOUNT_ALREADY_EXISTS");
    assert_eq!(error.metadata.get("account_id"), Some(&account.id));
}

/// The contents that came first under a request id are its contents for ever.
pub async fn a_request_id_cannot_be_used_for_something_else(billing: &impl Arrange) {
    let first = opening(&new_id("adv"), PartyKind::Advertiser);
    let other = pb::OpenAccountRequest {
        ops_ref: new_id("adv"),
        ..first.clone()
    };
    let used = first.request_id.clone();

    billing
        .client()
        .open_account(first)
        .await
        .expect("an account opens");
    let ops_ref = other.ops_ref.clone();
    let answer = billing.client().open_account(other).await;

    let error = refused(answer, Code::FailedPrecondition, "REQUEST_MISMATCH");
    assert_eq!(error.metadata.get("request_id"), Some(&used));
    let asked = pb::BatchGetAccountStandingRequest {
        ops_refs: vec![ops_ref.clone()],
    };
    let read = billing.client().batch_get_account_standing(asked).await;
    assert_eq!(read.expect("it answers").value.missing_ops_refs, [ops_ref]);
}

/// Every fault is named by its field.
pub async fn malformed_requests_name_their_faults(billing: &impl Arrange) {
    let request = pb::OpenAccountRequest {
        request_id: "not a uuid".to_owned(),
        ops_ref: new_id("camp"),
        currency_code: "rupees".to_owned(),
        ..opening(&new_id("adv"), PartyKind::Advertiser)
    };
    let answer = billing.client().open_account(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    let fields: Vec<_> = error
        .violations
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    for field in ["request_id", "ops_ref", "currency_code"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }

    let nothing = pb::BatchGetAccountStandingRequest::default();
    let answer = billing.client().batch_get_account_standing(nothing).await;
    refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
}

/// Standings come as asked for, and parties without an account apart.
pub async fn standings_come_in_the_order_asked_for(billing: &impl Arrange) {
    let one = advertiser(billing, 0).await.ops_ref;
    let two = advertiser(billing, 0).await.ops_ref;
    let nobody = new_id("adv");
    for order in [[&one, &nobody, &two], [&two, &nobody, &one]] {
        let ops_refs = order.into_iter().cloned().collect();
        let request = pb::BatchGetAccountStandingRequest { ops_refs };
        let answer = billing.client().batch_get_account_standing(request).await;
        let answer = answer.expect("standings are answered");
        assert_eq!(answer.origin, Origin::Live);
        assert_eq!(answer.revision, answer.value.revision);
        let answer = answer.value;
        let read: Vec<_> = answer.standings.iter().map(|info| &info.ops_ref).collect();
        assert_eq!(read, [order[0], order[2]]);
        assert_eq!(answer.missing_ops_refs, std::slice::from_ref(&nobody));
        assert!(answer.as_of_time.is_some());
    }
}

/// A payment is free to spend, a standing set by hand counts, and both raise the revision.
pub async fn a_payment_becomes_available(billing: &impl Arrange) {
    let account = advertiser(billing, 0).await;
    let empty = standing(billing, &account.ops_ref).await;
    assert_eq!((empty.available_micros, empty.held_micros), (0, 0));

    billing.pay(&account, 5_000_000).await;
    let paid = standing(billing, &account.ops_ref).await;
    assert_eq!(paid.available_micros, 5_000_000);
    assert_eq!(paid.standing(), AccountStanding::Active);
    assert!(paid.revision > empty.revision);

    billing.set_standing(&account, AccountStanding::Stop).await;
    let stopped = standing(billing, &account.ops_ref).await;
    assert_eq!(stopped.standing(), AccountStanding::Stop);
    assert!(
        stopped
            .reasons()
            .any(|reason| reason == pb::StandingReason::Override)
    );
    assert!(stopped.revision > paid.revision);
}
