//! The rules of accounts, standing and reservations, case by case.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod common;

use billing_domain::account::{Mode, OpsRef, State as AccountState};
use billing_domain::adjustment::{Direction, Kind};
use billing_domain::chart::{Code, LedgerKey};
use billing_domain::refusal::Refusal;
use billing_domain::reservation::{CloseCause, State};
use billing_domain::standing::{ClearStandingOverride, OverrideStanding, Standing, StandingReason};
use billing_domain::transfer::{Group, Reason};
use cleave_kernel::Micros;
use common::{World, inr, line_item, opening};
use std::time::Duration;

fn standing(world: &World) -> (Standing, Vec<StandingReason>) {
    let account = world.account();
    let position = world.work.position(account).unwrap();
    position.standing(account, world.work.now())
}

#[test]
fn opening_again_answers_the_account_and_other_terms_are_refused() {
    let mut world = World::open(Mode::Prepaid, 0);
    let owner = OpsRef::Advertiser(world.advertiser);
    let again = world.work.open_account(&opening(owner, Mode::Prepaid, 0));
    assert_eq!(again.unwrap().account.id, world.account);
    let other = world.work.open_account(&opening(owner, Mode::Postpaid, 0));
    assert!(matches!(
        other,
        Err(Refusal::AccountAlreadyExists { account, mode: Mode::Prepaid, .. }) if account == world.account
    ));
}

#[test]
fn prepaid_gives_no_credit() {
    let mut world = World::open(Mode::Prepaid, 0);
    assert!(matches!(
        world.limit(1),
        Err(Refusal::CreditNotAllowed { .. })
    ));
}

#[test]
fn a_limit_below_what_is_used_and_held_is_refused() {
    let mut world = World::prepaid_with_credit(100);
    world.reserve(line_item(0), 60, 1).unwrap();
    assert_eq!(
        world.limit(59),
        Err(Refusal::CreditLimitBelowUse {
            account: world.account,
            used: Micros::new(60),
            credit_limit: Micros::new(59)
        })
    );
    assert!(world.limit(60).is_ok());
    assert_eq!(world.free(), Micros::ZERO);
}

#[test]
fn a_stale_etag_changes_nothing() {
    let mut world = World::prepaid_with_credit(100);
    let stale = world.account().etag();
    world.limit(200).unwrap();
    let refused = world.work.clear_standing_override(&ClearStandingOverride {
        account: world.account,
        etag: stale,
    });
    assert!(
        matches!(refused, Err(Refusal::StaleEtag { etag, .. }) if etag == world.account().etag())
    );
}

#[test]
fn a_grant_is_what_is_free_when_that_is_of_use() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let granted = world.reserve(line_item(0), 150, 100).unwrap();
    assert_eq!(granted.reservation.granted, Micros::new(100));
    assert_eq!(
        world.reserve(line_item(0), 150, 1),
        Err(Refusal::InsufficientFunds {
            account: world.account,
            available: Micros::ZERO,
            requested: Micros::new(1),
            currency: inr()
        })
    );
}

#[test]
fn a_hold_is_drawn_in_parts_and_closes_when_used() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 100, 1).unwrap().reservation.id;
    for _ in 0..4 {
        world.draw(hold, 25).unwrap();
    }
    let closed = world.work.reservation(hold).unwrap();
    assert_eq!(closed.state, State::Closed(CloseCause::Used));
    assert!(matches!(world.draw(hold, 1), Err(Refusal::Broken { .. })));
    assert!(matches!(
        world.release(hold, 0),
        Err(Refusal::ReservationClosed { .. })
    ));
}

#[test]
fn a_release_keeps_what_was_counted_until_its_rows_arrive() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 100, 1).unwrap().reservation.id;
    world.draw(hold, 10).unwrap();
    let released = world.release(hold, 40).unwrap();
    assert_eq!(
        (released.kept, released.freed),
        (Micros::new(30), Micros::new(60))
    );
    assert_eq!(released.reservation.state, State::Settling);
    assert_eq!(world.free(), Micros::new(60));
    world.draw(hold, 30).unwrap();
    let closed = world.work.reservation(hold).unwrap().state;
    assert_eq!(closed, State::Closed(CloseCause::Used));
}

#[test]
fn a_release_without_spend_voids_the_hold() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 100, 1).unwrap().reservation.id;
    let released = world.release(hold, 0).unwrap();
    assert_eq!(
        released.reservation.state,
        State::Closed(CloseCause::Voided)
    );
    assert_eq!(world.free(), Micros::new(100));
}

#[test]
fn a_hold_settles_then_expires_by_the_clock() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 100, 1).unwrap().reservation.id;
    assert_eq!(world.expire(&[hold]), 0);
    world.advance(60);
    assert_eq!(world.expire(&[hold]), 1);
    assert_eq!(world.work.reservation(hold).unwrap().state, State::Settling);
    assert_eq!(world.expire(&[hold]), 0, "nothing moves twice");
    world.draw(hold, 30).unwrap();
    world.advance(60);
    assert_eq!(world.expire(&[hold]), 1);
    let closed = world.work.reservation(hold).unwrap();
    assert_eq!(closed.state, State::Closed(CloseCause::Expired));
    assert_eq!(closed.freed, Micros::new(70));
    assert_eq!(world.free(), Micros::new(70));
}

#[test]
fn holds_are_drawn_oldest_first() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    let first = world.reserve(line_item(0), 10, 1).unwrap().reservation.id;
    world.advance(1);
    let second = world.reserve(line_item(0), 10, 1).unwrap().reservation.id;
    world.reserve(line_item(1), 10, 1).unwrap();
    assert_eq!(
        world.work.live_holds(world.account, line_item(0)),
        vec![first, second]
    );
}

#[test]
fn an_override_counts_until_its_end_and_a_block_refuses_reservations() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    assert_eq!(standing(&world), (Standing::Active, vec![]));
    let blocked = OverrideStanding {
        account: world.account,
        etag: world.account().etag(),
        standing: Standing::Blocked,
        reason: "chargeback".to_owned(),
        actor: "finance".to_owned(),
        ends_at: world.work.now().plus(Duration::from_secs(10)),
    };
    world.work.override_standing(&blocked).unwrap();
    assert_eq!(
        standing(&world),
        (Standing::Blocked, vec![StandingReason::Override])
    );
    assert!(matches!(
        world.reserve(line_item(0), 10, 1),
        Err(Refusal::AccountBlocked { .. })
    ));
    world.advance(10);
    assert_eq!(standing(&world).0, Standing::Active);
    assert_eq!(world.work.expire_overrides(&[world.account]), 1);
    assert!(world.account().standing_override.is_none());
    let etag = world.account().etag();
    let account = world.account;
    let cleared = world
        .work
        .clear_standing_override(&ClearStandingOverride { account, etag });
    assert!(matches!(
        cleared,
        Err(Refusal::StandingNotOverridden { .. })
    ));
}

#[test]
fn standing_follows_the_money_and_ignores_holds() {
    let mut world = World::open(Mode::Prepaid, 0);
    assert_eq!(
        standing(&world),
        (Standing::OnHold, vec![StandingReason::NoFunds])
    );
    world.pay(100).unwrap();
    let hold = world.reserve(line_item(0), 100, 1).unwrap().reservation.id;
    assert_eq!(standing(&world).0, Standing::Active);
    world.draw(hold, 100).unwrap();
    assert_eq!(standing(&world).0, Standing::OnHold);
    let mut group = Group::new("test");
    group.single(
        world.ledger(Code::DeliveryUnfunded),
        world.platform(Code::DeliveryClearing),
        Micros::new(5),
        Reason::Unfunded,
    );
    world.work.commit(group).unwrap();
    assert_eq!(
        standing(&world),
        (
            Standing::Stop,
            vec![StandingReason::NoFunds, StandingReason::UnfundedDelivery]
        )
    );
}

#[test]
fn an_account_closes_only_when_empty_and_stays_closed() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    assert!(matches!(
        world.close(),
        Err(Refusal::AccountNotEmpty { balance, .. }) if balance == Micros::new(100)
    ));
    world.debit(100).unwrap();
    assert_eq!(world.close().unwrap().account.state, AccountState::Closed);
    assert!(matches!(world.pay(1), Err(Refusal::AccountClosed { .. })));
    assert!(matches!(world.close(), Err(Refusal::AccountClosed { .. })));
    assert_eq!(standing(&world).0, Standing::Blocked);
}

#[test]
fn a_clawback_beyond_what_was_earned_is_owed() {
    let mut world = World::open(Mode::Prepaid, 0);
    let publisher = world.publisher_account;
    world
        .adjust(publisher, Kind::Goodwill, Direction::Credit, 30)
        .unwrap();
    assert!(matches!(
        world.adjust(publisher, Kind::Discrepancy, Direction::Debit, 31),
        Err(Refusal::InsufficientFunds { .. })
    ));
    world
        .adjust(publisher, Kind::Clawback, Direction::Debit, 50)
        .unwrap();
    let owed = LedgerKey::account(publisher, inr(), Code::ClawbackReceivable);
    let owed = world.work.book().counters(owed).debits_posted;
    assert_eq!(owed, Micros::new(20));
    assert!(matches!(
        world.adjust(world.account, Kind::Clawback, Direction::Debit, 1),
        Err(Refusal::WrongParty { .. })
    ));
}

#[test]
fn a_payment_is_recorded_once() {
    let mut world = World::open(Mode::Prepaid, 0);
    let first = world.pay(100).unwrap().payment;
    world.work.load_payment("pay-2".to_owned(), first.id);
    assert_eq!(
        world.pay(100),
        Err(Refusal::PaymentAlreadyRecorded {
            external_ref: "pay-2".to_owned(),
            payment: first.id
        })
    );
    assert_eq!(
        world.pay(i64::MAX),
        Err(Refusal::AmountOverflow {
            account: world.account
        })
    );
    assert_eq!(world.free(), Micros::new(100));
}
