//! LineItemService.

mod wire;

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::line_item_service_server::LineItemService;
use cleave_kernel::{AdvertiserId, CampaignId, Violations};
use operations_domain::LineItemState;
use operations_domain::text::{self, SHORT_MAX};
use operations_store::Filter;
use operations_store::terms::TermsKey;
use tonic::{Request, Response, Status};

use self::wire::{change, new_line_item};
use super::names;
use super::page::page;
use super::request::{Verb, batch, request, resource, verb, version};
use super::{convert, explain, reply, terms};
use crate::app::{App, Error};

pub(super) use self::wire::{to_wire, to_wire_reason};

/// Serves LineItemService.
#[derive(Clone)]
pub struct LineItems {
    app: App,
}

impl LineItems {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateLineItemRequest,
    ) -> Result<pb::CreateLineItemResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateLineItem", &message, &message.request_id));
        let spec = faults.take(message.terms.as_ref().map(terms::spec).transpose());
        let new = faults.take(new_line_item(message.line_item));
        let ((request, new), spec) = faults.into_result(request.zip(new).zip(spec))?;
        let (view, terms) = self.app.create_line_item(request, new, spec).await?;
        Ok(pb::CreateLineItemResponse {
            line_item: Some(to_wire(view)),
            terms: terms.map(terms::to_wire),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListLineItemsRequest,
    ) -> Result<pb::ListLineItemsResponse, Error> {
        let page = page!("ListLineItems", message)?;
        let states: Vec<LineItemState> = names::list("states", &message.states)?;
        let campaign: Option<CampaignId> =
            convert::optional_id("campaign_id", &message.campaign_id)?;
        let advertiser: Option<AdvertiserId> =
            convert::optional_id("advertiser_id", &message.advertiser_id)?;
        let external_ref = text::optional("external_ref", &message.external_ref, SHORT_MAX)?;
        let filter = Filter::all()
            .is("campaign_id", campaign.map(CampaignId::uuid))
            .is("advertiser_id", advertiser.map(AdvertiserId::uuid))
            .any("state", &states)
            .is("external_ref", external_ref);
        let listed = self.app.list_line_items(filter, page.request()?).await?;
        let (line_items, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListLineItemsResponse {
            line_items,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateLineItemRequest,
    ) -> Result<pb::UpdateLineItemResponse, Error> {
        let request = request("UpdateLineItem", &message, &message.request_id)?;
        let wanted = resource("line_item", message.line_item)?;
        let mask = wire::mask(message.update_mask)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let view = self
            .app
            .update_line_item(request, id, version, change)
            .await?;
        Ok(pb::UpdateLineItemResponse {
            line_item: Some(to_wire(view)),
        })
    }

    async fn publish(
        &self,
        message: pb::PublishTermsRequest,
    ) -> Result<pb::PublishTermsResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("PublishTerms", &message, &message.request_id));
        let id = faults.take(convert::id("line_item_id", &message.line_item_id));
        let version = faults.take(version(&message.etag));
        let spec = faults.take(resource("terms", message.terms.as_ref()).and_then(terms::spec));
        let (((request, id), version), spec) =
            faults.into_result(request.zip(id).zip(version).zip(spec))?;
        let (published, view) = self.app.publish_terms(request, id, version, spec).await?;
        Ok(pb::PublishTermsResponse {
            terms: Some(terms::to_wire(published)),
            line_item: Some(to_wire(view)),
        })
    }

    async fn versions(
        &self,
        mut message: pb::ListTermsRequest,
    ) -> Result<pb::ListTermsResponse, Error> {
        let page = page!("ListTerms", message)?;
        let id = convert::id("line_item_id", &message.line_item_id)?;
        let after = page.after::<i64>()?.unwrap_or(0);
        let (versions, more) = self.app.list_terms(id, after, page.limit).await?;
        let end = versions.last().map(|version| version.version);
        Ok(pb::ListTermsResponse {
            next_page_token: page.next(end.filter(|_| more))?,
            terms: versions.into_iter().map(terms::to_wire).collect(),
        })
    }

    async fn get_terms(
        &self,
        message: pb::BatchGetLineItemTermsRequest,
    ) -> Result<pb::BatchGetLineItemTermsResponse, Error> {
        let keys: Vec<TermsKey> = batch("keys", &message.keys, terms::key)?;
        let mut answer = pb::BatchGetLineItemTermsResponse::default();
        for (key, found) in message
            .keys
            .into_iter()
            .zip(self.app.get_terms(&keys).await?)
        {
            match found {
                Some(version) => answer.terms.push(terms::to_wire(version)),
                None => answer.missing_keys.push(key),
            }
        }
        Ok(answer)
    }
}

#[tonic::async_trait]
impl LineItemService for LineItems {
    async fn create_line_item(
        &self,
        message: Request<pb::CreateLineItemRequest>,
    ) -> Result<Response<pb::CreateLineItemResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_line_item(
        &self,
        message: Request<pb::GetLineItemRequest>,
    ) -> Result<Response<pb::GetLineItemResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let view = self.app.get_line_item(id).await?;
        reply(Ok(pb::GetLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn list_line_items(
        &self,
        message: Request<pb::ListLineItemsRequest>,
    ) -> Result<Response<pb::ListLineItemsResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_line_item(
        &self,
        message: Request<pb::UpdateLineItemRequest>,
    ) -> Result<Response<pb::UpdateLineItemResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn enable_line_item(
        &self,
        message: Request<pb::EnableLineItemRequest>,
    ) -> Result<Response<pb::EnableLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("EnableLineItem", message.get_ref())?;
        let view = self.app.enable_line_item(request, id, version).await?;
        reply(Ok(pb::EnableLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn pause_line_item(
        &self,
        message: Request<pb::PauseLineItemRequest>,
    ) -> Result<Response<pb::PauseLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("PauseLineItem", message.get_ref())?;
        let view = self.app.pause_line_item(request, id, version).await?;
        reply(Ok(pb::PauseLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn remove_line_item(
        &self,
        message: Request<pb::RemoveLineItemRequest>,
    ) -> Result<Response<pb::RemoveLineItemResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("RemoveLineItem", message.get_ref())?;
        let view = self.app.remove_line_item(request, id, version).await?;
        reply(Ok(pb::RemoveLineItemResponse {
            line_item: Some(to_wire(view)),
        }))
    }

    async fn publish_terms(
        &self,
        message: Request<pb::PublishTermsRequest>,
    ) -> Result<Response<pb::PublishTermsResponse>, Status> {
        reply(self.publish(message.into_inner()).await)
    }

    async fn list_terms(
        &self,
        message: Request<pb::ListTermsRequest>,
    ) -> Result<Response<pb::ListTermsResponse>, Status> {
        reply(self.versions(message.into_inner()).await)
    }

    async fn batch_get_line_item_terms(
        &self,
        message: Request<pb::BatchGetLineItemTermsRequest>,
    ) -> Result<Response<pb::BatchGetLineItemTermsResponse>, Status> {
        reply(self.get_terms(message.into_inner()).await)
    }

    async fn explain_line_item(
        &self,
        message: Request<pb::ExplainLineItemRequest>,
    ) -> Result<Response<pb::ExplainLineItemResponse>, Status> {
        reply(explain::explain_line_item(&self.app, message.into_inner()).await)
    }
}
