//! Who is in the sample network. Names identify: ids follow from them.

mod buyers;
mod sellers;

use operations_client::pb::{AdFormat, GameStore};
use operations_client::types::{AccountMode, OverdeliveryPolicy, PricingModel};

pub(super) use self::buyers::BUYERS;
pub(super) use self::sellers::SELLERS;

/// The currency of the whole sample.
pub(super) const CURRENCY: &str = "INR";
/// What publishers earn where nothing else is agreed, in parts per million.
pub(super) const NETWORK_SHARE_PPM: i64 = 700_000;
/// Who submits campaigns.
pub(super) const SUBMITTER: &str = "asha@adnetwork.example";
/// Who approves them.
pub(super) const APPROVER: &str = "ravi@adnetwork.example";

/// An advertiser: how it pays, what it paid in, and its campaigns.
pub(super) struct Buyer {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) category: &'static str,
    pub(super) mode: AccountMode,
    pub(super) opening_payment_micros: i64,
    pub(super) credit_limit_micros: i64,
    pub(super) net_days: i32,
    pub(super) campaigns: &'static [Order],
}

/// A campaign with its line items.
pub(super) struct Order {
    pub(super) name: &'static str,
    pub(super) items: &'static [Item],
}

/// A line item: what is charged, and where it is shown.
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) model: PricingModel,
    /// The price, or the markup in parts per million of cost.
    pub(super) rate_micros: i64,
    pub(super) monthly_cap_micros: Option<i64>,
    pub(super) overdelivery: OverdeliveryPolicy,
    /// Impressions it wins in a minute on each of its ad units.
    pub(super) pace: u32,
    /// Its ad units: places in the list of all of them.
    pub(super) places: &'static [usize],
}

/// A publisher: what it earns where something else is agreed, and its games.
pub(super) struct Seller {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) share_ppm: Option<i64>,
    pub(super) games: &'static [Title],
}

/// A game with its ad units.
pub(super) struct Title {
    pub(super) name: &'static str,
    pub(super) bundle: &'static str,
    pub(super) store: GameStore,
    pub(super) category: &'static str,
    pub(super) units: &'static [Unit],
}

/// An ad unit.
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) format: AdFormat,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_place_exists_and_every_model_is_sold() {
        let units = SELLERS
            .iter()
            .flat_map(|seller| seller.games)
            .map(|game| game.units.len());
        let units: usize = units.sum();
        let orders = BUYERS.iter().flat_map(|buyer| buyer.campaigns);
        let items: Vec<_> = orders.flat_map(|order| order.items).collect();
        assert!(
            items
                .iter()
                .flat_map(|item| item.places)
                .all(|place| *place < units)
        );
        let models: BTreeSet<i32> = items.iter().map(|item| item.model.into()).collect();
        assert_eq!(models.len(), 8);
    }
}
