//! Advertisers, their campaigns and line items.

use anyhow::{Context, Result, bail};
use billing_client::pb::RecordPaymentRequest;
use operations_client::OperationsClient;
use operations_client::pb::{
    Advertiser, Campaign, CreateAdvertiserRequest, CreateCampaignRequest, CreateLineItemRequest,
    GetAdvertiserRequest, GetCampaignRequest, GetLineItemRequest, LineItem, LineItemTerms,
    advertiser,
};
use operations_client::types::Money;

use super::ids::request_id;
use super::{answered, found, until};
use crate::peers::Peers;

/// The advertiser with its billing account open, and whether it is new.
pub(crate) async fn advertiser(
    client: &OperationsClient,
    wanted: Advertiser,
) -> Result<(Advertiser, bool)> {
    let get = GetAdvertiserRequest {
        id: wanted.id.clone(),
    };
    let name = wanted.display_name.clone();
    let is_new = found(client.get_advertiser(get.clone()).await)?.is_none();
    if is_new {
        let request = CreateAdvertiserRequest {
            request_id: request_id("create", &wanted.id, &wanted),
            advertiser: Some(wanted),
        };
        let created = client.create_advertiser(request).await;
        created.with_context(|| format!("creating advertiser {name:?}"))?;
    }
    let waiting = format!("waiting for the billing account of advertiser {name:?}");
    let advertiser = until(&waiting, || async {
        let answer = client.get_advertiser(get.clone()).await?;
        let advertiser = answered(answer.advertiser)?;
        let open = advertiser.state() != advertiser::State::PendingBilling;
        Ok((open && !advertiser.account_id.is_empty()).then_some(advertiser))
    })
    .await?;
    Ok((advertiser, is_new))
}

/// Pays in what an advertiser begins with; once, however often it is asked for.
pub(crate) async fn opening_payment(
    peers: &Peers,
    advertiser: &Advertiser,
    micros: i64,
) -> Result<()> {
    if micros == 0 {
        return Ok(());
    }
    let mut request = RecordPaymentRequest {
        request_id: String::new(),
        account_id: advertiser.account_id.clone(),
        amount: Some(Money {
            currency_code: advertiser.currency_code.clone(),
            micros,
        }),
        external_ref: format!("opening payment of {}", advertiser.id),
        method: "bank_transfer".to_owned(),
        receive_time: None,
    };
    request.request_id = request_id("pay", &advertiser.id, &request);
    until("recording the opening payment", || async {
        match peers.billing.record_payment(request.clone()).await {
            Ok(_) => Ok(Some(())),
            Err(error) if error.is_transient() => Ok(None),
            Err(error) if error.is_reason("PAYMENT_ALREADY_RECORDED") => bail!(
                "advertiser {:?} has made an opening payment of another amount",
                advertiser.display_name
            ),
            Err(error) => Err(error).context("recording the opening payment"),
        }
    })
    .await
}

/// Whether the campaign had to be created.
pub(crate) async fn campaign(client: &OperationsClient, wanted: Campaign) -> Result<bool> {
    let get = GetCampaignRequest {
        id: wanted.id.clone(),
    };
    if found(client.get_campaign(get).await)?.is_some() {
        return Ok(false);
    }
    let name = wanted.display_name.clone();
    let request = CreateCampaignRequest {
        request_id: request_id("create", &wanted.id, &wanted),
        campaign: Some(wanted),
    };
    let created = client.create_campaign(request).await;
    created.with_context(|| format!("creating campaign {name:?}"))?;
    Ok(true)
}

/// Whether the line item had to be created, with its first terms.
pub(crate) async fn line_item(
    client: &OperationsClient,
    wanted: LineItem,
    terms: LineItemTerms,
) -> Result<bool> {
    let get = GetLineItemRequest {
        id: wanted.id.clone(),
    };
    if found(client.get_line_item(get).await)?.is_some() {
        return Ok(false);
    }
    let (id, name) = (wanted.id.clone(), wanted.display_name.clone());
    let mut request = CreateLineItemRequest {
        request_id: String::new(),
        line_item: Some(wanted),
        terms: Some(terms),
    };
    request.request_id = request_id("create", &id, &request);
    let created = client.create_line_item(request).await;
    created.with_context(|| format!("creating line item {name:?}"))?;
    Ok(true)
}
