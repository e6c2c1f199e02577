//! The feed's promise: whoever has read up to a seq will never see a smaller one appear.

use std::time::Duration;

use cleave_kernel::Timestamp;
use cleave_storage::feed::{self, Change};
use cleave_storage::token::Expiry;
use cleave_storage::{Database, FeedSignal, ResumeToken, TokenError};
use uuid::Uuid;

use crate::migrated;

const WRITERS: u128 = 6;
const COMMITS: u128 = 25;

async fn append(db: &Database, changes: &[Change]) -> i64 {
    db.transaction("append", |txn| async move {
        feed::append(&txn, Timestamp::EPOCH, changes).await
    })
    .await
    .expect("changes are appended")
}

fn change(topic: i16, subject: u128) -> Change {
    Change {
        topic,
        subject: Uuid::from_u128(subject),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_writers_at_once_when_a_reader_follows_then_it_skips_nothing() {
    for test in migrated().await {
        let signal = FeedSignal::spawn(test.db().clone(), FeedSignal::POLL);
        let replicas = [test.db().clone(), test.replica().await];
        let writers = (0..WRITERS)
            .zip(replicas.iter().cycle())
            .map(|(writer, db)| {
                let (db, signal) = (db.clone(), signal.clone());
                tokio::spawn(async move {
                    for commit in 0..COMMITS {
                        let subject = writer * COMMITS + commit;
                        let last = append(&db, &[change(1, subject), change(2, subject)]).await;
                        signal.committed(last);
                    }
                })
            });
        let writers: Vec<_> = writers.collect();

        // Small helpings, so that reads fall between commits.
        let (mut seen, mut watcher) = (Vec::new(), signal.subscribe());
        let expected = usize::try_from(2 * WRITERS * COMMITS).expect("few");
        let mut position = 0;
        while seen.len() < expected {
            watcher.past(position).await.expect("the signal lives");
            for row in feed::read(test.db().reader(), position, 7)
                .await
                .expect("a read")
            {
                assert_eq!(row.seq, position + 1, "{test:?}: no hole may be seen");
                position = row.seq;
                seen.push((row.subject, row.topic));
            }
        }
        for writer in writers {
            writer.await.expect("a writer finishes");
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{test:?}");
        let head = feed::head(test.db().reader()).await.expect("a head");
        assert_eq!(head.seq, position, "{test:?}");
    }
}

#[tokio::test]
async fn given_a_commit_of_another_process_when_nobody_signals_then_the_poll_finds_it() {
    for test in migrated().await {
        let signal = FeedSignal::spawn(test.db().clone(), Duration::from_millis(5));
        let mut watcher = signal.subscribe();
        let last = append(&test.replica().await, &[change(1, 1)]).await;
        assert_eq!(watcher.past(0).await, Some(last), "{test:?}");
        drop(signal);
        assert_eq!(watcher.past(last).await, None, "{test:?}");
    }
}

#[tokio::test]
async fn given_topics_when_one_is_read_then_the_position_passes_the_others() {
    for test in migrated().await {
        let changes = [change(1, 1), change(2, 2), change(2, 3), change(1, 4)];
        assert_eq!(append(test.db(), &changes).await, 4);
        assert_eq!(append(test.db(), &[]).await, 4);
        let page = feed::read_topics(test.db().reader(), 0, &[1], 3)
            .await
            .expect("a page");
        let seqs: Vec<i64> = page.rows.iter().map(|row| row.seq).collect();
        assert_eq!((seqs, page.next, page.more), (vec![1], 3, true), "{test:?}");
        let page = feed::read_topics(test.db().reader(), page.next, &[1], 3)
            .await
            .expect("a page");
        assert_eq!(
            (page.rows.len(), page.next, page.more),
            (1, 4, false),
            "{test:?}"
        );
    }
}

#[tokio::test]
async fn given_subjects_that_change_again_when_read_then_each_is_there_once_at_its_last_place() {
    for test in migrated().await {
        let changes = |subjects: &[u128]| -> Vec<Change> {
            subjects.iter().map(|subject| change(1, *subject)).collect()
        };
        assert_eq!(append(test.db(), &changes(&[1, 2, 3])).await, 3);
        assert_eq!(append(test.db(), &changes(&[1, 4, 1])).await, 6);
        assert_eq!(append(test.db(), &[change(2, 3)]).await, 7);
        let rows = feed::read(test.db().reader(), 0, 100)
            .await
            .expect("a read");
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.seq, row.topic, row.subject.as_u128()))
            .collect();
        let expected = [(2, 1, 2), (3, 1, 3), (5, 1, 4), (6, 1, 1), (7, 2, 3)];
        assert_eq!(read, expected, "{test:?}");
    }
}

#[tokio::test]
async fn given_tokens_when_the_feed_moves_on_then_only_those_it_can_serve_pass() {
    for test in migrated().await {
        let db = test.db();
        append(db, &[change(1, 1), change(1, 2), change(1, 3)]).await;
        let start = feed::head(db.reader()).await.expect("a head");
        let token = |seq| ResumeToken {
            epoch: start.epoch,
            seq,
            filter_hash: 9,
        };
        assert_eq!(token(3).check(&start, 9), Ok(3), "{test:?}");
        assert_eq!(token(0).check(&start, 9), Ok(0), "{test:?}");
        assert_eq!(token(3).check(&start, 8), Err(TokenError::OtherRequest));
        let expired = |expiry| Err(TokenError::Expired(expiry));
        assert_eq!(token(4).check(&start, 9), expired(Expiry::AheadOfHead));

        db.transaction(
            "raise",
            |txn| async move { feed::raise_floor(&txn, 2).await },
        )
        .await
        .expect("the floor is raised");
        let raised = feed::head(db.reader()).await.expect("a head");
        assert_eq!(token(1).check(&raised, 9), expired(Expiry::BelowFloor));
        assert_eq!(token(2).check(&raised, 9), Ok(2));
        let left = feed::read(db.reader(), 2, 10).await.expect("a read");
        assert_eq!(left.len(), 1, "{test:?}");

        let epoch = db
            .transaction("restore", |txn| async move { feed::bump_epoch(&txn).await })
            .await;
        let restored = feed::head(db.reader()).await.expect("a head");
        assert_eq!(epoch.expect("a new epoch"), restored.epoch, "{test:?}");
        assert_eq!(token(3).check(&restored, 9), expired(Expiry::OtherEpoch));
    }
}
