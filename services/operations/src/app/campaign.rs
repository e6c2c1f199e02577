//! What can be asked about campaigns and their approval.

use cleave_kernel::{ApprovalId, CampaignId, Timestamp};
use operations_domain::account::AccountStanding;
use operations_domain::{
    Advertiser, Approval, Campaign, CampaignChange, NewCampaign, Refusal, Statement,
};
use operations_store::{Unit, account, line_item, record};

use super::mutate::{lock, lock_any, parent, update};
use super::{App, Error, Request};

/// A decision on a request for approval.
type Decide = fn(&mut Campaign, &mut Approval, Statement, Timestamp) -> Result<(), Refusal>;

impl App {
    /// Creates a draft of a campaign.
    ///
    /// # Errors
    /// When its advertiser is unknown, archived or may not order, or its id or external reference is taken.
    pub async fn create_campaign(
        &self,
        request: Request,
        new: NewCampaign,
    ) -> Result<Campaign, Error> {
        let new = &new;
        self.create(&request, |unit| async move {
            let advertiser = parent::<Advertiser>(&unit, new.advertiser_id).await?;
            let campaign = Campaign::create(new.clone(), &advertiser, unit.now())?;
            require_orders(&unit, &advertiser).await?;
            Ok(campaign)
        })
        .await
    }

    /// Changes what people write of a campaign.
    ///
    /// # Errors
    /// When it has changed since, its state forbids it, or its budget would not cover its line items.
    pub async fn update_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        change: CampaignChange,
    ) -> Result<Campaign, Error> {
        let change = &change;
        self.mutate(&request, |unit| async move {
            let before = lock::<Campaign>(&unit, id, version).await?;
            let caps = line_item::caps_of(&unit, id, None).await?;
            let mut campaign = before.clone();
            campaign.change(change.clone(), caps, unit.now())?;
            update(&unit, &before, &campaign).await?;
            Ok(campaign)
        })
        .await
    }

    /// Asks for approval of a campaign.
    ///
    /// # Errors
    /// When it has changed since, waits already, or has no line item with terms.
    pub async fn submit_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        statement: Statement,
    ) -> Result<(Campaign, Approval), Error> {
        let statement = &statement;
        self.mutate(&request, |unit| async move {
            let mut campaign = lock::<Campaign>(&unit, id, version).await?;
            let has_terms = line_item::any_with_terms(&unit, id).await?;
            let approval = campaign.submit(
                ApprovalId::generate(),
                has_terms,
                statement.clone(),
                unit.now(),
            )?;
            record::insert(&unit, &approval).await?;
            record::update(&unit, &campaign).await?;
            Ok((campaign, approval))
        })
        .await
    }

    /// Grants approval.
    ///
    /// # Errors
    /// When the campaign has changed since, does not wait for it, or the same person asked for it.
    pub async fn approve_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        statement: Statement,
    ) -> Result<(Campaign, Approval), Error> {
        self.decide(request, id, version, statement, Campaign::approve)
            .await
    }

    /// Refuses approval.
    ///
    /// # Errors
    /// When the campaign has changed since, does not wait for it, or the same person asked for it.
    pub async fn disapprove_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        statement: Statement,
    ) -> Result<(Campaign, Approval), Error> {
        self.decide(request, id, version, statement, Campaign::disapprove)
            .await
    }

    /// Takes a submission back.
    ///
    /// # Errors
    /// When the campaign has changed since, or does not wait for approval.
    pub async fn withdraw_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        statement: Statement,
    ) -> Result<(Campaign, Approval), Error> {
        self.decide(request, id, version, statement, Campaign::withdraw)
            .await
    }

    /// Stops a campaign for good.
    ///
    /// # Errors
    /// When it has changed since, waits for approval, or is stopped already.
    pub async fn cancel_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
    ) -> Result<Campaign, Error> {
        self.change(&request, id, version, Campaign::cancel).await
    }

    /// Puts a campaign away.
    ///
    /// # Errors
    /// When it has changed since, or may still run.
    pub async fn archive_campaign(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
    ) -> Result<Campaign, Error> {
        self.change(&request, id, version, Campaign::archive).await
    }

    async fn decide(
        &self,
        request: Request,
        id: CampaignId,
        version: i64,
        statement: Statement,
        decide: Decide,
    ) -> Result<(Campaign, Approval), Error> {
        let statement = &statement;
        self.mutate(&request, |unit| async move {
            let mut campaign = lock::<Campaign>(&unit, id, version).await?;
            let Some(approval_id) = campaign.approval_id else {
                return Err(never_submitted(&campaign).into());
            };
            let mut approval = lock_any::<Approval>(&unit, approval_id).await?;
            decide(&mut campaign, &mut approval, statement.clone(), unit.now())?;
            record::update(&unit, &approval).await?;
            record::update(&unit, &campaign).await?;
            Ok((campaign, approval))
        })
        .await
    }
}

fn never_submitted(campaign: &Campaign) -> Refusal {
    Refusal::State {
        kind: operations_domain::Kind::Campaign,
        id: campaign.id.to_string(),
        state: campaign.state.to_string(),
        action: "be decided on".to_owned(),
    }
}

/// Whether the standing of the advertiser's account, as far as is known, lets it order something new.
async fn require_orders(unit: &Unit, advertiser: &Advertiser) -> Result<(), Error> {
    let facts = account::account_facts(&**unit, &[advertiser.id], unit.now()).await?;
    let standing = facts
        .get(&advertiser.id)
        .map(|facts| facts.account.standing);
    match standing {
        Some(refused @ (AccountStanding::Stop | AccountStanding::Blocked)) => {
            let refusal = Refusal::AccountStanding {
                advertiser_id: advertiser.id.to_string(),
                standing: refused.to_string(),
            };
            Err(refusal.into())
        }
        None | Some(AccountStanding::Active | AccountStanding::OnHold) => Ok(()),
    }
}
