//! The projection of accounts.

use std::time::Duration;

use cleave_kernel::{AdvertiserId, Micros};
use operations_domain::account::{AccountProjection, AccountStanding};
use operations_domain::testing;
use operations_store::account::{account_facts, apply_accounts, distrust_revisions};
use operations_store::peer_feed::{self, ACCOUNTS, PeerPosition};

use crate::stores::{NOW, TestStore};

fn account(revision: i64, standing: AccountStanding) -> AccountProjection {
    let owner = testing::advertiser();
    AccountProjection {
        revision,
        reasons: vec!["NO_FUNDS".to_owned()],
        available: Micros::new(i64::MIN),
        ..testing::account(&owner, standing, 0).account
    }
}

#[tokio::test]
async fn given_readings_in_any_order_then_the_latest_stands() {
    for test in TestStore::each_engine().await {
        let first = account(5, AccountStanding::Active);
        let owner = AdvertiserId::from_uuid(first.owner);
        let reading = |revision: i64, standing: AccountStanding| AccountProjection {
            revision,
            standing,
            ..first.clone()
        };
        let apply = |accounts: Vec<AccountProjection>| {
            let test = &test;
            async move {
                let accounts = &accounts;
                test.write(|unit| async move { apply_accounts(&unit, accounts).await })
                    .await
            }
        };
        let stands = || async {
            let conn = test.store.db().reader();
            let facts = account_facts(conn, &[owner], NOW).await.unwrap();
            facts.get(&owner).map(|facts| facts.account.clone())
        };

        // Given two readings of one account in one message, the later first
        let both = vec![
            reading(6, AccountStanding::Stop),
            reading(5, AccountStanding::Active),
        ];
        let news = apply(both).await;
        assert_eq!(news.len(), 1, "{:?}", test.test);
        assert_eq!(stands().await, Some(reading(6, AccountStanding::Stop)));

        // Then an old one is no news, and a later one is
        assert!(apply(vec![first.clone()]).await.is_empty());
        assert!(
            apply(vec![reading(6, AccountStanding::Active)])
                .await
                .is_empty()
        );
        assert_eq!(
            apply(vec![reading(7, AccountStanding::Blocked)])
                .await
                .len(),
            1
        );
        assert_eq!(stands().await, Some(reading(7, AccountStanding::Blocked)));

        // And after a restore of Billing whatever comes is believed
        test.write(|unit| async move { distrust_revisions(&unit).await })
            .await;
        assert_eq!(
            apply(vec![reading(2, AccountStanding::Active)]).await.len(),
            1
        );
        assert_eq!(stands().await, Some(reading(2, AccountStanding::Active)));
    }
}

#[tokio::test]
async fn given_a_position_then_it_is_kept_and_ages_what_is_known() {
    for test in TestStore::each_engine().await {
        let known = &account(1, AccountStanding::Active);
        let owner = AdvertiserId::from_uuid(known.owner);
        let position = &PeerPosition {
            token: "t".repeat(300),
            revision: 9,
            as_of: NOW.minus(Duration::from_secs(61)),
            heard_at: NOW.minus(Duration::from_secs(60)),
        };
        test.write(|unit| async move {
            apply_accounts(&unit, std::slice::from_ref(known)).await?;
            let older = PeerPosition {
                token: String::new(),
                ..position.clone()
            };
            peer_feed::store_position(&unit, ACCOUNTS, &older).await?;
            peer_feed::store_position(&unit, ACCOUNTS, position).await
        })
        .await;
        let conn = test.store.db().reader();
        let stored = peer_feed::position(conn, ACCOUNTS).await.unwrap();
        assert_eq!(stored.as_ref(), Some(position), "{:?}", test.test);
        assert_eq!(peer_feed::position(conn, "other").await.unwrap(), None);
        let facts = account_facts(conn, &[owner, AdvertiserId::generate()], NOW)
            .await
            .unwrap();
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[&owner].age, Duration::from_secs(60));
    }
}
