//! One side without the other: what goes on, what stops and says why, and how both catch up.

use crate::started;
use anyhow::{Context, Result};
use billing_client::{BillingClient, pb as billing, types};
use cleave_e2e::network::{self, Network, Plan, clicks_row, request_id, verified};
use cleave_e2e::{Engine, Pair, until};
use futures::stream;
use operations_client::pb::status_reason::Code as Why;
use operations_client::{OperationsClient, pb as operations};

/// A pair whose leases last seconds, so that a test sees them run out.
async fn short_leases() -> Result<Pair> {
    let mut pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    pair.operations.stop().await?;
    pair.operations.set("leases.serve_for", "2s");
    pair.operations.set("leases.settle_for", "60s");
    pair.operations.start().await?;
    Ok(pair)
}

fn prepaid() -> Plan {
    Plan {
        mode: types::AccountMode::Prepaid,
        credit_limit_micros: 0,
        opening_micros: 50_000_000_000,
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_billing_down_when_leases_run_out_then_serving_stops_and_says_why() -> Result<()> {
    let mut pair = short_leases().await?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &prepaid()).await?;
    let line_item_id = network.line_item_ids[0].clone();
    wait_for_status(&operations, &line_item_id, is_serving).await;

    // given
    pair.billing.kill()?;

    // when: the lease runs out, while reads and writes of Operations go on
    wait_for_status(&operations, &line_item_id, |status| {
        status == operations::LineItemStatus::NoBudget
    })
    .await;
    report(&operations, &network, 1, 100).await?;
    let listed = operations
        .list_delivery(operations::ListDeliveryRequest::default())
        .await?;
    assert_eq!(listed.rows.len(), 1);

    // then: the reason names Billing
    let why = explain(&operations, &line_item_id).await?;
    assert!(
        why.contains(&Why::BillingUnreachable) || why.contains(&Why::LeaseExpired),
        "the reasons are {why:?}"
    );

    // and: both catch up without help
    pair.billing.start().await?;
    wait_for_status(&operations, &line_item_id, is_serving).await;
    rated(&billing, &line_item_id, 100_000_000).await;
    verified(&billing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_operations_down_when_billing_is_asked_then_it_answers_and_only_lags() -> Result<()> {
    let mut pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    report(&operations, &network, 1, 40).await?;
    rated(&billing, &network.line_item_ids[0], 40_000_000).await;

    // given
    pair.operations.kill()?;

    // when
    network::pay(&billing, &network.account_id, 9_000_000).await?;
    let request = billing::ReserveBudgetRequest {
        request_id: request_id(),
        advertiser_id: network.advertiser_id.clone(),
        line_item_id: network.line_item_ids[0].clone(),
        terms_version: 1,
        amount: Some(network::money(1_000_000)),
        min_amount: None,
        serve_for: Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        settle_for: Some(prost_types::Duration {
            seconds: 120,
            nanos: 0,
        }),
    };
    let granted = billing
        .reserve_budget(request)
        .await?
        .reservation
        .context("a grant")?;
    assert!(granted.id.starts_with("rsv_"));

    // then: it lags only until Operations is back
    pair.operations.start().await?;
    report(&operations, &network, 2, 50).await?;
    rated(&billing, &network.line_item_ids[0], 50_000_000).await;
    verified(&billing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_blocked_account_when_the_word_arrives_then_the_line_item_stops_and_says_why()
-> Result<()> {
    let pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &prepaid()).await?;
    let line_item_id = network.line_item_ids[0].clone();
    wait_for_status(&operations, &line_item_id, is_serving).await;

    // given
    block(&billing, &network).await?;

    // when
    wait_for_status(&operations, &line_item_id, |status| {
        status == operations::LineItemStatus::AccountHold
    })
    .await;

    // then
    let why = explain(&operations, &line_item_id).await?;
    assert!(
        why.contains(&Why::AccountBlocked),
        "the reasons are {why:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_no_money_when_a_lease_is_asked_for_then_the_line_item_says_so() -> Result<()> {
    let pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    // Less than the least lease that is of use.
    let poor = Plan {
        opening_micros: 5_000,
        ..prepaid()
    };
    let network = network::build(&operations, &billing, &poor).await?;
    let line_item_id = network.line_item_ids[0].clone();

    wait_for_status(&operations, &line_item_id, |status| {
        status == operations::LineItemStatus::NoBudget
    })
    .await;
    let why = explain(&operations, &line_item_id).await?;
    assert!(
        why.contains(&Why::FundsExhausted),
        "the reasons are {why:?}"
    );

    // and: money brings it back without help
    network::pay(&billing, &network.account_id, 5_000_000_000).await?;
    wait_for_status(&operations, &line_item_id, is_serving).await;
    Ok(())
}

fn is_serving(status: operations::LineItemStatus) -> bool {
    matches!(
        status,
        operations::LineItemStatus::Ready
            | operations::LineItemStatus::Delivering
            | operations::LineItemStatus::Limited
    )
}

async fn wait_for_status(
    operations: &OperationsClient,
    line_item_id: &str,
    wanted: impl Fn(operations::LineItemStatus) -> bool,
) {
    until::holds("the line item has the wanted status", || async {
        let request = operations::GetLineItemRequest {
            id: line_item_id.to_owned(),
        };
        let reply = operations.get_line_item(request).await;
        reply.is_ok_and(|reply| reply.line_item.is_some_and(|item| wanted(item.status())))
    })
    .await;
}

async fn explain(operations: &OperationsClient, line_item_id: &str) -> Result<Vec<Why>> {
    let request = operations::ExplainLineItemRequest {
        id: line_item_id.to_owned(),
    };
    let reply = operations.explain_line_item(request).await?;
    let from_billing = reply
        .steps
        .iter()
        .filter(|step| step.source() == operations::explain_step::Source::Billing);
    for step in from_billing {
        assert!(
            step.as_of.is_some() && step.age.is_some(),
            "no age: {step:?}"
        );
    }
    Ok(reply
        .steps
        .iter()
        .flat_map(|step| &step.reasons)
        .map(|reason| reason.code())
        .collect())
}

async fn report(
    operations: &OperationsClient,
    network: &Network,
    revision: i64,
    clicks: i64,
) -> Result<()> {
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![clicks_row(network, 0, 0, revision, clicks)],
        ..Default::default()
    };
    let reply = operations.report_delivery(stream::iter([message])).await?;
    assert_eq!(reply.rejected_count, 0, "{:?}", reply.rejections);
    Ok(())
}

async fn rated(billing: &BillingClient, line_item_id: &str, micros: i64) {
    until::holds("the delivery is rated", || async {
        network::spend(billing, line_item_id)
            .await
            .is_ok_and(|spend| spend.rated_micros == micros)
    })
    .await;
}

async fn block(billing: &BillingClient, network: &Network) -> Result<()> {
    let request = billing::GetAccountRequest {
        key: Some(billing::get_account_request::Key::AccountId(
            network.account_id.clone(),
        )),
    };
    let account = billing
        .get_account(request)
        .await?
        .account
        .context("an account")?;
    let request = billing::OverrideStandingRequest {
        request_id: request_id(),
        account_id: account.id,
        etag: account.etag,
        standing: types::AccountStanding::Blocked.into(),
        reason: "chargeback".to_owned(),
        actor: "chitra".to_owned(),
        end_time: Some(prost_types::Timestamp {
            seconds: 4_000_000_000,
            nanos: 0,
        }),
    };
    billing.override_standing(request).await?;
    Ok(())
}
