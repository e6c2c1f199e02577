//! The gatherer: batches form behind a running one, the queue is bounded, and neither a panic nor closing
//! loses an answer.

use std::sync::{Arc, Mutex};

use cleave_storage::{GatherError, Gatherer};
use futures::future::join_all;
use tokio::sync::Semaphore;

/// A gatherer that doubles numbers, runs a batch per permit and notes the batches. It panics on 13.
struct Doubler {
    gatherer: Gatherer<u32, u32>,
    permits: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Doubler {
    fn spawn(bound: usize, batch_max: usize) -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let batches = Arc::new(Mutex::new(Vec::new()));
        let (gate, noted) = (Arc::clone(&permits), Arc::clone(&batches));
        let gatherer = Gatherer::spawn("double", bound, batch_max, move |batch: Vec<u32>| {
            let (gate, noted) = (Arc::clone(&gate), Arc::clone(&noted));
            async move {
                noted.lock().expect("a lock").push(batch.clone());
                gate.acquire().await.expect("a permit").forget();
                assert!(!batch.contains(&13), "unlucky");
                batch.iter().map(|number| number * 2).collect()
            }
        });
        Self {
            gatherer,
            permits,
            batches,
        }
    }

    fn submit(&self, number: u32) -> tokio::task::JoinHandle<Result<u32, GatherError>> {
        let gatherer = self.gatherer.clone();
        tokio::spawn(async move { gatherer.submit(number).await })
    }

    /// Submits `first` and waits until it is being run.
    async fn occupy(&self, first: u32) -> tokio::task::JoinHandle<Result<u32, GatherError>> {
        let before = self.batches().len();
        let submitted = self.submit(first);
        while self.batches().len() == before {
            tokio::task::yield_now().await;
        }
        submitted
    }

    /// Submits each of `numbers` and waits until they are queued, in order.
    async fn queue(
        &self,
        numbers: &[u32],
    ) -> Vec<tokio::task::JoinHandle<Result<u32, GatherError>>> {
        let mut submitted = Vec::new();
        for number in numbers {
            submitted.push(self.submit(*number));
            // On the current-thread runtime of these tests one turn runs the spawned task.
            tokio::task::yield_now().await;
        }
        submitted
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().expect("a lock").clone()
    }
}

#[tokio::test]
async fn given_a_running_batch_when_requests_arrive_then_they_form_the_next() {
    let doubler = Doubler::spawn(16, 3);
    let mut submitted = vec![doubler.occupy(1).await];
    submitted.extend(doubler.queue(&[2, 3, 4, 5]).await);
    doubler.permits.add_permits(3);
    let mut answers = Vec::new();
    for submitted in submitted {
        answers.push(
            submitted
                .await
                .expect("a submitter finishes")
                .expect("an answer"),
        );
    }
    assert_eq!(answers, [2, 4, 6, 8, 10]);
    assert_eq!(doubler.batches(), [vec![1], vec![2, 3, 4], vec![5]]);
}

#[tokio::test]
async fn given_a_full_queue_when_another_arrives_then_it_is_overloaded_at_once() {
    let doubler = Doubler::spawn(2, 8);
    let first = doubler.occupy(1).await;
    let queued = doubler.queue(&[2, 3]).await;
    assert_eq!(
        doubler.gatherer.submit(4).await,
        Err(GatherError::Overloaded)
    );
    doubler.permits.add_permits(2);
    assert_eq!(first.await.expect("it finishes"), Ok(2));
    for queued in queued {
        queued.await.expect("it finishes").expect("an answer");
    }
    doubler.permits.add_permits(1);
    assert_eq!(doubler.gatherer.submit(5).await, Ok(10));
}

#[tokio::test]
async fn given_a_batch_that_panics_when_it_is_gone_then_later_ones_are_answered() {
    let doubler = Doubler::spawn(16, 8);
    let unlucky = doubler.occupy(13).await;
    let later = doubler.queue(&[2]).await;
    doubler.permits.add_permits(2);
    assert_eq!(unlucky.await.expect("it finishes"), Err(GatherError::Lost));
    for later in later {
        assert_eq!(later.await.expect("it finishes"), Ok(4));
    }
}

#[tokio::test]
async fn given_answers_that_do_not_match_the_requests_when_a_batch_ends_then_it_is_lost() {
    let gatherer: Gatherer<u32, u32> =
        Gatherer::spawn("miscount", 4, 4, |batch: Vec<u32>| async move {
            vec![0; batch.len() + 1]
        });
    assert_eq!(gatherer.submit(1).await, Err(GatherError::Lost));
}

#[tokio::test]
async fn given_requests_that_wait_when_closed_then_they_are_answered_and_new_ones_refused() {
    let doubler = Doubler::spawn(16, 1);
    let mut submitted = vec![doubler.occupy(1).await];
    submitted.extend(doubler.queue(&[2, 3]).await);
    let closing = {
        let gatherer = doubler.gatherer.clone();
        tokio::spawn(async move { gatherer.close().await })
    };
    tokio::task::yield_now().await;
    assert_eq!(doubler.gatherer.submit(4).await, Err(GatherError::Closed));
    assert!(!closing.is_finished());
    doubler.permits.add_permits(3);
    closing.await.expect("closing finishes");
    for (submitted, doubled) in submitted.into_iter().zip([2, 4, 6]) {
        assert_eq!(submitted.await.expect("it finishes"), Ok(doubled));
    }
    doubler.gatherer.close().await;
    assert_eq!(doubler.gatherer.submit(5).await, Err(GatherError::Closed));
}

#[tokio::test]
async fn given_a_submitter_that_gave_up_when_its_turn_comes_then_its_request_is_skipped() {
    let doubler = Doubler::spawn(16, 8);
    let first = doubler.occupy(1).await;
    let queued = doubler.queue(&[2, 3]).await;
    queued[0].abort();
    tokio::task::yield_now().await;
    doubler.permits.add_permits(2);
    assert_eq!(first.await.expect("it finishes"), Ok(2));
    let last = queued.into_iter().nth(1).expect("there are two");
    assert_eq!(last.await.expect("it finishes"), Ok(6));
    assert_eq!(doubler.batches(), [vec![1], vec![3]]);
}

#[test]
fn given_submitters_on_other_runtimes_when_they_submit_then_each_gets_its_own_answer() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let home = runtime();
    let gatherer: Gatherer<u32, u32> = Gatherer::spawn_on(
        home.handle(),
        "double",
        1024,
        64,
        |batch: Vec<u32>| async move {
            tokio::task::yield_now().await;
            batch.iter().map(|number| number * 2).collect()
        },
    );
    let workers = [0_u32, 1, 2].map(|worker| {
        let gatherer = gatherer.clone();
        std::thread::spawn(move || {
            runtime().block_on(async {
                let numbers = (worker * 200)..(worker * 200 + 200);
                let answers = join_all(numbers.clone().map(|number| gatherer.submit(number))).await;
                for (number, answer) in numbers.zip(answers) {
                    assert_eq!(answer, Ok(number * 2));
                }
            });
        })
    });
    home.block_on(async {
        while !workers.iter().all(|worker| worker.is_finished()) {
            tokio::task::yield_now().await;
        }
        gatherer.close().await;
    });
    for worker in workers {
        worker.join().expect("a worker finishes");
    }
}

#[tokio::test]
async fn given_a_batch_of_reads_when_nobody_waits_any_more_then_it_is_dropped_and_the_next_one_runs()
 {
    let running = Arc::new(());
    let held = Arc::clone(&running);
    let gatherer = Gatherer::spawn_reads("reads", 8, 8, move |batch: Vec<u32>| {
        let held = Arc::clone(&held);
        async move {
            if batch.contains(&0) {
                let _held = held;
                std::future::pending::<()>().await;
            }
            batch
        }
    });
    let submit = |number| {
        let gatherer = gatherer.clone();
        tokio::spawn(async move { gatherer.submit(number).await })
    };
    let begun = Arc::strong_count(&running);
    let (one, other) = (submit(0), submit(1));
    while Arc::strong_count(&running) == begun {
        tokio::task::yield_now().await;
    }
    one.abort();
    let next = submit(2);
    other.abort();
    assert_eq!(next.await.expect("not aborted"), Ok(2));
    assert_eq!(Arc::strong_count(&running), begun);
}
