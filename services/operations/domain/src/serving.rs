//! Which line items are to have leases.

use cleave_kernel::{Micros, Timestamp};
use std::time::Duration;

use crate::LineItemKind;
use crate::lease::{Demand, LeaseFacts};
use crate::line_item_status::{LineItemStatus, ReasonCode, StatusFacts, compute};

/// Whether the line item would serve if it had money: then it is to have a lease.
pub fn wants_lease(facts: &StatusFacts<'_>, now: Timestamp) -> bool {
    if facts.line_item.kind == LineItemKind::House {
        return false;
    }
    let plenty = LeaseFacts {
        serve_until: Some(now.plus(Duration::from_secs(1))),
        left: Micros::MAX,
        ..LeaseFacts::default()
    };
    let supposed = StatusFacts {
        lease: Some(&plenty),
        ..*facts
    };
    let computed = compute(&supposed, now);
    match computed.status {
        LineItemStatus::Delivering => true,
        LineItemStatus::Limited => computed
            .reasons
            .iter()
            .all(|reason| reason.code != ReasonCode::DailyCapReached),
        LineItemStatus::Draft
        | LineItemStatus::Paused
        | LineItemStatus::Removed
        | LineItemStatus::Pending
        | LineItemStatus::Ready
        | LineItemStatus::NoBudget
        | LineItemStatus::AccountHold
        | LineItemStatus::Completed
        | LineItemStatus::Ended => false,
    }
}

/// What the size of the next lease follows from, `today` being how long the civil day has lasted.
pub fn demand(facts: &StatusFacts<'_>, today: Duration) -> Demand {
    /// A day that has just begun says too little about the pace.
    const LEAST_SPAN: Duration = Duration::from_secs(3600);
    let limits = facts.line_item.limits;
    let left = |cap: Micros, served: Micros| cap.checked_sub(served).unwrap_or(Micros::ZERO);
    Demand {
        recent: facts.delivered.served_today,
        recent_span: today.max(LEAST_SPAN),
        lifetime_left: limits
            .lifetime_cap
            .map(|cap| left(cap, facts.delivered.served)),
        today_left: limits
            .daily_cap
            .map(|cap| left(cap, facts.delivered.served_today)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AccountFacts, AccountStanding};
    use crate::delivery_total::DeliveredFacts;
    use crate::testing::{NOW, account, advertiser, campaign, line_item};
    use crate::{Advertiser, Campaign, CampaignState, LineItem, LineItemState};
    use cleave_kernel::AccountId;

    struct World {
        line_item: LineItem,
        campaign: Campaign,
        advertiser: Advertiser,
        account: AccountFacts,
        delivered: DeliveredFacts,
    }

    impl World {
        fn ready() -> Self {
            let mut advertiser = advertiser();
            advertiser.account_opened(AccountId::generate(), NOW);
            let mut campaign = campaign(&advertiser);
            campaign.state = CampaignState::Approved;
            let mut line_item = line_item(&campaign);
            line_item.terms_published(1, NOW);
            line_item.state = LineItemState::Enabled;
            Self {
                account: account(&advertiser, AccountStanding::Active, 0),
                line_item,
                campaign,
                advertiser,
                delivered: DeliveredFacts::default(),
            }
        }

        fn facts(&self) -> StatusFacts<'_> {
            StatusFacts {
                line_item: &self.line_item,
                campaign: &self.campaign,
                advertiser: &self.advertiser,
                account: Some(&self.account),
                lease: None,
                delivered: self.delivered,
            }
        }
    }

    #[test]
    fn only_what_would_serve_with_money_wants_a_lease() {
        type Change = fn(&mut World);
        let cases: [(Change, bool); 8] = [
            (|_| {}, true),
            (
                |w| w.account.account.standing = AccountStanding::OnHold,
                true,
            ),
            (|w| w.account.age = Duration::from_secs(9999), true),
            (
                |w| w.account.account.standing = AccountStanding::Blocked,
                false,
            ),
            (|w| w.line_item.state = LineItemState::Paused, false),
            (|w| w.line_item.kind = LineItemKind::House, false),
            (|w| w.campaign.state = CampaignState::Draft, false),
            (
                |w| {
                    w.line_item.limits.daily_cap = Some(Micros::new(5));
                    w.delivered.served_today = Micros::new(5);
                },
                false,
            ),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            let mut world = World::ready();
            change(&mut world);
            assert_eq!(wants_lease(&world.facts(), NOW), expected, "case {number}");
        }
    }

    #[test]
    fn demand_tells_pace_and_what_the_caps_leave() {
        let mut world = World::ready();
        world.line_item.limits.lifetime_cap = Some(Micros::new(100));
        world.delivered.served = Micros::new(30);
        world.delivered.served_today = Micros::new(20);
        let asked = demand(&world.facts(), Duration::from_secs(60));
        assert_eq!(asked.recent, Micros::new(20));
        assert_eq!(asked.recent_span, Duration::from_secs(3600));
        assert_eq!(asked.lifetime_left, Some(Micros::new(70)));
        assert_eq!(asked.today_left, None);
    }
}
