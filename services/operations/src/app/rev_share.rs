//! What can be asked about revenue shares.

use std::collections::HashMap;

use cleave_kernel::{AdUnitId, RevShareId, Timestamp};
use operations_domain::rev_share::{DeliveredHours, Placement, resolve};
use operations_domain::{
    AdUnit, Game, Kind, NewRevShare, Publisher, Refusal, RevShare, ShareScope,
};
use operations_store::{Unit, ad_unit, delivery, record, rev_share};

use super::mutate::parent;
use super::{App, Error, Request};

/// Which share holds where and when.
#[derive(Debug, Clone)]
pub struct ResolvedShare {
    /// Where.
    pub placement: Placement,
    /// When.
    pub at: Timestamp,
    /// The version that holds.
    pub rev_share: RevShare,
    /// Until when it holds, as far as is known.
    pub until: Option<Timestamp>,
}

impl App {
    /// Publishes the next version of a scope's share.
    ///
    /// # Errors
    /// When the scope names nothing, the version would not be the latest, or it would change what was earned.
    pub async fn create_rev_share(
        &self,
        request: Request,
        new: NewRevShare,
    ) -> Result<RevShare, Error> {
        let new = &new;
        self.mutate(&request, |unit| async move {
            require_scope(&unit, new.scope).await?;
            let last = rev_share::last_of(&unit, new.scope).await?;
            let version = RevShare::publish(new.clone(), last.as_ref(), unit.now())?;
            require_unused(&unit, &version).await?;
            record::insert(&unit, &version).await?;
            Ok(version)
        })
        .await
    }

    /// One version.
    ///
    /// # Errors
    /// When there is none with this id.
    pub async fn get_rev_share(&self, id: RevShareId) -> Result<RevShare, Error> {
        self.find::<RevShare>(id).await?.ok_or_else(|| {
            Error::Refused(Refusal::NotFound {
                kind: Kind::RevShare,
                id: id.to_string(),
            })
        })
    }

    /// The share that holds for an ad unit at an instant, now if none is given.
    ///
    /// # Errors
    /// When there is no such ad unit, or no share covers it.
    pub async fn resolve_rev_share(
        &self,
        id: AdUnitId,
        at: Option<Timestamp>,
    ) -> Result<ResolvedShare, Error> {
        let at = at.unwrap_or_else(|| self.clock.now());
        if let Some(found) = self.resolve_rev_shares(&[(id, at)]).await?.pop().flatten() {
            return Ok(found);
        }
        self.get::<AdUnit>(id).await?;
        let ad_unit_id = id.to_string();
        Err(Refusal::RevShareUnresolved { ad_unit_id, at }.into())
    }

    /// The shares that hold for ad units at instants, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resolve_rev_shares(
        &self,
        queries: &[(AdUnitId, Timestamp)],
    ) -> Result<Vec<Option<ResolvedShare>>, Error> {
        let ids: Vec<AdUnitId> = queries.iter().map(|(id, _)| *id).collect();
        let ids = &ids;
        let (placements, versions) = self
            .store
            .db()
            .read("resolve_rev_shares", |conn| async move {
                let placements = ad_unit::placements(conn, ids).await?;
                let versions = rev_share::covering(conn, &placements).await?;
                Ok::<_, Error>((placements, versions))
            })
            .await?;
        let placements: HashMap<AdUnitId, Placement> = placements
            .into_iter()
            .map(|placement| (placement.ad_unit_id, placement))
            .collect();
        let resolve_one = |(id, at): &(AdUnitId, Timestamp)| {
            let placement = *placements.get(id)?;
            let found = resolve(&placement, &versions, *at)?;
            Some(ResolvedShare {
                placement,
                at: *at,
                rev_share: found.rev_share.clone(),
                until: found.until,
            })
        };
        Ok(queries.iter().map(resolve_one).collect())
    }
}

async fn require_scope(unit: &Unit, scope: ShareScope) -> Result<(), Error> {
    match scope {
        ShareScope::Network => Ok(()),
        ShareScope::Publisher(id) => parent::<Publisher>(unit, id).await.map(drop),
        ShareScope::Game(id) => parent::<Game>(unit, id).await.map(drop),
        ShareScope::AdUnit(id) => parent::<AdUnit>(unit, id).await.map(drop),
    }
}

/// Refuses a version that takes effect in the past and would change what delivery has earned there.
async fn require_unused(unit: &Unit, version: &RevShare) -> Result<(), Error> {
    if version.effective_at >= unit.now() {
        return Ok(());
    }
    // Held until the commit, so that no delivery comes in between the look and the change.
    delivery::close_gate(unit).await?;
    let placements = ad_unit::covered(&**unit, version.scope).await?;
    let ids: Vec<AdUnitId> = placements.iter().map(|place| place.ad_unit_id).collect();
    let hours = delivery::last_hours(&**unit, &ids).await?;
    let delivered: Vec<DeliveredHours> = placements
        .into_iter()
        .filter_map(|placement| {
            let last = *hours.get(&placement.ad_unit_id)?;
            // The first hour is not kept; the earliest that it could be is as strict.
            let first = version.effective_at;
            (last >= first).then_some(DeliveredHours {
                placement,
                first,
                last,
            })
        })
        .collect();
    let touched: Vec<Placement> = delivered.iter().map(|hours| hours.placement).collect();
    let versions = rev_share::covering(&**unit, &touched).await?;
    Ok(version.require_unused(&versions, &delivered)?)
}
