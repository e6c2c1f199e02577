//! The outbox.

use cleave_kernel::Timestamp;
use operations_domain::testing;
use operations_store::outbox;

use crate::stores::{NOW, TestStore};

#[tokio::test]
async fn given_messages_then_they_wait_until_told_and_come_again_when_they_failed() {
    for test in TestStore::each_engine().await {
        let message = &testing::advertiser().open_account();
        let (first, second) = test
            .write(|unit| async move {
                let first = outbox::push(&unit, message).await?;
                Ok((first, outbox::push(&unit, message).await?))
            })
            .await;
        let conn = test.store.db().reader();
        let due = |now: Timestamp, limit: u64| async move {
            outbox::due(conn, now, limit).await.unwrap()
        };
        let waiting = due(NOW, 10).await;
        assert_eq!(waiting.len(), 2, "{:?}", test.test);
        assert!(waiting.iter().all(|waiting| waiting.message == *message));
        assert_eq!(due(NOW, 1).await.len(), 1);
        let before = Timestamp::from_micros(NOW.micros() - 1);
        assert!(due(before, 10).await.is_empty());

        let later = Timestamp::from_micros(NOW.micros() + 5);
        test.write(|unit| async move {
            outbox::told(&unit, first).await?;
            outbox::failed(&unit, second, later, "UNAVAILABLE: \u{1F525}").await
        })
        .await;
        assert!(due(NOW, 10).await.is_empty(), "{:?}", test.test);
        let again = due(later, 10).await;
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].request, again[0].attempts), (second, 1));
    }
}
