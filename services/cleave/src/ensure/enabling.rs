//! Campaigns approved, line items enabled.

use anyhow::{Context, Result, bail};
use operations_client::OperationsClient;
use operations_client::pb::{
    ApproveCampaignRequest, Campaign, EnableLineItemRequest, GetCampaignRequest,
    GetLineItemRequest, SubmitCampaignRequest, campaign, line_item,
};
use uuid::Uuid;

use super::ids::request_id;
use super::{answered, until};

/// Refusals that pass once Billing has been heard.
const NOT_YET: [&str; 4] = [
    "BILLING_ACCOUNT_PENDING",
    "ACCOUNT_STANDING",
    "STANDING_STALE",
    "PARENT_NOT_READY",
];

/// Brings a campaign to APPROVED: one person submits it, another approves it.
pub(crate) async fn approved(
    client: &OperationsClient,
    id: &str,
    submitter: &str,
    approver: &str,
) -> Result<()> {
    let get = GetCampaignRequest { id: id.to_owned() };
    let mut campaign: Campaign = answered(client.get_campaign(get).await?.campaign)?;
    if matches!(
        campaign.state(),
        campaign::State::Draft | campaign::State::Disapproved
    ) {
        let request = SubmitCampaignRequest {
            request_id: request_id("submit", id, &campaign),
            id: campaign.id,
            etag: campaign.etag,
            actor: submitter.to_owned(),
            note: String::new(),
        };
        campaign = answered(client.submit_campaign(request).await?.campaign)?;
    }
    if campaign.state() == campaign::State::PendingApproval {
        let request = ApproveCampaignRequest {
            request_id: request_id("approve", id, &campaign),
            id: campaign.id,
            etag: campaign.etag,
            actor: approver.to_owned(),
            note: String::new(),
        };
        campaign = answered(client.approve_campaign(request).await?.campaign)?;
    }
    if campaign.state() != campaign::State::Approved {
        bail!(
            "campaign {:?} cannot be approved any more",
            campaign.display_name
        );
    }
    Ok(())
}

/// Enables a line item, as soon as what Operations knows of the account allows it.
pub(crate) async fn enabled(client: &OperationsClient, id: &str) -> Result<()> {
    until("waiting to enable a line item", || async {
        let get = GetLineItemRequest { id: id.to_owned() };
        let line_item = answered(client.get_line_item(get).await?.line_item)?;
        if line_item.state() == line_item::State::Enabled {
            return Ok(Some(()));
        }
        let request = EnableLineItemRequest {
            // A refusal is an outcome for ever, so each attempt is a request of its own.
            request_id: Uuid::now_v7().to_string(),
            id: line_item.id,
            etag: line_item.etag,
        };
        match client.enable_line_item(request).await {
            Ok(_) => Ok(Some(())),
            Err(error) if NOT_YET.iter().any(|reason| error.is_reason(reason)) => Ok(None),
            Err(error) => Err(error).context("enabling a line item"),
        }
    })
    .await
}
