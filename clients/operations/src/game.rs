//! Games and their review.

use cleave_contracts::operations::v1::game_service_client::GameServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{OperationsClient, pb};

impl OperationsClient {
    /// Creates a DRAFT of a game.
    pub async fn create_game(
        &self,
        request: pb::CreateGameRequest,
    ) -> Result<pb::CreateGameResponse, CallError> {
        Ok(self.games().create_game(request).await?.into_inner())
    }

    /// Answers one game, archived ones too.
    pub async fn get_game(
        &self,
        request: pb::GetGameRequest,
    ) -> Result<pb::GetGameResponse, CallError> {
        Ok(self.games().get_game(request).await?.into_inner())
    }

    /// Lists games, oldest first.
    pub async fn list_games(
        &self,
        request: pb::ListGamesRequest,
    ) -> Result<pb::ListGamesResponse, CallError> {
        Ok(self.games().list_games(request).await?.into_inner())
    }

    /// Changes the fields that people write.
    pub async fn update_game(
        &self,
        request: pb::UpdateGameRequest,
    ) -> Result<pb::UpdateGameResponse, CallError> {
        Ok(self.games().update_game(request).await?.into_inner())
    }

    /// Sends a DRAFT or REJECTED game to review.
    pub async fn submit_game(
        &self,
        request: pb::SubmitGameRequest,
    ) -> Result<pb::SubmitGameResponse, CallError> {
        Ok(self.games().submit_game(request).await?.into_inner())
    }

    /// Lets a game IN_REVIEW carry ads; its publisher must be ACTIVE.
    pub async fn approve_game(
        &self,
        request: pb::ApproveGameRequest,
    ) -> Result<pb::ApproveGameResponse, CallError> {
        Ok(self.games().approve_game(request).await?.into_inner())
    }

    /// Refuses a game IN_REVIEW.
    pub async fn reject_game(
        &self,
        request: pb::RejectGameRequest,
    ) -> Result<pb::RejectGameResponse, CallError> {
        Ok(self.games().reject_game(request).await?.into_inner())
    }

    /// Puts a game away for good.
    pub async fn archive_game(
        &self,
        request: pb::ArchiveGameRequest,
    ) -> Result<pb::ArchiveGameResponse, CallError> {
        Ok(self.games().archive_game(request).await?.into_inner())
    }

    /// All games that the request asks for, page after page.
    pub fn list_all_games(
        &self,
        request: pb::ListGamesRequest,
    ) -> impl Stream<Item = Result<pb::Game, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_games(request).await?;
                Ok(Page {
                    items: page.games,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn games(&self) -> GameServiceClient<MeshChannel> {
        GameServiceClient::new(self.channel.clone())
    }
}
