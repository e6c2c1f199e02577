//! Advertisers, their campaigns and line items.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use billing_client::pb::RecordPaymentRequest;
use cleave_kernel::{AdvertiserId, CampaignId, LineItemId, Timestamp};
use operations_client::pb::{
    Advertiser, BatchGetLineItemTermsRequest, Campaign, CreateAdvertiserRequest,
    CreateCampaignRequest, CreateLineItemRequest, GetAdvertiserRequest, GetCampaignRequest,
    LineItem, LineItemKind, LineItemTerms, LineItemTermsKey, advertiser,
};
use operations_client::types::Money;
use operations_client::{OperationsClient, pb};

use super::super::ids::request_id;
use super::super::map::Map;
use super::super::plan::{Child, Plan};
use super::{answered, each, found, sound, until};
use crate::peers::Peers;

/// How many versions of terms are asked for in a call.
const TERMS_AT_ONCE: usize = 500;

pub(super) async fn advertisers(peers: &Peers, map: &Map, plan: &Plan) -> Result<usize> {
    each("advertisers", plan.advertisers.iter(), |(id, name)| {
        advertiser(peers, map, *id, name)
    })
    .await
}

async fn advertiser(peers: &Peers, map: &Map, id: AdvertiserId, name: &str) -> Result<bool> {
    let client = &peers.operations;
    let get = GetAdvertiserRequest { id: id.to_string() };
    let is_new = found(client.get_advertiser(get.clone()).await)?.is_none();
    if is_new {
        let wanted = Advertiser {
            id: id.to_string(),
            display_name: name.to_owned(),
            currency_code: map.currency.clone(),
            external_ref: format!("{}/{name}", map.source),
            billing_proposal: Some(map.proposal().map_err(sound)?),
            ..Default::default()
        };
        let request = CreateAdvertiserRequest {
            request_id: request_id("create", &id.to_string(), &wanted),
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
    if advertiser.currency_code != map.currency {
        bail!(
            "advertiser {name:?} is charged in {}, and the map says {}",
            advertiser.currency_code,
            map.currency
        );
    }
    pay_in(peers, map, &advertiser).await?;
    Ok(is_new)
}

/// Pays the opening payment; once, however often it is asked for.
async fn pay_in(peers: &Peers, map: &Map, advertiser: &Advertiser) -> Result<()> {
    let micros = map.opening_payment().map_err(sound)?;
    if micros == 0 {
        return Ok(());
    }
    let mut request = RecordPaymentRequest {
        request_id: String::new(),
        account_id: advertiser.account_id.clone(),
        amount: Some(Money {
            currency_code: map.currency.clone(),
            micros,
        }),
        external_ref: format!("opening payment of {}", advertiser.id),
        method: "import".to_owned(),
        receive_time: None,
    };
    request.request_id = request_id("pay", &advertiser.id, &request);
    match peers.billing.record_payment(request).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_reason("PAYMENT_ALREADY_RECORDED") => bail!(
            "advertiser {:?} paid in another amount than advertiser.opening_payment when it was first imported",
            advertiser.display_name
        ),
        Err(error) => Err(error).context("recording the opening payment"),
    }
}

pub(super) async fn campaigns(client: &OperationsClient, map: &Map, plan: &Plan) -> Result<usize> {
    let start = map.start().map_err(sound)?;
    each("campaigns", plan.campaigns.iter(), |(id, campaign)| {
        ensure_campaign(client, map, *id, campaign, start)
    })
    .await
}

async fn ensure_campaign(
    client: &OperationsClient,
    map: &Map,
    id: CampaignId,
    campaign: &Child<AdvertiserId>,
    start: Timestamp,
) -> Result<bool> {
    let get = GetCampaignRequest { id: id.to_string() };
    if found(client.get_campaign(get).await)?.is_some() {
        return Ok(false);
    }
    let wanted = Campaign {
        id: id.to_string(),
        advertiser_id: campaign.parent.to_string(),
        display_name: campaign.name.clone(),
        external_ref: format!("{}/{}", map.source, campaign.name),
        start_time: Some(time(start)),
        ..Default::default()
    };
    let request = CreateCampaignRequest {
        request_id: request_id("create", &id.to_string(), &wanted),
        campaign: Some(wanted),
    };
    let created = client.create_campaign(request).await;
    created.with_context(|| format!("creating campaign {:?}", campaign.name))?;
    Ok(true)
}

/// Line items are many, so their terms are asked for in bulk: what has version 1 exists.
pub(super) async fn line_items(client: &OperationsClient, map: &Map, plan: &Plan) -> Result<usize> {
    let wanted = map.terms().map_err(sound)?;
    let known = known_terms(client, plan).await?;
    for (id, terms) in &known {
        check_terms(map, &plan.line_items[id].name, terms, &wanted)?;
    }
    let missing: Vec<_> = plan
        .line_items
        .iter()
        .filter(|(id, _)| !known.contains_key(id))
        .collect();
    let start = map.start().map_err(sound)?;
    each("line items", missing.into_iter(), |(id, line_item)| {
        create_line_item(client, map, *id, line_item, (&wanted, start))
    })
    .await
}

async fn known_terms(
    client: &OperationsClient,
    plan: &Plan,
) -> Result<HashMap<LineItemId, LineItemTerms>> {
    let ids: Vec<_> = plan.line_items.keys().collect();
    let mut known = HashMap::new();
    for ids in ids.chunks(TERMS_AT_ONCE) {
        let key = |id: &&LineItemId| LineItemTermsKey {
            line_item_id: id.to_string(),
            version: 1,
        };
        let keys = ids.iter().map(key).collect();
        let request = BatchGetLineItemTermsRequest { keys };
        let answer = client.batch_get_line_item_terms(request).await?;
        for terms in answer.terms {
            known.insert(terms.line_item_id.parse()?, terms);
        }
    }
    Ok(known)
}

/// Delivery of a line item is rated by the terms it was first imported under.
fn check_terms(map: &Map, name: &str, is: &LineItemTerms, wanted: &LineItemTerms) -> Result<()> {
    let unit_fits = wanted.unit == 0 || wanted.unit == is.unit;
    let fits = unit_fits
        && is.pricing_model == wanted.pricing_model
        && is.rate_micros == wanted.rate_micros
        && is.billing_cap_micros == wanted.billing_cap_micros
        && is.overdelivery_policy == wanted.overdelivery_policy;
    if !fits {
        bail!(
            "line item {name:?} was imported on other terms from source {:?}: \
             take another source for other terms",
            map.source
        );
    }
    Ok(())
}

async fn create_line_item(
    client: &OperationsClient,
    map: &Map,
    id: LineItemId,
    line_item: &Child<CampaignId>,
    (terms, start): (&LineItemTerms, Timestamp),
) -> Result<bool> {
    let wanted = LineItem {
        id: id.to_string(),
        campaign_id: line_item.parent.to_string(),
        display_name: line_item.name.clone(),
        external_ref: format!("{}/{}", map.source, line_item.name),
        kind: LineItemKind::Network.into(),
        start_time: Some(time(start)),
        ..Default::default()
    };
    let mut request = CreateLineItemRequest {
        request_id: String::new(),
        line_item: Some(wanted),
        terms: Some(terms.clone()),
    };
    request.request_id = request_id("create", &id.to_string(), &request);
    let created: Result<pb::CreateLineItemResponse, _> = client.create_line_item(request).await;
    created.with_context(|| format!("creating line item {:?}", line_item.name))?;
    Ok(true)
}

fn time(instant: Timestamp) -> prost_types::Timestamp {
    crate::time::to_proto(instant)
}
