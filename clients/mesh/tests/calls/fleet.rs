//! One replica of three goes wrong: callers of methods that can be repeated do not notice.

use crate::peer::call;
use crate::replica::{Fleet, Load, Mode, WORK, until};
use std::time::Duration;
use tonic::Code;

const CALLERS: usize = 16;
/// What it may take to turn away from a bad replica.
const TURN: Duration = Duration::from_secs(2);

/// The part of the attempts, in percent, that replica 0 gets while so many calls are made.
async fn share(fleet: &Fleet, load: &Load, calls: usize) -> f64 {
    let before = fleet.sent();
    load.more(calls).await;
    let gained: Vec<f64> = fleet
        .sent()
        .iter()
        .zip(before)
        .map(|(after, before)| f64::from(u32::try_from(after - before).expect("few")))
        .collect();
    100.0 * gained[0] / gained.iter().sum::<f64>()
}

/// Breaks replica 0 under load, mends it, and holds the fleet to what the mesh promises.
async fn survive(break_it: impl Fn(&Fleet), mend: impl AsyncFn(&Fleet)) {
    let fleet = Fleet::start(3).await;
    let load = Load::start(&fleet.channel, "Read", CALLERS);
    fleet.warm().await;
    let fair = share(&fleet, &load, 1_000).await;

    break_it(&fleet);
    let turned = tokio::time::sleep(TURN);
    load.more(100).await;
    turned.await;
    let bad = share(&fleet, &load, 1_000).await;

    mend(&fleet).await;
    let before = fleet.replicas[0].calls();
    until(|| fleet.replicas[0].calls() > before + 200).await;

    let (made, failures) = load.stop().await;
    println!(
        "share {fair:.1} % before, {bad:.2} % while bad; {made} calls, {} failed",
        failures.len()
    );
    assert_eq!(failures.len(), 0, "{:?}", failures.first());
    assert!(fair > 15.0, "every replica gets its share: {fair}");
    assert!(bad < 2.0, "the bad one got {bad} %");
}

#[tokio::test]
async fn a_replica_that_dies_is_not_noticed() {
    survive(
        |fleet| fleet.replicas[0].kill(),
        async |fleet| fleet.replicas[0].revive().await,
    )
    .await;
}

#[tokio::test]
async fn a_replica_behind_a_black_hole_is_not_noticed() {
    survive(
        |fleet| fleet.proxies[0].black_hole(true),
        async |fleet| fleet.proxies[0].black_hole(false),
    )
    .await;
}

#[tokio::test]
async fn a_replica_that_refuses_at_once_is_not_noticed() {
    survive(
        |fleet| fleet.replicas[0].set(Mode::Refuse(Code::Unavailable)),
        async |fleet| fleet.replicas[0].set(Mode::Answer(WORK)),
    )
    .await;
}

#[tokio::test]
async fn a_replica_that_is_a_hundred_times_slower_is_not_noticed() {
    survive(
        |fleet| fleet.replicas[0].set(Mode::Answer(WORK * 100)),
        async |fleet| fleet.replicas[0].set(Mode::Answer(WORK)),
    )
    .await;
}

#[tokio::test]
async fn connections_that_end_in_good_order_lose_nothing() {
    let fleet = Fleet::start(2).await;
    // A method that must not be sent twice: only what no replica saw is sent again.
    let load = Load::start(&fleet.channel, "Write", CALLERS);
    fleet.warm().await;

    for round in 0..40 {
        fleet.replicas[round % 2].go_away();
        load.more(50).await;
    }

    let (made, failures) = load.stop().await;
    assert_eq!(failures.len(), 0, "{:?}", failures.first());
    let arrived: usize = fleet.replicas.iter().map(|one| one.calls()).sum();
    assert_eq!(arrived, made, "each call was carried out once");
}

#[tokio::test]
async fn a_peer_of_which_nothing_is_left_is_not_stormed_and_comes_back_at_once() {
    let fleet = Fleet::start(2).await;
    let load = Load::start(&fleet.channel, "Read", CALLERS);
    fleet.warm().await;
    for replica in &fleet.replicas {
        replica.set(Mode::Refuse(Code::Unavailable));
    }
    let arrived = || fleet.replicas.iter().map(|one| one.calls()).sum::<usize>();
    let (calls, attempts) = (load.made(), arrived());
    load.more(2_000).await;
    let (calls, attempts) = (load.made() - calls, arrived() - attempts);
    println!("{calls} calls made {attempts} attempts");
    assert!(
        attempts * 10 <= calls * 12 + 100,
        "{calls} calls made {attempts} attempts"
    );

    for replica in &fleet.replicas {
        replica.kill();
    }
    load.more(200).await;
    for replica in &fleet.replicas {
        replica.revive().await;
        replica.set(Mode::Answer(WORK));
    }
    let back = std::time::Instant::now();
    let before = arrived();
    until(|| arrived() > before + 100).await;
    assert!(
        back.elapsed() < Duration::from_secs(1),
        "{:?}",
        back.elapsed()
    );
    load.stop().await;
}

#[tokio::test]
async fn the_first_call_after_a_restart_is_answered_though_it_may_not_be_repeated() {
    let fleet = Fleet::start(1).await;
    crate::peer::unary(&fleet.channel, "Write", "one")
        .await
        .expect("answered");
    fleet.replicas[0].kill();
    until(|| fleet.state_of(0) == "unreachable").await;
    let down = crate::peer::unary(&fleet.channel, "Write", "two")
        .await
        .expect_err("nobody is there");
    assert_eq!(down.code(), Code::Unavailable, "{down:?}");

    fleet.replicas[0].revive().await;

    crate::peer::unary(&fleet.channel, "Write", "three")
        .await
        .expect("answered");
}

#[tokio::test]
async fn answers_that_are_late_everywhere_are_waited_for() {
    let fleet = Fleet::start(2).await;
    fleet.reach_all().await;
    for replica in &fleet.replicas {
        replica.set(Mode::Answer(Duration::from_millis(2_500)));
    }

    // More calls than may be repeated, each with time for one late answer but not for two.
    let calls = (0..100).map(|_| {
        let mut request = tonic::Request::new("x".to_owned());
        request.set_timeout(Duration::from_secs(4));
        call(&fleet.channel, "Read", request)
    });
    let answers = futures::future::join_all(calls).await;

    let failures: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .collect();
    assert!(
        failures.is_empty(),
        "{} failed: {:?}",
        failures.len(),
        failures.first()
    );
}

#[tokio::test]
async fn a_final_answer_to_a_late_copy_is_not_held_back_for_the_silent_replica() {
    let fleet = Fleet::start(2).await;
    fleet.reach_all().await;
    fleet.replicas[0].set(Mode::Answer(Duration::from_secs(60)));
    fleet.replicas[1].set(Mode::Refuse(Code::NotFound));

    let before = fleet.replicas[0].calls();
    // At once, so that both replicas get some of them.
    let calls = (0..8).map(|_| {
        let mut request = tonic::Request::new("x".to_owned());
        request.set_timeout(Duration::from_secs(4));
        call(&fleet.channel, "Read", request)
    });
    let answers = futures::future::join_all(calls).await;

    assert!(
        fleet.replicas[0].calls() > before,
        "the silent one was asked"
    );
    for answer in answers {
        let status = answer.expect_err("there is nothing to be found");
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
    }
}

#[tokio::test]
async fn given_a_replica_that_was_slow_when_it_comes_back_then_its_past_is_not_held_against_it() {
    let fleet = Fleet::start(2).await;
    fleet.reach_all().await;
    fleet.replicas[0].set(Mode::Answer(WORK * 200));
    let before = fleet.replicas[0].calls();
    let read = || crate::peer::unary(&fleet.channel, "Read", "x");
    while fleet.replicas[0].calls() == before {
        read().await.expect("answered");
    }
    // What the other one needs is what is typical.
    for _ in 0..60 {
        read().await.expect("answered");
    }

    fleet.replicas[0].kill();
    until(|| fleet.state_of(0) == "unreachable").await;
    fleet.replicas[0].revive().await;
    fleet.replicas[0].set(Mode::Answer(WORK));
    until(|| fleet.state_of(0) == "ready").await;

    let before = fleet.replicas[0].calls();
    for _ in 0..100 {
        read().await.expect("answered");
    }
    let share = fleet.replicas[0].calls() - before;
    assert!(share > 10, "{share} of 100 calls");
}
