//! Cases of following the accounts.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use tonic::Code;

use super::arrange::{Arrange, advertiser, refused};
use crate::pb;
use crate::types::AccountStanding;

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Follows from `token` until the state of the world is as wanted; answers the last token and that state.
async fn follow_until(
    billing: &impl Arrange,
    token: &str,
    wanted: impl Fn(&HashMap<String, pb::AccountStandingInfo>) -> bool,
) -> (String, HashMap<String, pb::AccountStandingInfo>) {
    let request = pb::WatchAccountsRequest {
        resume_token: token.to_owned(),
    };
    let mut stream = billing
        .client()
        .watch_accounts(request)
        .await
        .expect("a watch opens");
    let mut world = HashMap::new();
    let following = async {
        while let Some(message) = stream.next().await {
            let message = message.expect("the stream holds");
            assert_eq!(message.heartbeat, message.accounts.is_empty());
            for account in message.accounts {
                world.insert(account.ops_ref.clone(), account);
            }
            if wanted(&world) {
                return message.resume_token;
            }
        }
        panic!("the stream ended");
    };
    let token = tokio::time::timeout(PATIENCE, following).await;
    (token.expect("the state comes about"), world)
}

/// Without a token, everything there is comes first, each account as it is.
pub async fn a_watch_starts_with_every_account(billing: &impl Arrange) {
    let rich = advertiser(billing, 3_000_000).await;
    let poor = advertiser(billing, 0).await;
    let (_, world) = follow_until(billing, "", |world| {
        world.contains_key(&rich.ops_ref) && world.contains_key(&poor.ops_ref)
    })
    .await;
    let info = &world[&rich.ops_ref];
    assert_eq!(info.available_micros, 3_000_000);
    assert_eq!(info.account_id, rich.id);
    assert!(info.revision > 0);
}

/// From a token, only what changed after it comes: old tokens as well as new ones.
pub async fn a_watch_goes_on_from_its_token(billing: &impl Arrange) {
    let account = advertiser(billing, 1_000_000).await;
    let still = advertiser(billing, 0).await;
    let seen = |world: &HashMap<String, _>| {
        world.contains_key(&account.ops_ref) && world.contains_key(&still.ops_ref)
    };
    let (token, _) = follow_until(billing, "", seen).await;

    billing.pay(&account, 500_000).await;
    billing
        .set_standing(&account, AccountStanding::OnHold)
        .await;
    for _ in 0..2 {
        let changed = |world: &HashMap<String, pb::AccountStandingInfo>| {
            world.get(&account.ops_ref).is_some_and(|info| {
                info.available_micros == 1_500_000 && info.standing() == AccountStanding::OnHold
            })
        };
        let (_, world) = follow_until(billing, &token, changed).await;
        assert!(!world.contains_key(&still.ops_ref), "it had not changed");
    }
}

/// Also when nothing happens, the token moves on.
pub async fn a_quiet_watch_sends_heartbeats_with_tokens(billing: &impl Arrange) {
    let account = advertiser(billing, 0).await;
    let (token, _) = follow_until(billing, "", |world| world.contains_key(&account.ops_ref)).await;
    let request = pb::WatchAccountsRequest {
        resume_token: token,
    };
    let mut stream = billing
        .client()
        .watch_accounts(request)
        .await
        .expect("a watch opens");
    let beating = async {
        loop {
            let message = stream.next().await.expect("the stream goes on");
            let message = message.expect("the stream holds");
            assert!(!message.resume_token.is_empty());
            if message.heartbeat {
                return message;
            }
        }
    };
    let beat = tokio::time::timeout(PATIENCE, beating).await;
    assert!(beat.expect("a heartbeat comes").as_of_time.is_some());
}

/// A token from before a restore must not be believed.
pub async fn a_token_of_another_life_is_refused(billing: &impl Arrange) {
    let resume_token = billing.foreign_token().await;
    let request = pb::WatchAccountsRequest { resume_token };
    let answer = match billing.client().watch_accounts(request).await {
        Ok(mut stream) => stream.next().await.expect("the stream says so"),
        Err(error) => Err(error),
    };
    refused(answer, Code::OutOfRange, "RESUME_TOKEN_EXPIRED");
}
