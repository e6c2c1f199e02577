use super::*;
use crate::lease::LeaseRefusal;
use crate::testing::{NOW, account, advertiser, campaign, line_item};
use cleave_kernel::{AccountId, Micros};

/// A line item that serves; a test breaks what it is about.
struct World {
    line_item: LineItem,
    campaign: Campaign,
    advertiser: Advertiser,
    account: Option<AccountFacts>,
    lease: Option<LeaseFacts>,
    delivered: DeliveredFacts,
}

impl World {
    fn serving() -> Self {
        let mut owner = advertiser();
        owner.account_opened(AccountId::generate(), NOW);
        let mut order = campaign(&owner);
        order.state = CampaignState::Approved;
        let mut item = line_item(&order);
        item.terms_published(1, NOW);
        item.state = LineItemState::Enabled;
        Self {
            account: Some(account(&owner, AccountStanding::Active, 0)),
            line_item: item,
            campaign: order,
            advertiser: owner,
            lease: Some(LeaseFacts {
                serve_until: Some(NOW.plus(Duration::from_secs(60))),
                left: Micros::new(5),
                ..LeaseFacts::default()
            }),
            delivered: DeliveredFacts::default(),
        }
    }

    fn status(&self) -> (LineItemStatus, Vec<ReasonCode>) {
        let facts = StatusFacts {
            line_item: &self.line_item,
            campaign: &self.campaign,
            advertiser: &self.advertiser,
            account: self.account.as_ref(),
            lease: self.lease.as_ref(),
            delivered: self.delivered,
        };
        let computed = compute(&facts, NOW);
        let codes = computed.reasons.iter().map(|reason| reason.code).collect();
        (computed.status, codes)
    }
}

fn refusal() -> LeaseRefusal {
    LeaseRefusal {
        reason: "INSUFFICIENT_FUNDS".to_owned(),
        message: "no funds".to_owned(),
        at: NOW,
        account_revision: 1,
    }
}

#[test]
fn every_status_has_its_cause() {
    use LineItemStatus as S;
    use ReasonCode as R;
    type Break = fn(&mut World);
    let table: Vec<(Break, S, Vec<R>)> = vec![
        (|_| {}, S::Delivering, vec![]),
        (
            |w| w.line_item.state = LineItemState::Draft,
            S::Draft,
            vec![R::LineItemDraft],
        ),
        (
            |w| w.line_item.state = LineItemState::Paused,
            S::Paused,
            vec![R::LineItemPaused],
        ),
        (
            |w| w.line_item.state = LineItemState::Removed,
            S::Removed,
            vec![R::LineItemRemoved],
        ),
        (
            |w| w.campaign.state = CampaignState::Canceled,
            S::Ended,
            vec![R::CampaignStopped],
        ),
        (
            |w| w.line_item.flight.ends_at = Some(NOW),
            S::Ended,
            vec![R::FlightEnded],
        ),
        (
            |w| w.campaign.flight.ends_at = Some(NOW),
            S::Ended,
            vec![R::FlightEnded],
        ),
        (
            |w| w.line_item.limits.goal = Some(0),
            S::Completed,
            vec![R::GoalReached],
        ),
        (
            |w| w.line_item.limits.lifetime_cap = Some(Micros::ZERO),
            S::Completed,
            vec![R::LifetimeCapReached],
        ),
        (
            |w| {
                w.campaign.state = CampaignState::Draft;
                w.line_item.terms_version = 0;
            },
            S::Pending,
            vec![R::CampaignNotApproved, R::TermsMissing],
        ),
        (
            |w| w.advertiser.state = AdvertiserState::PendingBilling,
            S::Pending,
            vec![R::AdvertiserPendingBilling],
        ),
        (
            |w| w.advertiser.state = AdvertiserState::Suspended,
            S::Pending,
            vec![R::AdvertiserSuspended],
        ),
        (
            |w| w.campaign.flight.starts_at = NOW.plus(Duration::from_secs(1)),
            S::Pending,
            vec![R::FlightNotStarted],
        ),
        (|w| w.account = None, S::Pending, vec![R::AccountUnknown]),
        (
            |w| w.line_item.limits.daily_cap = Some(Micros::ZERO),
            S::Limited,
            vec![R::DailyCapReached],
        ),
    ];
    for (row, (break_it, status, reasons)) in table.into_iter().enumerate() {
        let mut world = World::serving();
        break_it(&mut world);
        assert_eq!(world.status(), (status, reasons), "row {row}");
    }
}

#[test]
fn money_decides_the_rest() {
    use AccountStanding::{Active, Blocked, OnHold, Stop};
    use LineItemStatus as S;
    use ReasonCode as R;
    let live = World::serving().lease.unwrap();
    let lease = |change: fn(&mut LeaseFacts)| {
        let mut lease = live.clone();
        change(&mut lease);
        Some(lease)
    };
    let refused = lease(|lease| lease.refusal = Some(refusal()));
    let dry = lease(|lease| lease.left = Micros::ZERO);
    let out = lease(|lease| lease.serve_until = Some(NOW));
    let away = lease(|lease| {
        lease.left = Micros::ZERO;
        lease.unreachable_since = Some(NOW);
    });
    let broke = lease(|lease| {
        lease.left = Micros::ZERO;
        lease.refusal = Some(refusal());
    });
    let table = [
        (
            Active,
            61,
            Some(live.clone()),
            S::Limited,
            vec![R::StandingStale],
        ),
        (
            OnHold,
            0,
            Some(live.clone()),
            S::Limited,
            vec![R::AccountOnHold],
        ),
        (
            Blocked,
            0,
            Some(live.clone()),
            S::AccountHold,
            vec![R::AccountBlocked],
        ),
        (Active, 0, refused, S::Limited, vec![R::FundsExhausted]),
        (Active, 0, None, S::Ready, vec![R::LeasePending]),
        (
            Active,
            61,
            None,
            S::Ready,
            vec![R::LeasePending, R::StandingStale],
        ),
        (Stop, 0, None, S::AccountHold, vec![R::AccountStop]),
        (Active, 0, dry, S::NoBudget, vec![R::LeaseUsedUp]),
        (Active, 0, out, S::NoBudget, vec![R::LeaseExpired]),
        (Active, 0, away, S::NoBudget, vec![R::BillingUnreachable]),
        (Active, 0, broke, S::NoBudget, vec![R::FundsExhausted]),
    ];
    for (row, (standing, age, lease, status, reasons)) in table.into_iter().enumerate() {
        let mut world = World::serving();
        world.account = Some(account(&world.advertiser, standing, age));
        world.lease = lease;
        assert_eq!(world.status(), (status, reasons), "row {row}");
    }
}

#[test]
fn a_house_line_item_serves_without_money() {
    let mut world = World::serving();
    world.line_item.kind = LineItemKind::House;
    world.account = None;
    world.lease = None;
    assert_eq!(world.status().0, LineItemStatus::Delivering);
}
