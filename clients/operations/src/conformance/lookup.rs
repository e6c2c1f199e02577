//! Cases of looking things up by key.

use tonic::Code;

use super::arrange::{Arrange, SHARE_PPM, START, hour, refused};
use crate::fake::new_id;
use crate::types::{PartyKind, PricingModel};
use crate::{Origin, pb};

/// Terms come as asked for, and keys that name nothing apart.
pub async fn terms_come_in_the_order_of_their_keys(operations: &impl Arrange) {
    let (one, two) = (operations.stage().await, operations.stage().await);
    let key = |line_item_id: &str, version| pb::LineItemTermsKey {
        line_item_id: line_item_id.to_owned(),
        version,
    };
    let known = [key(&one.line_item_id, 1), key(&two.line_item_id, 1)];
    let missing = [key(&new_id("line"), 1), key(&one.line_item_id, 2)];
    let keys = vec![
        known[1].clone(),
        missing[0].clone(),
        missing[1].clone(),
        known[0].clone(),
    ];

    let request = pb::BatchGetLineItemTermsRequest { keys };
    let answer = operations.client().batch_get_line_item_terms(request).await;

    let answer = answer.expect("terms are answered");
    let read: Vec<_> = answer
        .terms
        .iter()
        .map(|terms| &terms.line_item_id)
        .collect();
    assert_eq!(read, [&two.line_item_id, &one.line_item_id]);
    assert_eq!(answer.missing_keys, missing);
    let terms = &answer.terms[1];
    assert_eq!(terms.advertiser_id, one.advertiser_id);
    assert_eq!(terms.currency_code, "INR");
    assert_eq!(terms.pricing_model(), PricingModel::Cpm);
    assert_eq!((terms.version, terms.unit), (1, 1000));
    assert!(terms.effective_time.is_some());
}

/// A share is found for every instant from its start on, and for none before.
pub async fn shares_come_in_the_order_of_their_queries(operations: &impl Arrange) {
    let stage = operations.stage().await;
    let query = |ad_unit_id: &str, number| pb::RevShareQuery {
        ad_unit_id: ad_unit_id.to_owned(),
        time: Some(hour(number)),
    };
    let unknown = query(&new_id("unit"), 0);
    let queries = vec![
        query(&stage.ad_unit_id, 5),
        unknown.clone(),
        query(&stage.ad_unit_id, 0),
    ];

    let request = pb::BatchGetRevShareRequest { queries };
    let answer = operations.client().batch_get_rev_share(request).await;

    let answer = answer.expect("shares are answered");
    assert_eq!(answer.origin, Origin::Live);
    let answer = answer.value;
    assert_eq!(answer.missing_queries, [unknown]);
    let times: Vec<_> = answer.rev_shares.iter().map(|share| share.time).collect();
    assert_eq!(times, [Some(hour(5)), Some(hour(0))]);
    for share in &answer.rev_shares {
        assert_eq!(share.publisher_id, stage.publisher_id);
        assert_eq!(share.game_id, stage.game_id);
        assert_eq!(share.share_ppm, SHARE_PPM);
        assert!(share.version >= 1 && share.rev_share_id.starts_with("rsh_"));
        let since = share.effective_time.expect("it says since when").seconds;
        assert!(since <= START);
    }
}

/// Advertisers and publishers alike.
pub async fn parties_come_in_the_order_of_their_ids(operations: &impl Arrange) {
    let stage = operations.stage().await;
    let unknown = new_id("pub");
    let ids = vec![
        stage.publisher_id.clone(),
        unknown.clone(),
        stage.advertiser_id.clone(),
    ];
    let request = pb::BatchGetPartiesRequest { ids };
    let answer = operations.client().batch_get_parties(request).await;
    let answer = answer.expect("parties are answered").value;
    assert_eq!(answer.missing_ids, [unknown]);
    let [publisher, advertiser] = &answer.parties[..] else {
        panic!("two are known, not {:?}", answer.parties)
    };
    assert_eq!(
        (&publisher.id, publisher.kind()),
        (&stage.publisher_id, PartyKind::Publisher)
    );
    assert_eq!(
        (&advertiser.id, advertiser.kind()),
        (&stage.advertiser_id, PartyKind::Advertiser)
    );
    assert_eq!(advertiser.currency_code, "INR");
}

/// Every fault is named by its field.
pub async fn malformed_lookups_name_their_faults(operations: &impl Arrange) {
    let client = operations.client();
    let key = pb::LineItemTermsKey {
        line_item_id: new_id("camp"),
        version: 0,
    };
    let request = pb::BatchGetLineItemTermsRequest { keys: vec![key] };
    let answer = client.batch_get_line_item_terms(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_FIELD");
    let fields: Vec<_> = error
        .violations
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    for field in ["keys[0].line_item_id", "keys[0].version"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }

    let query = pb::RevShareQuery {
        ad_unit_id: new_id("unit"),
        time: None,
    };
    let request = pb::BatchGetRevShareRequest {
        queries: vec![query],
    };
    let answer = client.batch_get_rev_share(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(error.violations[0].field, "queries[0].time");

    let nothing = pb::BatchGetPartiesRequest::default();
    let answer = client.batch_get_parties(nothing).await;
    refused(answer, Code::InvalidArgument, "INVALID_FIELD");
}
