//! Leases and the lines that guard them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cleave_kernel::{
    AdvertiserId, Currency, LineItemId, Micros, RequestId, ReservationId, Timestamp,
};
use operations_domain::lease::{Lease, LeaseRefusal, LeaseState};
use operations_store::Store;
use operations_store::lease::{
    LeaseRecord, ended_lines, forget_leases, live_leases, lock_open_leases, recent_leases,
    store_leases, waiting_leases,
};
use operations_store::lease_line::{LeaseLine, lease_facts, lease_lines, lock_lines, store_lines};

use crate::stores::{NOW, TestStore};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.micros() + seconds * 1_000_000)
}

fn lease(line_item: LineItemId, state: LeaseState, planned: i64) -> LeaseRecord {
    let granted = state != LeaseState::Planned;
    LeaseRecord {
        advertiser: AdvertiserId::generate(),
        currency: Currency::from_code("INR").unwrap(),
        lease: Lease {
            request: RequestId::generate(),
            line_item,
            terms_version: 1,
            state,
            asked: Micros::new(100),
            least: Micros::new(1),
            planned_at: at(planned),
            serve_until: at(planned + 300),
            settle_until: at(planned + 3600),
            reservation: granted.then(ReservationId::generate),
            granted: Micros::new(if granted { 90 } else { 0 }),
            granted_at: granted.then(|| at(planned + 1)),
            counted: Micros::new(-4),
        },
    }
}

#[tokio::test]
async fn given_leases_in_every_state_then_each_question_finds_its_own() {
    for test in TestStore::each_engine().await {
        let line = LineItemId::generate();
        let planned = lease(line, LeaseState::Planned, 0);
        let serving = lease(line, LeaseState::Held, -100);
        let over = lease(line, LeaseState::Held, -400);
        let releasing = lease(line, LeaseState::Releasing, -500);
        let closed = lease(line, LeaseState::Closed, -9000);
        let all = [&closed, &releasing, &over, &serving, &planned].map(Clone::clone);
        let stored = &all;
        test.write(|unit| async move { store_leases(&unit, stored).await })
            .await;

        let conn = test.store.db().reader();
        let live = live_leases(conn, NOW).await.unwrap();
        assert_eq!(live, [serving.clone(), planned.clone()], "{:?}", test.test);
        let waiting = waiting_leases(conn, 10).await.unwrap();
        assert_eq!(waiting, [releasing.clone(), planned.clone()]);
        let recent = recent_leases(conn, line, 2).await.unwrap();
        assert_eq!(recent, [planned.clone(), serving.clone()]);
        let open = test
            .write(|unit| async move { lock_open_leases(&unit, &[line]).await })
            .await;
        assert_eq!(open, all[1..].to_vec());

        // Delivery is known up to before, and up to after, the end of the one that no longer serves.
        assert!(ended_lines(conn, None, NOW, 10).await.unwrap().is_empty());
        assert!(
            ended_lines(conn, Some(at(-101)), NOW, 10)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            ended_lines(conn, Some(at(-100)), NOW, 10).await.unwrap(),
            [line]
        );
        assert_eq!(ended_lines(conn, None, at(3200), 10).await.unwrap(), [line]);

        let forget = |before: Timestamp| {
            let test = &test;
            async move {
                test.write(|unit| async move { forget_leases(&unit, before, 10).await })
                    .await
            }
        };
        assert_eq!(forget(at(-5400)).await, 0);
        assert_eq!(forget(at(-5399)).await, 1);
        assert_eq!(recent_leases(conn, line, 10).await.unwrap().len(), 4);
    }
}

#[tokio::test]
async fn given_a_lease_that_moves_on_then_only_what_may_change_does() {
    for test in TestStore::each_engine().await {
        let before = lease(LineItemId::generate(), LeaseState::Planned, 0);
        let mut after = before.clone();
        after.lease.state = LeaseState::Held;
        after.lease.reservation = Some(ReservationId::generate());
        after.lease.granted = Micros::new(70);
        after.lease.granted_at = Some(at(2));
        after.lease.counted = Micros::new(7);
        after.lease.serve_until = at(9);
        let (first, second) = (&[before][..], &[after.clone()][..]);
        test.write(|unit| async move {
            store_leases(&unit, first).await?;
            store_leases(&unit, second).await
        })
        .await;
        let conn = test.store.db().reader();
        let stored = recent_leases(conn, after.lease.line_item, 9).await.unwrap();
        assert_eq!(stored, [after], "{:?}", test.test);
    }
}

#[tokio::test]
async fn given_lines_then_facts_tell_refusal_outage_and_what_may_be_served() {
    for test in TestStore::each_engine().await {
        let (fresh, known) = (LineItemId::generate(), LineItemId::generate());
        let line = LeaseLine {
            spend_counted: Micros::new(i64::MAX),
            refusal: Some(LeaseRefusal {
                reason: "INSUFFICIENT_FUNDS".to_owned(),
                message: "nothing is left, \"really\"".to_owned(),
                at: at(-5),
                account_revision: 3,
            }),
            unreachable_since: Some(at(-4)),
            serve_until: Some(at(200)),
        };
        let (lines, leases) = (
            &HashMap::from([(known, line.clone())]),
            &[
                lease(known, LeaseState::Held, -100),
                lease(known, LeaseState::Planned, 0),
            ],
        );
        test.write(|unit| async move {
            let locked = lock_lines(&unit, &[known, fresh]).await?;
            assert_eq!(locked[&known], LeaseLine::default());
            store_lines(&unit, lines).await?;
            store_leases(&unit, leases).await
        })
        .await;
        let conn = test.store.db().reader();
        let stored = lease_lines(conn, &[known, fresh]).await.unwrap();
        assert_eq!(stored[&known], line, "{:?}", test.test);
        assert_eq!(stored[&fresh], LeaseLine::default());
        let facts = lease_facts(conn, &[known, LineItemId::generate()], NOW)
            .await
            .unwrap();
        assert_eq!(facts.len(), 1);
        let facts = &facts[&known];
        assert_eq!(facts.left, Micros::new(94));
        assert!(facts.pending);
        assert_eq!(facts.refusal, line.refusal);
        assert_eq!(facts.unreachable_since, line.unreachable_since);
        assert_eq!(facts.serve_until, line.serve_until);
        let later = lease_facts(conn, &[known], at(200)).await.unwrap();
        assert_eq!(later[&known].left, Micros::ZERO);
    }
}

/// What a lease keeper does: with the line locked, plan a lease if there is none.
async fn keep(store: &Store, line_item: LineItemId) {
    let kept = store
        .write("keep", NOW, |unit| async move {
            lock_lines(&unit, &[line_item]).await?;
            if lock_open_leases(&unit, &[line_item]).await?.is_empty() {
                let planned = lease(line_item, LeaseState::Planned, 0);
                store_leases(&unit, &[planned]).await?;
            }
            Ok::<_, cleave_storage::StorageError>(())
        })
        .await;
    kept.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_keepers_on_two_replicas_then_one_lease_is_planned() {
    for test in TestStore::each_engine().await {
        let line_item = LineItemId::generate();
        let mut keepers = Vec::new();
        for _ in 0..4 {
            let replica = test.test.replica().await;
            let store = Arc::new(Store::new(replica, Duration::from_secs(1)));
            keepers.push(tokio::spawn(async move { keep(&store, line_item).await }));
        }
        for keeper in keepers {
            keeper.await.unwrap();
        }
        let conn = test.store.db().reader();
        let leases = recent_leases(conn, line_item, 9).await.unwrap();
        assert_eq!(leases.len(), 1, "{:?}", test.test);
    }
}
