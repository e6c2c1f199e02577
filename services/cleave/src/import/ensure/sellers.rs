//! Publishers with their revenue share, their games and ad units.

use anyhow::{Context, Result, bail};
use cleave_kernel::{AdUnitId, GameId, PublisherId};
use operations_client::OperationsClient;
use operations_client::pb::rev_share_scope::Scope;
use operations_client::pb::{
    ActivatePublisherRequest, AdFormat, AdUnit, ApproveGameRequest, CreateAdUnitRequest,
    CreateGameRequest, CreatePublisherRequest, CreateRevShareRequest, Game, GameStore,
    GetAdUnitRequest, GetGameRequest, GetPublisherRequest, Publisher, RevShare, RevShareScope,
    SubmitGameRequest, game, publisher,
};

use super::super::ids::request_id;
use super::super::map::Map;
use super::super::plan::{Child, Plan};
use super::{answered, each, found, sound, until};
use crate::time::to_proto;

pub(super) async fn publishers(client: &OperationsClient, map: &Map, plan: &Plan) -> Result<usize> {
    each("publishers", plan.publishers.iter(), |(id, name)| {
        ensure_publisher(client, map, *id, name)
    })
    .await
}

async fn ensure_publisher(
    client: &OperationsClient,
    map: &Map,
    id: PublisherId,
    name: &str,
) -> Result<bool> {
    let get = GetPublisherRequest { id: id.to_string() };
    let is_new = found(client.get_publisher(get.clone()).await)?.is_none();
    if is_new {
        let wanted = Publisher {
            id: id.to_string(),
            display_name: name.to_owned(),
            currency_code: map.currency.clone(),
            external_ref: format!("{}/{name}", map.source),
            ..Default::default()
        };
        let request = CreatePublisherRequest {
            request_id: request_id("create", &id.to_string(), &wanted),
            publisher: Some(wanted),
        };
        let created = client.create_publisher(request).await;
        created.with_context(|| format!("creating publisher {name:?}"))?;
    }
    let waiting = format!("waiting for the billing account of publisher {name:?}");
    let publisher = until(&waiting, || async {
        let answer = client.get_publisher(get.clone()).await?;
        let publisher = answered(answer.publisher)?;
        Ok((!publisher.account_id.is_empty()).then_some(publisher))
    })
    .await?;
    if publisher.state() == publisher::State::Applied {
        let request = ActivatePublisherRequest {
            request_id: request_id("activate", &publisher.id, &publisher),
            id: publisher.id.clone(),
            etag: publisher.etag.clone(),
        };
        let activated = client.activate_publisher(request).await;
        activated.with_context(|| format!("activating publisher {name:?}"))?;
    }
    publish_share(client, map, &publisher).await?;
    Ok(is_new)
}

/// Publishes what the publisher earns; once, however often it is asked for.
async fn publish_share(client: &OperationsClient, map: &Map, publisher: &Publisher) -> Result<()> {
    let scope = Scope::PublisherId(publisher.id.clone());
    let wanted = RevShare {
        scope: Some(RevShareScope { scope: Some(scope) }),
        share_ppm: map.share_ppm,
        effective_time: Some(to_proto(map.start().map_err(sound)?)),
        note: format!("imported from {}", map.source),
        ..Default::default()
    };
    let request = CreateRevShareRequest {
        // Without the content: another share for the same publisher has to be refused.
        request_id: request_id("share", &publisher.id, &()),
        rev_share: Some(wanted),
    };
    match client.create_rev_share(request).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_reason("REQUEST_MISMATCH") => bail!(
            "publisher {:?} was imported with another share_ppm or campaign.start from source {:?}: \
             take another source for other terms",
            publisher.display_name,
            map.source
        ),
        Err(error) => Err(error).context("publishing the revenue share"),
    }
}

pub(super) async fn games(client: &OperationsClient, plan: &Plan) -> Result<usize> {
    each("games", plan.games.iter(), |(id, game)| {
        ensure_game(client, *id, game)
    })
    .await
}

async fn ensure_game(
    client: &OperationsClient,
    id: GameId,
    wanted: &Child<PublisherId>,
) -> Result<bool> {
    let get = GetGameRequest { id: id.to_string() };
    let stored = found(client.get_game(get).await)?;
    let is_new = stored.is_none();
    let mut game = match stored {
        Some(stored) => answered(stored.game)?,
        None => create_game(client, id, wanted).await?,
    };
    if matches!(game.state(), game::State::Draft | game::State::Rejected) {
        let request = SubmitGameRequest {
            request_id: request_id("submit", &game.id, &game),
            id: game.id.clone(),
            etag: game.etag.clone(),
        };
        game = answered(client.submit_game(request).await?.game)?;
    }
    if game.state() == game::State::InReview {
        let request = ApproveGameRequest {
            request_id: request_id("approve", &game.id, &game),
            id: game.id.clone(),
            etag: game.etag.clone(),
            note: "imported".to_owned(),
        };
        client.approve_game(request).await?;
    }
    Ok(is_new)
}

async fn create_game(
    client: &OperationsClient,
    id: GameId,
    wanted: &Child<PublisherId>,
) -> Result<Game> {
    let game = Game {
        id: id.to_string(),
        publisher_id: wanted.parent.to_string(),
        display_name: wanted.name.clone(),
        // Reports name no bundles, and each game needs one of its own.
        bundle: format!("imported.{}", id.uuid().simple()),
        store: GameStore::Other.into(),
        ..Default::default()
    };
    let request = CreateGameRequest {
        request_id: request_id("create", &id.to_string(), &game),
        game: Some(game),
    };
    let created = client.create_game(request).await;
    let created = created.with_context(|| format!("creating game {:?}", wanted.name))?;
    answered(created.game)
}

pub(super) async fn ad_units(client: &OperationsClient, plan: &Plan) -> Result<usize> {
    each("ad units", plan.ad_units.iter(), |(id, unit)| {
        ensure_ad_unit(client, *id, unit)
    })
    .await
}

async fn ensure_ad_unit(
    client: &OperationsClient,
    id: AdUnitId,
    wanted: &Child<GameId>,
) -> Result<bool> {
    let get = GetAdUnitRequest { id: id.to_string() };
    if found(client.get_ad_unit(get).await)?.is_some() {
        return Ok(false);
    }
    let unit = AdUnit {
        id: id.to_string(),
        game_id: wanted.parent.to_string(),
        display_name: wanted.name.clone(),
        format: AdFormat::NativeInScene.into(),
        ..Default::default()
    };
    let request = CreateAdUnitRequest {
        request_id: request_id("create", &id.to_string(), &unit),
        ad_unit: Some(unit),
    };
    let created = client.create_ad_unit(request).await;
    created.with_context(|| format!("creating ad unit {:?}", wanted.name))?;
    Ok(true)
}
