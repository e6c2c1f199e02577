//! The ledger against a naive oracle: whatever people do, in whatever order, the invariants hold.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod common;

use billing_domain::book::{Book, LedgerAccount};
use billing_domain::chart::Code;
use billing_domain::transfer::{Group, Kind, Reason, Transfer};
use billing_domain::{Refusal, Work};
use cleave_kernel::{Micros, ReservationId};
use common::{World, line_item};
use proptest::prelude::*;
use std::collections::HashMap;

/// One thing that somebody does to the only advertiser.
#[derive(Debug, Clone)]
enum Step {
    Pay(i64),
    Reserve { amount: i64, min: i64, line: u8 },
    Draw { hold: usize, amount: i64 },
    Release { hold: usize, counted: i64 },
    Advance(u64),
    Limit(i64),
    Debit(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![1..2_000_i64, Just(i64::MAX), 1..i64::MAX];
    let small = 1..1_000_i64;
    prop_oneof![
        amount.prop_map(Step::Pay),
        (small.clone(), small.clone(), 0..3_u8).prop_map(|(amount, min, line)| Step::Reserve {
            amount: amount.max(min),
            min,
            line
        }),
        (0..8_usize, small.clone()).prop_map(|(hold, amount)| Step::Draw { hold, amount }),
        (0..8_usize, 0..1_000_i64).prop_map(|(hold, counted)| Step::Release { hold, counted }),
        (0..90_u64).prop_map(Step::Advance),
        (0..2_000_i64).prop_map(Step::Limit),
        small.prop_map(Step::Debit),
    ]
}

/// Applies a step; answers whether it was accepted.
fn take(world: &mut World, holds: &mut Vec<ReservationId>, step: &Step) -> bool {
    match step {
        Step::Pay(amount) => world.pay(*amount).is_ok(),
        Step::Reserve { amount, min, line } => world
            .reserve(line_item(*line), *amount, *min)
            .map(|reserved| holds.push(reserved.reservation.id))
            .is_ok(),
        Step::Draw { hold, amount } => holds
            .get(*hold)
            .is_some_and(|id| world.draw(*id, *amount).is_ok()),
        Step::Release { hold, counted } => holds
            .get(*hold)
            .is_some_and(|id| world.release(*id, *counted).is_ok()),
        Step::Advance(seconds) => {
            world.advance(*seconds);
            world.expire(holds);
            true
        }
        Step::Limit(limit) => world.limit(*limit).is_ok(),
        Step::Debit(amount) => world.debit(*amount).is_ok(),
    }
}

/// I1: per currency, debits equal credits, posted and pending apart.
fn check_balanced(work: &Work) {
    let sum = |pick: fn(&LedgerAccount) -> Micros| {
        Micros::checked_sum(work.book().accounts().map(pick)).map(Micros::get)
    };
    let wide = |pick: fn(&LedgerAccount) -> Micros| -> i128 {
        work.book()
            .accounts()
            .map(|account| i128::from(pick(account).get()))
            .sum()
    };
    assert_eq!(
        wide(|a| a.counters.debits_posted),
        wide(|a| a.counters.credits_posted)
    );
    assert_eq!(
        sum(|a| a.counters.debits_pending),
        sum(|a| a.counters.credits_pending)
    );
}

/// I2: the counters are the fold of the transfers, by the book and by an oracle that knows no rule.
fn check_replay(work: &Work) {
    let mut replayed = Book::default();
    for account in work.book().accounts() {
        replayed.load(LedgerAccount::new(account.key));
    }
    for transfer in work.staged() {
        replayed.post(std::slice::from_ref(transfer)).unwrap();
    }
    assert!(replayed.accounts().eq(work.book().accounts()));
    for account in work.book().accounts() {
        let id = account.key.id();
        let total = |side: fn(&Transfer) -> _, kinds: &[Kind]| -> i128 {
            work.staged()
                .iter()
                .filter(|t| side(t) == id && kinds.contains(&t.kind))
                .map(|t| i128::from(t.amount.get()))
                .sum()
        };
        let moved = [Kind::Single, Kind::Post];
        let debits = |kinds: &[Kind]| total(|t| t.debit, kinds);
        assert_eq!(
            i128::from(account.counters.debits_posted.get()),
            debits(&moved)
        );
        assert_eq!(
            i128::from(account.counters.credits_posted.get()),
            total(|t| t.credit, &moved)
        );
        assert_eq!(
            i128::from(account.counters.debits_pending.get()),
            debits(&[Kind::Pending]) - debits(&[Kind::Post, Kind::Void])
        );
    }
}

/// I4: what is posted and freed never exceeds the grant, and a closed reservation holds nothing.
fn check_reservations(work: &Work, holds: &[ReservationId]) {
    let mut drawn: HashMap<_, i128> = HashMap::new();
    for transfer in work.staged() {
        if let Some(pending) = transfer.pending {
            *drawn.entry(pending).or_default() += i128::from(transfer.amount.get());
        }
    }
    for id in holds {
        let reservation = work.reservation(*id).unwrap();
        let left = reservation.left().unwrap();
        assert!(!left.is_negative());
        assert_eq!(reservation.is_live(), left.is_positive());
        assert_eq!(
            i128::from(reservation.granted.get()) - i128::from(left.get()),
            drawn
                .get(&reservation.pending())
                .copied()
                .unwrap_or_default()
        );
    }
}

proptest! {
    #[test]
    fn any_history_keeps_the_invariants(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::prepaid_with_credit(500);
        let mut holds = Vec::new();
        for step in &steps {
            let before = world.work.clone();
            let accepted = take(&mut world, &mut holds, step);
            if !accepted {
                prop_assert!(before.book().accounts().eq(world.work.book().accounts()), "a refusal changed the book");
                prop_assert_eq!(before.staged(), world.work.staged());
            }
            prop_assert!(!world.free().is_negative(), "I3: {:?}", step);
            prop_assert_eq!(world.work.overdrawn(), None);
        }
        check_balanced(&world.work);
        check_replay(&world.work);
        check_reservations(&world.work, &holds);
    }
}

#[test]
fn a_group_is_posted_whole_or_not_at_all() {
    let mut world = World::prepaid_with_credit(0);
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 50, 1).unwrap().reservation.id;
    let before = world.work.clone();
    let mut group = Group::new("test");
    group.draw(hold, Micros::new(30), Reason::Charge);
    group.single(
        world.ledger(Code::AdvertiserBalance),
        world.platform(Code::DeliveryClearing),
        Micros::new(10),
        Reason::Charge,
    );
    group.draw(hold, Micros::new(30), Reason::Charge);
    let refused = world.work.commit(group).unwrap_err();
    assert!(matches!(refused, Refusal::Broken { .. }), "{refused}");
    assert!(before.book().accounts().eq(world.work.book().accounts()));
    assert_eq!(world.work.reservation(hold), before.reservation(hold));
    assert!(world.draw(hold, 50).is_ok(), "the hold is as it was");
}

#[test]
fn a_negative_amount_moves_the_other_way() {
    let mut world = World::prepaid_with_credit(0);
    world.pay(100).unwrap();
    let mut group = Group::new("test");
    let (balance, clearing) = (
        world.ledger(Code::AdvertiserBalance),
        world.platform(Code::DeliveryClearing),
    );
    group.single(balance, clearing, Micros::new(-40), Reason::Charge);
    group.single(balance, clearing, Micros::ZERO, Reason::Charge);
    world.work.commit(group).unwrap();
    assert_eq!(world.free(), Micros::new(140));
    assert_eq!(world.work.staged().len(), 2);
}

#[test]
fn the_most_negative_amount_is_refused_not_wrapped() {
    let mut world = World::prepaid_with_credit(0);
    let mut group = Group::new("test");
    let (balance, clearing) = (
        world.ledger(Code::AdvertiserBalance),
        world.platform(Code::DeliveryClearing),
    );
    group.single(balance, clearing, Micros::new(i64::MIN), Reason::Charge);
    assert!(world.work.commit(group).is_err());
}
