//! Cases of reading what line items cost.

use tonic::Code;

use super::arrange::{Arrange, advertiser, new_id, order, refused, reserve};
use crate::pb;

/// What a live lease holds is known at once.
pub async fn spend_tells_what_is_held(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let order = order(&account, 300_000);
    reserve(billing, &order).await;
    let unknown = new_id("line");
    let request = pb::BatchGetSpendRequest {
        line_item_ids: vec![unknown.clone(), order.line_item_id.clone()],
    };
    let answer = billing.client().batch_get_spend(request).await;
    let answer = answer.expect("spend is answered").value;
    assert_eq!(answer.missing_line_item_ids, [unknown]);
    let [spend] = &answer.spends[..] else {
        panic!("one line item is known, not {:?}", answer.spends)
    };
    assert_eq!(spend.line_item_id, order.line_item_id);
    assert_eq!((spend.rated_micros, spend.held_micros), (0, 300_000));
    assert_eq!(spend.currency_code, "INR");
}

/// Nothing is made up, and malformed ids are told.
pub async fn unknown_line_items_have_no_spend(billing: &impl Arrange) {
    let ids = vec![new_id("line"), new_id("line")];
    let request = pb::BatchGetSpendRequest {
        line_item_ids: ids.clone(),
    };
    let answer = billing.client().batch_get_spend(request).await;
    let answer = answer.expect("spend is answered").value;
    assert_eq!(answer.missing_line_item_ids, ids);
    assert!(answer.spends.is_empty());

    let malformed = pb::BatchGetSpendRequest {
        line_item_ids: vec![new_id("camp")],
    };
    let answer = billing.client().batch_get_spend(malformed).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(error.violations[0].field, "line_item_ids[0]");
}
