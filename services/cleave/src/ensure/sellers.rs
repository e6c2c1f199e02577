//! Publishers, revenue shares, games and ad units.

use anyhow::{Context, Result, bail};
use operations_client::OperationsClient;
use operations_client::pb::{
    ActivatePublisherRequest, AdUnit, ApproveGameRequest, CreateAdUnitRequest, CreateGameRequest,
    CreatePublisherRequest, CreateRevShareRequest, Game, GetAdUnitRequest, GetGameRequest,
    GetPublisherRequest, Publisher, RevShare, SubmitGameRequest, game, publisher,
};

use super::ids::{request_id, uuid_of};
use super::{answered, found, until};

/// Whether the publisher had to be created. It is active afterwards, with its billing account open.
pub(crate) async fn publisher(client: &OperationsClient, wanted: Publisher) -> Result<bool> {
    let get = GetPublisherRequest {
        id: wanted.id.clone(),
    };
    let name = wanted.display_name.clone();
    let is_new = found(client.get_publisher(get.clone()).await)?.is_none();
    if is_new {
        let request = CreatePublisherRequest {
            request_id: request_id("create", &wanted.id, &wanted),
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
            id: publisher.id,
            etag: publisher.etag,
        };
        let activated = client.activate_publisher(request).await;
        activated.with_context(|| format!("activating publisher {name:?}"))?;
    }
    Ok(is_new)
}

/// Publishes a revenue share under a name of the caller's; once, however often it is asked for.
pub(crate) async fn share(
    client: &OperationsClient,
    name: &[&str],
    wanted: RevShare,
) -> Result<()> {
    let request = CreateRevShareRequest {
        // By name, not by content: another share under the same name has to be refused.
        request_id: uuid_of(name).to_string(),
        rev_share: Some(wanted),
    };
    match client.create_rev_share(request).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_reason("REQUEST_MISMATCH") => {
            bail!("the revenue share of {name:?} was published before, with another share or start")
        }
        Err(error) => Err(error).context("publishing the revenue share"),
    }
}

/// Whether the game had to be created. It is approved afterwards.
pub(crate) async fn game(client: &OperationsClient, wanted: Game) -> Result<bool> {
    let get = GetGameRequest {
        id: wanted.id.clone(),
    };
    let stored = found(client.get_game(get).await)?;
    let is_new = stored.is_none();
    let mut game = match stored {
        Some(stored) => answered(stored.game)?,
        None => create_game(client, wanted).await?,
    };
    if matches!(game.state(), game::State::Draft | game::State::Rejected) {
        let request = SubmitGameRequest {
            request_id: request_id("submit", &game.id, &game),
            id: game.id,
            etag: game.etag,
        };
        game = answered(client.submit_game(request).await?.game)?;
    }
    if game.state() == game::State::InReview {
        let request = ApproveGameRequest {
            request_id: request_id("approve", &game.id, &game),
            id: game.id,
            etag: game.etag,
            note: String::new(),
        };
        client.approve_game(request).await?;
    }
    Ok(is_new)
}

async fn create_game(client: &OperationsClient, wanted: Game) -> Result<Game> {
    let name = wanted.display_name.clone();
    let request = CreateGameRequest {
        request_id: request_id("create", &wanted.id, &wanted),
        game: Some(wanted),
    };
    let created = client.create_game(request).await;
    let created = created.with_context(|| format!("creating game {name:?}"))?;
    answered(created.game)
}

/// Whether the ad unit had to be created.
pub(crate) async fn ad_unit(client: &OperationsClient, wanted: AdUnit) -> Result<bool> {
    let get = GetAdUnitRequest {
        id: wanted.id.clone(),
    };
    if found(client.get_ad_unit(get).await)?.is_some() {
        return Ok(false);
    }
    let name = wanted.display_name.clone();
    let request = CreateAdUnitRequest {
        request_id: request_id("create", &wanted.id, &wanted),
        ad_unit: Some(wanted),
    };
    let created = client.create_ad_unit(request).await;
    created.with_context(|| format!("creating ad unit {name:?}"))?;
    Ok(true)
}
