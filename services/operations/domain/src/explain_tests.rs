use super::*;
use crate::account::AccountStanding;
use crate::delivery_total::DeliveredFacts;
use crate::lease::LeaseFacts;
use crate::line_item_status::compute;
use crate::testing::{NOW, account, advertiser, campaign, line_item};
use crate::{CampaignState, LineItemState};
use cleave_kernel::{AccountId, Micros};

fn verdicts(
    change: impl Fn(&mut LineItemState, &mut CampaignState, &mut AccountStanding, &mut LeaseFacts),
) -> Vec<ExplainStep> {
    let mut owner = advertiser();
    owner.account_opened(AccountId::generate(), NOW);
    let mut order = campaign(&owner);
    let mut item = line_item(&order);
    item.terms_published(1, NOW);
    item.state = LineItemState::Enabled;
    order.state = CampaignState::Approved;
    let mut standing = AccountStanding::Active;
    let mut lease = LeaseFacts {
        serve_until: Some(NOW.plus(Duration::from_secs(60))),
        left: Micros::new(5),
        ..LeaseFacts::default()
    };
    change(&mut item.state, &mut order.state, &mut standing, &mut lease);
    let known = account(&owner, standing, 90);
    let facts = StatusFacts {
        line_item: &item,
        campaign: &order,
        advertiser: &owner,
        account: Some(&known),
        lease: Some(&lease),
        delivered: DeliveredFacts::default(),
    };
    let steps = explain(&facts, Evidence::default(), NOW);
    // Whatever the status says why, some step says too.
    let told: Vec<&Reason> = steps.iter().flat_map(|step| &step.reasons).collect();
    for reason in compute(&facts, NOW).reasons {
        assert!(told.contains(&&reason), "{reason:?}");
    }
    steps
}

fn step(steps: &[ExplainStep], subject: Subject) -> &ExplainStep {
    steps.iter().find(|step| step.subject == subject).unwrap()
}

#[test]
fn every_subject_is_looked_at_once_in_order() {
    let steps = verdicts(|_, _, _, _| {});
    let subjects: Vec<Subject> = steps.iter().map(|step| step.subject).collect();
    assert_eq!(subjects, Subject::ALL);
    let blocked = steps.iter().filter(|step| step.verdict == Verdict::Block);
    assert_eq!(blocked.count(), 0);
    // The projection is 90 s old, and says so.
    let account = step(&steps, Subject::Account);
    assert_eq!(account.verdict, Verdict::Limit);
    assert_eq!(account.age, Duration::from_secs(90));
    assert_eq!(account.revision, 1);
    assert_eq!(account.source, FactSource::Billing);
}

#[test]
fn a_weighty_reason_does_not_hide_the_others() {
    let steps = verdicts(|item, order, standing, lease| {
        *item = LineItemState::Paused;
        *order = CampaignState::Draft;
        *standing = AccountStanding::Blocked;
        *lease = LeaseFacts::default();
    });
    for subject in [Subject::LineItem, Subject::Campaign, Subject::Account] {
        let step = step(&steps, subject);
        assert_eq!(step.verdict, Verdict::Block, "{subject}");
        assert!(!step.reasons.is_empty() && !step.message.is_empty());
    }
    assert_eq!(step(&steps, Subject::Flight).verdict, Verdict::Pass);
}

#[test]
fn a_lease_that_ran_out_while_billing_is_away_tells_both() {
    let steps = verdicts(|_, _, _, lease| {
        lease.serve_until = Some(NOW);
        lease.left = Micros::ZERO;
        lease.unreachable_since = Some(NOW.minus(Duration::from_secs(30)));
    });
    let lease = step(&steps, Subject::Lease);
    assert_eq!(lease.verdict, Verdict::Block);
    assert!(
        lease.message.contains("has not answered"),
        "{}",
        lease.message
    );
}
