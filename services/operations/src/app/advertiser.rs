//! What can be asked about advertisers.

use cleave_kernel::AdvertiserId;
use operations_domain::{Advertiser, AdvertiserChange, NewAdvertiser};
use operations_store::outbox;

use super::mutate::insert;
use super::{App, Error, Request};

impl App {
    /// Creates an advertiser and has Billing asked for its account.
    ///
    /// # Errors
    /// When its id or external reference is taken.
    pub async fn create_advertiser(
        &self,
        request: Request,
        new: NewAdvertiser,
    ) -> Result<Advertiser, Error> {
        let new = &new;
        let advertiser = self
            .mutate(&request, |unit| async move {
                let advertiser = Advertiser::create(new.clone(), unit.now());
                insert(&unit, &advertiser).await?;
                outbox::push(&unit, &advertiser.open_account()).await?;
                Ok(advertiser)
            })
            .await?;
        self.outbox_bell.notify_one();
        Ok(advertiser)
    }

    /// Changes what people write of an advertiser.
    ///
    /// # Errors
    /// When it has changed since, is archived, or its new external reference is taken.
    pub async fn update_advertiser(
        &self,
        request: Request,
        id: AdvertiserId,
        version: i64,
        change: AdvertiserChange,
    ) -> Result<Advertiser, Error> {
        self.change(&request, id, version, |advertiser: &mut Advertiser, now| {
            advertiser.change(change.clone(), now)
        })
        .await
    }

    /// Stops everything of an advertiser.
    ///
    /// # Errors
    /// When it has changed since, or is not active.
    pub async fn suspend_advertiser(
        &self,
        request: Request,
        id: AdvertiserId,
        version: i64,
    ) -> Result<Advertiser, Error> {
        self.change(&request, id, version, Advertiser::suspend)
            .await
    }

    /// Lets an advertiser run again.
    ///
    /// # Errors
    /// When it has changed since, or is not suspended.
    pub async fn resume_advertiser(
        &self,
        request: Request,
        id: AdvertiserId,
        version: i64,
    ) -> Result<Advertiser, Error> {
        self.change(&request, id, version, Advertiser::resume).await
    }

    /// Puts an advertiser away.
    ///
    /// # Errors
    /// When it has changed since, or is put away already.
    pub async fn archive_advertiser(
        &self,
        request: Request,
        id: AdvertiserId,
        version: i64,
    ) -> Result<Advertiser, Error> {
        self.change(&request, id, version, Advertiser::archive)
            .await
    }
}
