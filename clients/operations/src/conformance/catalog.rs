//! The case of following the catalogue.

use std::collections::HashSet;

use futures::StreamExt;

use super::arrange::{Arrange, PATIENCE, Stage};
use crate::pb;
use crate::pb::catalog_change::Subject;

/// Follows from `token` until parties and terms of the stage were told; answers the last token, and the ids of
/// everything that was told.
async fn follow_until(
    operations: &impl Arrange,
    token: &str,
    stage: &Stage,
) -> (String, HashSet<String>) {
    let request = pb::WatchCatalogRequest {
        resume_token: token.to_owned(),
    };
    let opened = operations.client().watch_catalog(request).await;
    let mut stream = opened.expect("a watch opens");
    let mut told = HashSet::new();
    let wanted = [
        &stage.advertiser_id,
        &stage.publisher_id,
        &stage.line_item_id,
    ];
    let following = async {
        while let Some(message) = stream.next().await {
            let message = message.expect("the stream holds");
            assert_eq!(message.heartbeat, message.changes.is_empty());
            assert!(message.as_of.is_some(), "a message says when it was so");
            for change in message.changes {
                told.extend(change.subject.map(|subject| id_of(&subject)));
            }
            if wanted.iter().all(|id| told.contains(*id)) {
                return message.resume_token;
            }
        }
        panic!("the stream ended");
    };
    let followed = tokio::time::timeout(PATIENCE, following).await;
    (followed.expect("the stage is told"), told)
}

fn id_of(subject: &Subject) -> String {
    match subject {
        Subject::Party(party) => party.id.clone(),
        Subject::LineItemTerms(terms) => terms.line_item_id.clone(),
        Subject::RevShare(share) => share.id.clone(),
        Subject::Campaign(campaign) => campaign.id.clone(),
    }
}

/// Everything comes without a token, and only what is new with one.
pub async fn the_catalogue_comes_whole_and_goes_on(operations: &impl Arrange) {
    let old = operations.stage().await;
    let (token, told) = follow_until(operations, "", &old).await;
    assert!(told.iter().any(|id| id.starts_with("rsh_")));

    let new = operations.stage().await;
    for _ in 0..2 {
        let (_, told) = follow_until(operations, &token, &new).await;
        assert!(!told.contains(&old.line_item_id), "it had not changed");
    }
}
