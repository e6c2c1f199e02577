//! What Billing needs of the catalogue.

use cleave_contracts::operations::v1::catalog_service_client::CatalogServiceClient;
use cleave_mesh::{
    CallError, MeshChannel, Reading,
    follow::{Messages, follow},
};
use futures::stream::{Stream, TryStreamExt};

use crate::{OperationsClient, pb};

/// What stands for the revision of an answer that names none.
const UNNUMBERED: i64 = 0;

impl OperationsClient {
    /// Streams the current state of parties, terms, revenue shares and campaigns in the order in which
    /// they changed, from the token on and then as they change.
    pub async fn watch_catalog(
        &self,
        request: pb::WatchCatalogRequest,
    ) -> Result<Messages<pb::WatchCatalogResponse>, CallError> {
        let messages = self.catalog().watch_catalog(request).await?.into_inner();
        Ok(Box::pin(messages.map_err(CallError::from)))
    }

    /// Answers parties by id; the last answer where Operations cannot be asked.
    pub async fn batch_get_parties(
        &self,
        request: pb::BatchGetPartiesRequest,
    ) -> Result<Reading<pb::BatchGetPartiesResponse>, CallError> {
        let answer = self.catalog().batch_get_parties(request).await?;
        Ok(Reading::now(answer, |_| UNNUMBERED))
    }

    /// Answers the revenue shares that hold for ad units at instants; the last answer where Operations
    /// cannot be asked.
    pub async fn batch_get_rev_share(
        &self,
        request: pb::BatchGetRevShareRequest,
    ) -> Result<Reading<pb::BatchGetRevShareResponse>, CallError> {
        let answer = self.catalog().batch_get_rev_share(request).await?;
        Ok(Reading::now(answer, |_| UNNUMBERED))
    }

    /// Follows `watch_catalog` across broken connections; see [`follow`](cleave_mesh::follow).
    pub fn follow_catalog(
        &self,
        request: pb::WatchCatalogRequest,
    ) -> impl Stream<Item = Result<pb::WatchCatalogResponse, CallError>> + Send + use<> {
        fn token_of(message: &pb::WatchCatalogResponse) -> &str {
            &message.resume_token
        }
        let client = self.clone();
        let token = request.resume_token.clone();
        follow(token, token_of, move |resume_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.resume_token = resume_token;
            async move { client.watch_catalog(request).await }
        })
    }

    fn catalog(&self) -> CatalogServiceClient<MeshChannel> {
        CatalogServiceClient::new(self.channel.clone())
    }
}
