//! Everything that a plan names, as the contracts want it created.

use std::collections::HashMap;

use anyhow::{Result, bail};
use cleave_kernel::{AdUnitId, AdvertiserId, CampaignId, GameId, LineItemId, PublisherId};
use operations_client::OperationsClient;
use operations_client::pb::rev_share_scope::Scope;
use operations_client::pb::{
    AdFormat, AdUnit, Advertiser, BatchGetLineItemTermsRequest, Campaign, Game, GameStore,
    LineItem, LineItemKind, LineItemTerms, LineItemTermsKey, Publisher, RevShare, RevShareScope,
};
use prost_types::Timestamp;

use super::map::{Map, MapFault};
use super::plan::{Child, Plan};
use super::report::Report;
use crate::ensure;
use crate::peers::Peers;
use crate::time::to_proto;

/// How many versions of terms are asked for in a call.
const TERMS_AT_ONCE: usize = 500;

/// What is wanted, from the map, and whom to ask for it.
struct Ensurer<'a> {
    peers: &'a Peers,
    client: &'a OperationsClient,
    map: &'a Map,
    start: Timestamp,
}

/// Creates what is missing.
pub(super) async fn all(peers: &Peers, map: &Map, plan: &Plan, report: &mut Report) -> Result<()> {
    let ensurer = Ensurer {
        peers,
        client: &peers.operations,
        map,
        start: to_proto(map.start().map_err(sound)?),
    };
    let this = &ensurer;
    let created = &mut report.created;
    created.advertisers = ensure::each("advertisers", plan.advertisers.iter(), |(id, name)| {
        this.advertiser(*id, name)
    })
    .await?;
    created.publishers = ensure::each("publishers", plan.publishers.iter(), |(id, name)| {
        this.publisher(*id, name)
    })
    .await?;
    created.games = ensure::each("games", plan.games.iter(), |(id, game)| {
        this.game(*id, game)
    })
    .await?;
    created.ad_units = ensure::each("ad units", plan.ad_units.iter(), |(id, unit)| {
        this.ad_unit(*id, unit)
    })
    .await?;
    created.campaigns = ensure::each("campaigns", plan.campaigns.iter(), |(id, campaign)| {
        this.campaign(*id, campaign)
    })
    .await?;
    created.line_items = this.line_items(plan).await?;
    Ok(())
}

impl Ensurer<'_> {
    /// How the source calls a thing: unique, and for people to recognize.
    fn external_ref(&self, name: &str) -> String {
        format!("{}/{name}", self.map.source)
    }

    async fn advertiser(&self, id: AdvertiserId, name: &str) -> Result<bool> {
        let wanted = Advertiser {
            id: id.to_string(),
            display_name: name.to_owned(),
            currency_code: self.map.currency.clone(),
            external_ref: self.external_ref(name),
            billing_proposal: Some(self.map.proposal().map_err(sound)?),
            ..Default::default()
        };
        let (advertiser, is_new) = ensure::advertiser(self.client, wanted).await?;
        if advertiser.currency_code != self.map.currency {
            bail!(
                "advertiser {name:?} is charged in {}, and the map says {}",
                advertiser.currency_code,
                self.map.currency
            );
        }
        let payment = self.map.opening_payment().map_err(sound)?;
        ensure::opening_payment(self.peers, &advertiser, payment).await?;
        Ok(is_new)
    }

    async fn publisher(&self, id: PublisherId, name: &str) -> Result<bool> {
        let wanted = Publisher {
            id: id.to_string(),
            display_name: name.to_owned(),
            currency_code: self.map.currency.clone(),
            external_ref: self.external_ref(name),
            ..Default::default()
        };
        let is_new = ensure::publisher(self.client, wanted).await?;
        let scope = Scope::PublisherId(id.to_string());
        let share = RevShare {
            scope: Some(RevShareScope { scope: Some(scope) }),
            share_ppm: self.map.share_ppm,
            effective_time: Some(self.start),
            note: format!("imported from {}", self.map.source),
            ..Default::default()
        };
        ensure::share(self.client, &["share", &self.map.source, name], share).await?;
        Ok(is_new)
    }

    async fn game(&self, id: GameId, game: &Child<PublisherId>) -> Result<bool> {
        let wanted = Game {
            id: id.to_string(),
            publisher_id: game.parent.to_string(),
            display_name: game.name.clone(),
            // Reports name no bundles, and each game needs one of its own.
            bundle: format!("imported.{}", id.uuid().simple()),
            store: GameStore::Other.into(),
            ..Default::default()
        };
        ensure::game(self.client, wanted).await
    }

    async fn ad_unit(&self, id: AdUnitId, unit: &Child<GameId>) -> Result<bool> {
        let wanted = AdUnit {
            id: id.to_string(),
            game_id: unit.parent.to_string(),
            display_name: unit.name.clone(),
            format: AdFormat::NativeInScene.into(),
            ..Default::default()
        };
        ensure::ad_unit(self.client, wanted).await
    }

    /// The campaign stays a draft: its delivery is over, and approval is for people.
    async fn campaign(&self, id: CampaignId, campaign: &Child<AdvertiserId>) -> Result<bool> {
        let wanted = Campaign {
            id: id.to_string(),
            advertiser_id: campaign.parent.to_string(),
            display_name: campaign.name.clone(),
            external_ref: self.external_ref(&campaign.name),
            start_time: Some(self.start),
            ..Default::default()
        };
        ensure::campaign(self.client, wanted).await
    }

    /// Line items are many, so their terms are asked for in bulk: what has version 1 exists.
    async fn line_items(&self, plan: &Plan) -> Result<usize> {
        let terms = self.map.terms().map_err(sound)?;
        let known = self.known_terms(plan).await?;
        for (id, known) in &known {
            self.check_terms(&plan.line_items[id].name, known, &terms)?;
        }
        let missing: Vec<_> = plan
            .line_items
            .iter()
            .filter(|(id, _)| !known.contains_key(id))
            .collect();
        ensure::each("line items", missing.into_iter(), |(id, line_item)| {
            let wanted = LineItem {
                id: id.to_string(),
                campaign_id: line_item.parent.to_string(),
                display_name: line_item.name.clone(),
                external_ref: self.external_ref(&line_item.name),
                kind: LineItemKind::Network.into(),
                start_time: Some(self.start),
                ..Default::default()
            };
            ensure::line_item(self.client, wanted, terms.clone())
        })
        .await
    }

    async fn known_terms(&self, plan: &Plan) -> Result<HashMap<LineItemId, LineItemTerms>> {
        let ids: Vec<_> = plan.line_items.keys().collect();
        let mut known = HashMap::new();
        for ids in ids.chunks(TERMS_AT_ONCE) {
            let key = |id: &&LineItemId| LineItemTermsKey {
                line_item_id: id.to_string(),
                version: 1,
            };
            let keys = ids.iter().map(key).collect();
            let request = BatchGetLineItemTermsRequest { keys };
            let answer = self.client.batch_get_line_item_terms(request).await?;
            for terms in answer.terms {
                known.insert(terms.line_item_id.parse()?, terms);
            }
        }
        Ok(known)
    }

    /// Delivery of a line item is rated by the terms it was first imported under.
    fn check_terms(&self, name: &str, is: &LineItemTerms, wanted: &LineItemTerms) -> Result<()> {
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
                self.map.source
            );
        }
        Ok(())
    }
}

fn sound(fault: MapFault) -> anyhow::Error {
    anyhow::anyhow!("the map: {fault}")
}
