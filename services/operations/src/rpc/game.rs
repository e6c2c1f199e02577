//! GameService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::game_service_server::GameService;
use cleave_kernel::{GameId, PublisherId, Violation, Violations};
use operations_domain::text::{self, NAME_MAX, NOTE_MAX, SHORT_MAX, URL_MAX};
use operations_domain::{Game, GameChange, GameState, GameStore, NewGame};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, request, resource, verb, version};
use super::{convert, reply};
use crate::app::{App, Error};

const WRITTEN: [&str; 4] = ["display_name", "store_url", "category", "content_rating"];
const OUTPUT: [&str; 6] = [
    "id",
    "state",
    "review_note",
    "create_time",
    "update_time",
    "etag",
];

/// Serves GameService.
#[derive(Clone)]
pub struct Games {
    app: App,
}

impl Games {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateGameRequest,
    ) -> Result<pb::CreateGameResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateGame", &message, &message.request_id));
        let new = faults.take(new_game(message.game));
        let (request, new) = faults.into_result(request.zip(new))?;
        let game = self.app.create_game(request, new).await?;
        Ok(pb::CreateGameResponse {
            game: Some(to_wire(game)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListGamesRequest,
    ) -> Result<pb::ListGamesResponse, Error> {
        let page = page!("ListGames", message)?;
        let states: Vec<GameState> = names::list("states", &message.states)?;
        let store: Option<GameStore> = names::optional("store", message.store)?;
        let publisher: Option<PublisherId> =
            convert::optional_id("publisher_id", &message.publisher_id)?;
        let bundle = text::optional("bundle", &message.bundle, SHORT_MAX)?;
        let filter = Filter::all()
            .is("publisher_id", publisher.map(PublisherId::uuid))
            .any("state", &states)
            .any("store", store.as_slice())
            .is("bundle", bundle);
        let listed = self.app.list(filter, page.request()?).await?;
        let (games, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListGamesResponse {
            games,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateGameRequest,
    ) -> Result<pb::UpdateGameResponse, Error> {
        let request = request("UpdateGame", &message, &message.request_id)?;
        let wanted = resource("game", message.game)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let game = self.app.update_game(request, id, version, change).await?;
        Ok(pb::UpdateGameResponse {
            game: Some(to_wire(game)),
        })
    }

    async fn approve(
        &self,
        message: pb::ApproveGameRequest,
    ) -> Result<pb::ApproveGameResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ApproveGame", &message)?;
        let note = text::optional("note", &message.note, NOTE_MAX)?;
        let game = self.app.approve_game(request, id, version, note).await?;
        Ok(pb::ApproveGameResponse {
            game: Some(to_wire(game)),
        })
    }

    async fn reject(
        &self,
        message: pb::RejectGameRequest,
    ) -> Result<pb::RejectGameResponse, Error> {
        let Verb {
            request,
            id,
            version,
        } = verb!("RejectGame", &message)?;
        let note = text::required("note", &message.note, NOTE_MAX)?;
        let game = self.app.reject_game(request, id, version, note).await?;
        Ok(pb::RejectGameResponse {
            game: Some(to_wire(game)),
        })
    }
}

#[tonic::async_trait]
impl GameService for Games {
    async fn create_game(
        &self,
        message: Request<pb::CreateGameRequest>,
    ) -> Result<Response<pb::CreateGameResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_game(
        &self,
        message: Request<pb::GetGameRequest>,
    ) -> Result<Response<pb::GetGameResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let game = self.app.get::<Game>(id).await?;
        reply(Ok(pb::GetGameResponse {
            game: Some(to_wire(game)),
        }))
    }

    async fn list_games(
        &self,
        message: Request<pb::ListGamesRequest>,
    ) -> Result<Response<pb::ListGamesResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_game(
        &self,
        message: Request<pb::UpdateGameRequest>,
    ) -> Result<Response<pb::UpdateGameResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn submit_game(
        &self,
        message: Request<pb::SubmitGameRequest>,
    ) -> Result<Response<pb::SubmitGameResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("SubmitGame", message.get_ref())?;
        let game = self.app.submit_game(request, id, version).await?;
        reply(Ok(pb::SubmitGameResponse {
            game: Some(to_wire(game)),
        }))
    }

    async fn approve_game(
        &self,
        message: Request<pb::ApproveGameRequest>,
    ) -> Result<Response<pb::ApproveGameResponse>, Status> {
        reply(self.approve(message.into_inner()).await)
    }

    async fn reject_game(
        &self,
        message: Request<pb::RejectGameRequest>,
    ) -> Result<Response<pb::RejectGameResponse>, Status> {
        reply(self.reject(message.into_inner()).await)
    }

    async fn archive_game(
        &self,
        message: Request<pb::ArchiveGameRequest>,
    ) -> Result<Response<pb::ArchiveGameResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ArchiveGame", message.get_ref())?;
        let game = self.app.archive_game(request, id, version).await?;
        reply(Ok(pb::ArchiveGameResponse {
            game: Some(to_wire(game)),
        }))
    }
}

fn new_game(wanted: Option<pb::Game>) -> Result<NewGame, Violations> {
    let wanted = resource("game", wanted)?;
    let mut fields = Fields::of("game");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let publisher_id = fields.take(convert::id("publisher_id", &wanted.publisher_id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let bundle = fields.take(text::required("bundle", &wanted.bundle, SHORT_MAX));
    let store = fields.take(names::required("store", wanted.store));
    let store_url = fields.take(text::optional("store_url", &wanted.store_url, URL_MAX));
    let category = fields.take(text::optional("category", &wanted.category, SHORT_MAX));
    let content_rating = fields.take(text::optional(
        "content_rating",
        &wanted.content_rating,
        SHORT_MAX,
    ));
    fields.make(|| {
        Some(NewGame {
            id: id?.unwrap_or_else(GameId::generate),
            publisher_id: publisher_id?,
            display_name: display_name?,
            bundle: bundle?,
            store: store?,
            store_url: store_url?,
            category: category?,
            content_rating: content_rating?,
        })
    })
}

fn change(wanted: &pb::Game, mask: &Mask) -> Result<(GameId, i64, GameChange), Violation> {
    let read = || {
        let rating = mask.maybe_text("content_rating", &wanted.content_rating, SHORT_MAX)?;
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            GameChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                store_url: mask.maybe_text("store_url", &wanted.store_url, URL_MAX)?,
                category: mask.maybe_text("category", &wanted.category, SHORT_MAX)?,
                content_rating: rating,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("game"))
}

fn to_wire(game: Game) -> pb::Game {
    pb::Game {
        id: game.id.to_string(),
        publisher_id: game.publisher_id.to_string(),
        display_name: game.display_name,
        bundle: game.bundle,
        store: game.store.to_wire(),
        store_url: convert::or_empty(game.store_url),
        category: convert::or_empty(game.category),
        content_rating: convert::or_empty(game.content_rating),
        state: game.state.to_wire(),
        review_note: convert::or_empty(game.review_note),
        create_time: convert::time(game.stamp.created_at),
        update_time: convert::time(game.stamp.updated_at),
        etag: convert::etag(game.stamp),
    }
}
