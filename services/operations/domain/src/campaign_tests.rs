use super::*;
use crate::ApprovalState;
use crate::named::Named;
use crate::testing::{NOW, advertiser, by, campaign};

fn submitted() -> (Campaign, Approval) {
    let mut subject = campaign(&advertiser());
    let approval = subject
        .submit(ApprovalId::generate(), true, by("maker"), NOW)
        .unwrap();
    (subject, approval)
}

#[test]
fn approval_takes_two_people() {
    let (mut subject, mut approval) = submitted();
    let refused = subject.approve(&mut approval, by("maker"), NOW);
    assert!(matches!(refused, Err(Refusal::SelfApproval { .. })));
    assert_eq!(subject.state, CampaignState::PendingApproval);

    subject.approve(&mut approval, by("checker"), NOW).unwrap();

    assert_eq!(subject.state, CampaignState::Approved);
    assert_eq!(subject.approved_at, Some(NOW));
    assert_eq!(approval.state, ApprovalState::Approved);
}

#[test]
fn refused_or_withdrawn_it_may_be_asked_for_again() {
    let (mut subject, mut approval) = submitted();
    subject
        .disapprove(&mut approval, by("checker"), NOW)
        .unwrap();
    let mut second = subject
        .submit(ApprovalId::generate(), true, by("maker"), NOW)
        .unwrap();
    subject.withdraw(&mut second, by("maker"), NOW).unwrap();
    assert_eq!(subject.state, CampaignState::Draft);
    assert_eq!(subject.approval_id, Some(second.id));
}

#[test]
fn nothing_to_approve_is_refused() {
    let mut subject = campaign(&advertiser());
    let refused = subject.submit(ApprovalId::generate(), false, by("maker"), NOW);
    assert!(matches!(refused, Err(Refusal::CampaignIncomplete { .. })));
}

#[test]
fn the_state_decides_what_may_be_done() {
    use CampaignState::{Approved, Archived, Canceled, Disapproved, Draft, PendingApproval};
    // change, cancel, archive while the flight lasts, archive when it is over
    let table = [
        (Draft, [true, true, true, true]),
        (PendingApproval, [false, false, false, false]),
        (Approved, [true, true, false, true]),
        (Disapproved, [true, true, true, true]),
        (Canceled, [false, false, true, true]),
        (Archived, [false, false, false, false]),
    ];
    assert_eq!(table.len(), CampaignState::ALL.len());
    let later = Timestamp::from_micros(NOW.micros() + 1_000);
    for (state, allowed) in table {
        let in_state = || {
            let mut subject = campaign(&advertiser());
            subject.state = state;
            subject.flight.ends_at = Some(later);
            subject
        };
        let outcomes = [
            in_state()
                .change(CampaignChange::default(), Micros::ZERO, NOW)
                .is_ok(),
            in_state().cancel(NOW).is_ok(),
            in_state().archive(NOW).is_ok(),
            in_state().archive(later).is_ok(),
        ];
        assert_eq!(outcomes, allowed, "{state}");
    }
}

#[test]
fn caps_stay_within_the_budget() {
    let mut subject = campaign(&advertiser());
    let budget = |micros: i64| CampaignChange {
        budget: Some(Some(Micros::new(micros))),
        ..CampaignChange::default()
    };
    let caps = Micros::new(50);
    let refused = subject.change(budget(49), caps, NOW);
    assert!(matches!(refused, Err(Refusal::BudgetExceeded { .. })));
    subject.change(budget(50), caps, NOW).unwrap();
}

#[test]
fn once_approved_it_neither_moves_nor_gets_more_money() {
    let mut subject = campaign(&advertiser());
    subject.state = CampaignState::Approved;
    subject.budget = Some(Micros::new(100));
    let mut change = |change| subject.change(change, Micros::ZERO, NOW).is_ok();
    let budget = |micros: Option<i64>| CampaignChange {
        budget: Some(micros.map(Micros::new)),
        ..CampaignChange::default()
    };
    assert!(!change(budget(Some(101))));
    assert!(!change(budget(None)));
    assert!(change(budget(Some(99))));
    let moved = CampaignChange {
        starts_at: Some(NOW.plus(std::time::Duration::from_secs(1))),
        ..CampaignChange::default()
    };
    assert!(!change(moved));
}

#[test]
fn an_empty_flight_is_refused() {
    let mut subject = campaign(&advertiser());
    let empty = CampaignChange {
        ends_at: Some(Some(subject.flight.starts_at)),
        ..CampaignChange::default()
    };
    assert!(subject.change(empty, Micros::ZERO, NOW).is_err());
}

#[test]
fn an_archived_advertiser_orders_nothing() {
    let mut owner = advertiser();
    owner.archive(NOW).unwrap();
    let new = crate::testing::new_campaign(&owner);
    assert!(matches!(
        Campaign::create(new, &owner, NOW),
        Err(Refusal::ParentState { .. })
    ));
}
