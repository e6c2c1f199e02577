//! Advertisers that only Billing knows: enough to call it, without Operations.

use crate::Replicas;
use crate::network::{CURRENCY, money, request_id};
use anyhow::{Context as _, Result};
use billing_client::{BillingClient, pb as billing, types};
use cleave_kernel::{AdvertiserId, LineItemId};
use cleave_mesh::CallError;

/// What one reservation holds, in micros.
pub const HELD: i64 = 1_000;
/// How long reservations serve: longer than any test.
const SERVE_FOR: prost_types::Duration = prost_types::Duration {
    seconds: 3_600,
    nanos: 0,
};

/// An advertiser with an account and one line item.
#[derive(Debug, Clone)]
pub struct Advertiser {
    /// `adv_...`.
    pub id: String,
    /// The account that it has at the first replica, `acct_...`.
    pub account_id: String,
    /// `line_...`.
    pub line_item_id: String,
}

/// Opens the accounts of so many advertisers on every replica, with credit without end.
///
/// # Errors
/// When a replica refuses.
pub async fn open(replicas: &Replicas, count: usize) -> Result<Vec<Advertiser>> {
    let mut advertisers = Vec::new();
    for _ in 0..count {
        let id = AdvertiserId::generate().to_string();
        let account_id = open_at(&BillingClient::new(replicas[0].channel()?), &id).await?;
        for index in 1..replicas.len() {
            open_at(&BillingClient::new(replicas[index].channel()?), &id).await?;
        }
        advertisers.push(Advertiser {
            id,
            account_id,
            line_item_id: LineItemId::generate().to_string(),
        });
    }
    Ok(advertisers)
}

/// The same through a client whose replicas all have the same rows.
///
/// # Errors
/// When Billing refuses.
pub async fn open_by(client: &BillingClient, count: usize) -> Result<Vec<Advertiser>> {
    let mut advertisers = Vec::new();
    for _ in 0..count {
        let id = AdvertiserId::generate().to_string();
        advertisers.push(Advertiser {
            account_id: open_at(client, &id).await?,
            line_item_id: LineItemId::generate().to_string(),
            id,
        });
    }
    Ok(advertisers)
}

async fn open_at(client: &BillingClient, ops_ref: &str) -> Result<String> {
    let request = billing::OpenAccountRequest {
        request_id: request_id(),
        ops_ref: ops_ref.to_owned(),
        party: types::PartyKind::Advertiser.into(),
        display_name: "Sunrise Games".to_owned(),
        currency_code: CURRENCY.to_owned(),
        mode: types::AccountMode::Postpaid.into(),
        credit_limit_micros: 1_000_000_000_000_000,
        net_days: 30,
    };
    let opened = client.open_account(request).await?;
    Ok(opened.account.context("an account")?.id)
}

/// Asks for an advertiser's balances.
#[must_use]
pub fn balances_of(advertiser: &Advertiser) -> billing::GetBalancesRequest {
    billing::GetBalancesRequest {
        owner: Some(billing::get_balances_request::Owner::OpsRef(
            advertiser.id.clone(),
        )),
    }
}

/// Asks to hold [`HELD`] for an advertiser; again and again the same when it is sent again.
#[must_use]
pub fn reservation_for(advertiser: &Advertiser) -> billing::ReserveBudgetRequest {
    billing::ReserveBudgetRequest {
        request_id: request_id(),
        advertiser_id: advertiser.id.clone(),
        line_item_id: advertiser.line_item_id.clone(),
        terms_version: 1,
        amount: Some(money(HELD)),
        min_amount: None,
        serve_for: Some(SERVE_FOR),
        settle_for: Some(SERVE_FOR),
    }
}

/// Makes the call of this number: nine reads, then a write that may be repeated.
///
/// # Errors
/// When it fails.
pub async fn call(
    client: &BillingClient,
    advertisers: &[Advertiser],
    number: u64,
) -> Result<(), CallError> {
    let index = usize::try_from(number / 10).unwrap_or_default() % advertisers.len();
    let advertiser = &advertisers[index];
    if number % 10 == 9 {
        client.reserve_budget(reservation_for(advertiser)).await?;
    } else {
        client.get_balances(balances_of(advertiser)).await?;
    }
    Ok(())
}
