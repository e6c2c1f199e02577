//! The transfers of one rating: a charge per line item, an earning per publisher and one revenue per currency, in one
//! balanced group. What each bucket contributed stands with the buckets.

use crate::chart::{Code, LedgerKey};
use crate::funding::{Funds, Leg};
use crate::revaluation::Revaluation;
use crate::transfer::{Group, Reason};
use crate::work::Purse;
use cleave_kernel::{AccountId, Currency, Micros, Overflow, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What the platform keeps is caused by everything delivered, not by one thing.
const REVENUE_SOURCE: &str = "delivery";

/// A group in the making.
#[derive(Debug)]
pub(crate) struct Posting {
    group: Group,
    earnings: BTreeMap<(Currency, AccountId), Earning>,
    revenue: BTreeMap<Currency, Micros>,
    closed: BTreeSet<AccountId>,
    stranded: Stranded,
}

/// What a group credits to accounts that have closed, or debits when it is negative: they have to be empty again.
pub(crate) type Stranded = BTreeMap<(Currency, AccountId), Micros>;

#[derive(Debug, Default)]
struct Earning {
    paid: Micros,
    absorbed: Micros,
}

impl Posting {
    /// An empty group. Nothing is drawn from accounts that have closed, and what it would leave on them is noted.
    pub(crate) fn new(closed: BTreeSet<AccountId>) -> Self {
        Self {
            group: Group::new(REVENUE_SOURCE),
            earnings: BTreeMap::new(),
            revenue: BTreeMap::new(),
            closed,
            stranded: Stranded::new(),
        }
    }

    /// Funds what changed about a line item, and adds its transfers.
    pub(crate) fn add(
        &mut self,
        item: &mut Revaluation,
        purse: &mut Purse,
        now: Timestamp,
    ) -> Result<(), Overflow> {
        let totals = &mut item.totals;
        let closed = self.closed.contains(&item.advertiser);
        let legs = if closed {
            // Its credit limit is no money any more.
            let legs = totals
                .funding
                .fund(item.delta.billed, &mut Funds::default());
            legs?
        } else {
            let mut funds = purse.lend(totals.line_item, item.advertiser);
            let legs = totals.funding.fund(item.delta.billed, &mut funds)?;
            purse.put_back(totals.line_item, item.advertiser, funds);
            legs
        };
        let carried = if closed {
            totals.funding.settle(Micros::ZERO)?.written_off
        } else {
            Micros::ZERO
        };
        totals.unfunded_since = totals
            .funding
            .unfunded
            .is_positive()
            .then(|| totals.unfunded_since.unwrap_or(now));
        self.group.about(totals.line_item.to_string());
        for leg in legs {
            if let (true, Leg::Balance(amount)) = (closed, leg) {
                self.strand(totals.currency, item.advertiser, amount.checked_neg()?)?;
            }
            self.charge(item.advertiser, totals.currency, leg);
        }
        self.group.single(
            LedgerKey::platform(totals.currency, Code::OverdeliveryCost),
            LedgerKey::account(item.advertiser, totals.currency, Code::DeliveryUnfunded),
            carried,
            Reason::Overdelivery,
        );
        for (publisher, delta) in &item.earnings {
            let earning = self.earnings.entry((totals.currency, *publisher));
            let earning = earning.or_default();
            earning.paid = earning.paid.checked_add(delta.paid()?)?;
            earning.absorbed = earning.absorbed.checked_add(delta.absorbed)?;
            if self.closed.contains(publisher) {
                self.strand(totals.currency, *publisher, delta.earned)?;
            }
        }
        let revenue = self.revenue.entry(totals.currency).or_default();
        *revenue = revenue.checked_add(item.delta.revenue)?;
        Ok(())
    }

    fn strand(
        &mut self,
        currency: Currency,
        account: AccountId,
        amount: Micros,
    ) -> Result<(), Overflow> {
        let sum = self.stranded.entry((currency, account)).or_default();
        *sum = sum.checked_add(amount)?;
        Ok(())
    }

    fn charge(&mut self, advertiser: AccountId, currency: Currency, leg: Leg) {
        let own = |code| LedgerKey::account(advertiser, currency, code);
        let platform = |code| LedgerKey::platform(currency, code);
        let (from, amount, reason) = match leg {
            Leg::Hold(reservation, amount) => {
                return self.group.draw(reservation, amount, Reason::Charge);
            }
            Leg::Balance(amount) => (own(Code::AdvertiserBalance), amount, Reason::Charge),
            Leg::Unfunded(amount) => (own(Code::DeliveryUnfunded), amount, Reason::Unfunded),
            Leg::WrittenOff(amount) => (
                platform(Code::OverdeliveryCost),
                amount,
                Reason::Overdelivery,
            ),
        };
        let clearing = platform(Code::DeliveryClearing);
        self.group.single(from, clearing, amount, reason);
    }

    /// The whole group, and what it leaves on accounts that have closed.
    pub(crate) fn into_group(mut self) -> (Group, Stranded) {
        let platform = LedgerKey::platform;
        for ((currency, publisher), earning) in self.earnings {
            let clearing = platform(currency, Code::DeliveryClearing);
            let cost = platform(currency, Code::OverdeliveryCost);
            let estimated = LedgerKey::account(publisher, currency, Code::PublisherEstimated);
            self.group.about(publisher.to_string());
            self.group
                .single(clearing, estimated, earning.paid, Reason::Earning);
            self.group
                .single(cost, estimated, earning.absorbed, Reason::Overdelivery);
        }
        self.group.about(REVENUE_SOURCE);
        for (currency, revenue) in self.revenue {
            let clearing = platform(currency, Code::DeliveryClearing);
            let kept = platform(currency, Code::NetworkRevenue);
            self.group.single(clearing, kept, revenue, Reason::Revenue);
        }
        (self.group, self.stranded)
    }
}
