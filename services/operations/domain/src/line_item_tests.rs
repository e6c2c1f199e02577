use super::*;
use crate::CampaignState;
use crate::account::AccountStanding;
use crate::named::Named;
use crate::testing::{NOW, account, advertiser, campaign, line_item, new_line_item};
use cleave_kernel::AccountId;
use std::time::Duration;

fn active() -> Advertiser {
    let mut owner = advertiser();
    owner.account_opened(AccountId::generate(), NOW);
    owner
}

fn with_terms(owner: &Advertiser) -> LineItem {
    let mut subject = line_item(&campaign(owner));
    subject.terms_published(1, NOW);
    subject
}

#[test]
fn enabling_needs_terms_an_active_advertiser_and_a_fresh_good_standing() {
    let waiting = advertiser();
    let owner = active();
    let good = account(&owner, AccountStanding::Active, 0);
    let refused = |subject: &mut LineItem, owner: &Advertiser, facts: Option<&AccountFacts>| {
        subject.enable(owner, facts, NOW).unwrap_err()
    };

    let mut bare = line_item(&campaign(&owner));
    assert!(matches!(
        refused(&mut bare, &owner, Some(&good)),
        Refusal::TermsMissing { .. }
    ));
    assert!(matches!(
        refused(&mut with_terms(&waiting), &waiting, Some(&good)),
        Refusal::BillingAccountPending { .. }
    ));
    assert!(matches!(
        refused(&mut with_terms(&owner), &owner, None),
        Refusal::BillingAccountPending { .. }
    ));
    let on_hold = account(&owner, AccountStanding::OnHold, 0);
    assert!(matches!(
        refused(&mut with_terms(&owner), &owner, Some(&on_hold)),
        Refusal::AccountStanding { .. }
    ));
    let stale = account(&owner, AccountStanding::Active, 901);
    assert!(matches!(
        refused(&mut with_terms(&owner), &owner, Some(&stale)),
        Refusal::StandingStale {
            age_seconds: 901,
            ..
        }
    ));
    let mut subject = with_terms(&owner);
    subject.enable(&owner, Some(&good), NOW).unwrap();
    assert_eq!(subject.state, LineItemState::Enabled);
}

#[test]
fn a_house_line_item_needs_no_account() {
    let owner = active();
    let mut subject = with_terms(&owner);
    subject.kind = LineItemKind::House;
    assert!(subject.enable(&owner, None, NOW).is_ok());
}

#[test]
fn the_state_decides_what_may_be_done() {
    let owner = active();
    let good = account(&owner, AccountStanding::Active, 0);
    // enable, pause, remove, change
    let table = [
        (LineItemState::Draft, [true, false, true, true]),
        (LineItemState::Enabled, [false, true, true, true]),
        (LineItemState::Paused, [true, false, true, true]),
        (LineItemState::Removed, [false, false, false, false]),
    ];
    assert_eq!(table.len(), LineItemState::ALL.len());
    for (state, allowed) in table {
        let order = campaign(&owner);
        let in_state = || {
            let mut subject = line_item(&order);
            subject.terms_published(1, NOW);
            subject.state = state;
            subject
        };
        let outcomes = [
            in_state().enable(&owner, Some(&good), NOW).is_ok(),
            in_state().pause(NOW).is_ok(),
            in_state().remove(NOW).is_ok(),
            in_state()
                .change(LineItemChange::default(), &order, Micros::ZERO, NOW)
                .is_ok(),
        ];
        assert_eq!(outcomes, allowed, "{state}");
    }
}

#[test]
fn flight_and_cap_fit_into_the_campaign() {
    let mut order = campaign(&active());
    let hour = Duration::from_secs(3600);
    order.flight.ends_at = Some(NOW.plus(hour));
    order.budget = Some(Micros::new(100));
    let create = |flight: Flight, cap: i64, others: i64| {
        let new = NewLineItem {
            flight,
            limits: Limits {
                lifetime_cap: Some(Micros::new(cap)),
                ..Limits::default()
            },
            ..new_line_item(&order)
        };
        LineItem::create(new, &order, Micros::new(others), NOW)
    };
    let flight = |starts_at, ends_at| Flight { starts_at, ends_at };
    assert!(create(order.flight, 60, 40).is_ok());
    assert!(matches!(
        create(order.flight, 61, 40),
        Err(Refusal::BudgetExceeded { .. })
    ));
    for wrong in [
        flight(NOW.minus(hour), None),
        flight(NOW.plus(hour), None),
        flight(NOW, Some(NOW.plus(2 * hour))),
    ] {
        assert!(matches!(create(wrong, 1, 0), Err(Refusal::Invalid { .. })));
    }
}

#[test]
fn nothing_changes_while_the_campaign_waits_for_approval() {
    let mut order = campaign(&active());
    let mut subject = line_item(&order);
    order.state = CampaignState::PendingApproval;
    let refused = subject.change(LineItemChange::default(), &order, Micros::ZERO, NOW);
    assert!(matches!(refused, Err(Refusal::ParentState { .. })));
}

#[test]
fn limits_lie_above_zero() {
    let zero_goal = Limits {
        goal: Some(0),
        ..Limits::default()
    };
    assert_eq!(zero_goal.checked().unwrap_err().field, "goal_count");
    assert!(Limits::default().checked().is_ok());
}
