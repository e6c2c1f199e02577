//! What both services say, as it was read.

use std::collections::BTreeMap;

use billing_client::pb::{Charge, LineItemFunding};
use operations_client::pb::DeliveryCounts;
use serde::Serialize;

/// Everything that a statement is made of.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// What delivery comes to, by bucket; from Billing.
    pub(crate) charges: Vec<Charge>,
    /// Where the money for it came from, by line item; from Billing.
    pub(crate) fundings: BTreeMap<String, LineItemFunding>,
    /// The sum of earnings that Billing states to each publisher, by currency.
    pub(crate) earnings: BTreeMap<(String, String), i64>,
    /// The platform's own ledger accounts, by currency; from Billing.
    pub(crate) ledgers: BTreeMap<String, PlatformLedger>,
    /// Rows that cannot be rated yet; from Billing.
    pub(crate) parked_rows: i64,
    /// What was delivered, by campaign and by publisher; from Operations.
    pub(crate) delivered: Delivered,
    /// What people call things; from Operations.
    pub(crate) names: BTreeMap<String, String>,
    /// The advertiser of each campaign.
    pub(crate) advertisers: BTreeMap<String, String>,
}

/// The platform's part of the ledger in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PlatformLedger {
    pub(crate) network_revenue_micros: i64,
    pub(crate) overdelivery_cost_micros: i64,
    pub(crate) delivery_clearing_micros: i64,
}

/// Delivery, summed.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) by_campaign: BTreeMap<String, Counts>,
    pub(crate) by_publisher: BTreeMap<String, Counts>,
    pub(crate) rows: i64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) impressions: i64,
    pub(crate) clicks: i64,
    pub(crate) installs: i64,
    pub(crate) actions: i64,
    pub(crate) media_cost_micros: i64,
}

impl Counts {
    /// Adds a row. Saturates: these sums inform, no money is made of them.
    pub(crate) fn add(&mut self, row: &DeliveryCounts) {
        self.impressions = self.impressions.saturating_add(row.impressions);
        self.clicks = self.clicks.saturating_add(row.clicks);
        self.installs = self.installs.saturating_add(row.installs);
        self.actions = self.actions.saturating_add(row.actions);
        self.media_cost_micros = self.media_cost_micros.saturating_add(row.media_cost_micros);
    }
}
