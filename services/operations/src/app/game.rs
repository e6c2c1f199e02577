//! What can be asked about games.

use cleave_kernel::GameId;
use operations_domain::{Game, GameChange, NewGame, Publisher};

use super::mutate::{lock, parent, update};
use super::{App, Error, Request};

impl App {
    /// Creates a draft of a game.
    ///
    /// # Errors
    /// When its publisher is unknown or terminated, or its id or bundle is taken.
    pub async fn create_game(&self, request: Request, new: NewGame) -> Result<Game, Error> {
        let new = &new;
        self.create(&request, |unit| async move {
            let publisher = parent::<Publisher>(&unit, new.publisher_id).await?;
            Ok(Game::create(new.clone(), &publisher, unit.now())?)
        })
        .await
    }

    /// Changes what people write of a game.
    ///
    /// # Errors
    /// When it has changed since, is in review, or is archived.
    pub async fn update_game(
        &self,
        request: Request,
        id: GameId,
        version: i64,
        change: GameChange,
    ) -> Result<Game, Error> {
        self.change(&request, id, version, |game: &mut Game, now| {
            game.change(change.clone(), now)
        })
        .await
    }

    /// Sends a game to review.
    ///
    /// # Errors
    /// When it has changed since, or is neither a draft nor rejected.
    pub async fn submit_game(
        &self,
        request: Request,
        id: GameId,
        version: i64,
    ) -> Result<Game, Error> {
        self.change(&request, id, version, Game::submit).await
    }

    /// Lets a game carry ads.
    ///
    /// # Errors
    /// When it has changed since, is not in review, or its publisher is not active.
    pub async fn approve_game(
        &self,
        request: Request,
        id: GameId,
        version: i64,
        note: Option<String>,
    ) -> Result<Game, Error> {
        let note = &note;
        self.mutate(&request, |unit| async move {
            let before = lock::<Game>(&unit, id, version).await?;
            let publisher = parent::<Publisher>(&unit, before.publisher_id).await?;
            let mut game = before.clone();
            game.approve(&publisher, note.clone(), unit.now())?;
            update(&unit, &before, &game).await?;
            Ok(game)
        })
        .await
    }

    /// Refuses a game.
    ///
    /// # Errors
    /// When it has changed since, or is not in review.
    pub async fn reject_game(
        &self,
        request: Request,
        id: GameId,
        version: i64,
        note: String,
    ) -> Result<Game, Error> {
        self.change(&request, id, version, |game: &mut Game, now| {
            game.reject(note.clone(), now)
        })
        .await
    }

    /// Puts a game away.
    ///
    /// # Errors
    /// When it has changed since, or is put away already.
    pub async fn archive_game(
        &self,
        request: Request,
        id: GameId,
        version: i64,
    ) -> Result<Game, Error> {
        self.change(&request, id, version, Game::archive).await
    }
}
