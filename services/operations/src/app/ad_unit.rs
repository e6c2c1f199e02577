//! What can be asked about ad units.

use cleave_kernel::AdUnitId;
use operations_domain::{AdUnit, AdUnitChange, Game, NewAdUnit};

use super::mutate::parent;
use super::{App, Error, Request};

impl App {
    /// Creates an ad unit.
    ///
    /// # Errors
    /// When its game is unknown or archived, or its id or tag is taken.
    pub async fn create_ad_unit(&self, request: Request, new: NewAdUnit) -> Result<AdUnit, Error> {
        let new = &new;
        self.create(&request, |unit| async move {
            let game = parent::<Game>(&unit, new.game_id).await?;
            Ok(AdUnit::create(new.clone(), &game, unit.now())?)
        })
        .await
    }

    /// Changes what people write of an ad unit.
    ///
    /// # Errors
    /// When it has changed since, is archived, or its new tag is taken.
    pub async fn update_ad_unit(
        &self,
        request: Request,
        id: AdUnitId,
        version: i64,
        change: AdUnitChange,
    ) -> Result<AdUnit, Error> {
        self.change(&request, id, version, |ad_unit: &mut AdUnit, now| {
            ad_unit.change(change.clone(), now)
        })
        .await
    }

    /// Stops an ad unit.
    ///
    /// # Errors
    /// When it has changed since, or is not active.
    pub async fn pause_ad_unit(
        &self,
        request: Request,
        id: AdUnitId,
        version: i64,
    ) -> Result<AdUnit, Error> {
        self.change(&request, id, version, AdUnit::pause).await
    }

    /// Lets an ad unit serve again.
    ///
    /// # Errors
    /// When it has changed since, or is not paused.
    pub async fn resume_ad_unit(
        &self,
        request: Request,
        id: AdUnitId,
        version: i64,
    ) -> Result<AdUnit, Error> {
        self.change(&request, id, version, AdUnit::resume).await
    }

    /// Puts an ad unit away.
    ///
    /// # Errors
    /// When it has changed since, or is put away already.
    pub async fn archive_ad_unit(
        &self,
        request: Request,
        id: AdUnitId,
        version: i64,
    ) -> Result<AdUnit, Error> {
        self.change(&request, id, version, AdUnit::archive).await
    }
}
