//! LineItemService, as far as it is faked.

use cleave_contracts::operations::v1::line_item_service_server::LineItemService;
use tonic::{Request, Response, Status, async_trait};

use super::refusal::{Faults, not_faked};
use super::world::Globe;
use crate::pb;

#[async_trait]
impl LineItemService for Globe {
    async fn batch_get_line_item_terms(
        &self,
        request: Request<pb::BatchGetLineItemTermsRequest>,
    ) -> Result<Response<pb::BatchGetLineItemTermsResponse>, Status> {
        let keys = request.into_inner().keys;
        let mut faults = Faults::default();
        faults.require((1..=1000).contains(&keys.len()), "keys", "1 to 1000");
        for (index, key) in keys.iter().enumerate() {
            let field = format!("keys[{index}].line_item_id");
            faults.require_id(&key.line_item_id, &["line"], &field);
            faults.require(
                key.version >= 1,
                &format!("keys[{index}].version"),
                "1 or more",
            );
        }
        faults.refuse()?;
        Ok(Response::new(self.edit(|world| {
            let mut response = pb::BatchGetLineItemTermsResponse::default();
            for key in keys {
                match world.terms.get(&(key.line_item_id.clone(), key.version)) {
                    Some((terms, _)) => response.terms.push(terms.clone()),
                    None => response.missing_keys.push(key),
                }
            }
            response
        })))
    }

    async fn create_line_item(
        &self,
        _: Request<pb::CreateLineItemRequest>,
    ) -> Result<Response<pb::CreateLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn get_line_item(
        &self,
        _: Request<pb::GetLineItemRequest>,
    ) -> Result<Response<pb::GetLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn list_line_items(
        &self,
        _: Request<pb::ListLineItemsRequest>,
    ) -> Result<Response<pb::ListLineItemsResponse>, Status> {
        Err(not_faked())
    }

    async fn update_line_item(
        &self,
        _: Request<pb::UpdateLineItemRequest>,
    ) -> Result<Response<pb::UpdateLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn enable_line_item(
        &self,
        _: Request<pb::EnableLineItemRequest>,
    ) -> Result<Response<pb::EnableLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn pause_line_item(
        &self,
        _: Request<pb::PauseLineItemRequest>,
    ) -> Result<Response<pb::PauseLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn remove_line_item(
        &self,
        _: Request<pb::RemoveLineItemRequest>,
    ) -> Result<Response<pb::RemoveLineItemResponse>, Status> {
        Err(not_faked())
    }

    async fn publish_terms(
        &self,
        _: Request<pb::PublishTermsRequest>,
    ) -> Result<Response<pb::PublishTermsResponse>, Status> {
        Err(not_faked())
    }

    async fn list_terms(
        &self,
        _: Request<pb::ListTermsRequest>,
    ) -> Result<Response<pb::ListTermsResponse>, Status> {
        Err(not_faked())
    }

    async fn explain_line_item(
        &self,
        _: Request<pb::ExplainLineItemRequest>,
    ) -> Result<Response<pb::ExplainLineItemResponse>, Status> {
        Err(not_faked())
    }
}
