//! AdUnitService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::ad_unit_service_server::AdUnitService;
use cleave_kernel::{AdUnitId, GameId, Micros, Violation, Violations};
use operations_domain::text::{self, NAME_MAX, SHORT_MAX};
use operations_domain::{AdUnit, AdUnitChange, AdUnitShape, AdUnitState, NewAdUnit};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, request, resource, verb, version};
use super::{convert, reply};
use crate::app::{App, Error};

const WRITTEN: [&str; 6] = [
    "display_name",
    "width",
    "height",
    "tag_id",
    "floor_micros",
    "currency_code",
];
const OUTPUT: [&str; 5] = ["id", "state", "create_time", "update_time", "etag"];

/// Serves AdUnitService.
#[derive(Clone)]
pub struct AdUnits {
    app: App,
}

impl AdUnits {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateAdUnitRequest,
    ) -> Result<pb::CreateAdUnitResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateAdUnit", &message, &message.request_id));
        let new = faults.take(new_ad_unit(message.ad_unit));
        let (request, new) = faults.into_result(request.zip(new))?;
        let ad_unit = self.app.create_ad_unit(request, new).await?;
        Ok(pb::CreateAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListAdUnitsRequest,
    ) -> Result<pb::ListAdUnitsResponse, Error> {
        let page = page!("ListAdUnits", message)?;
        let states: Vec<AdUnitState> = names::list("states", &message.states)?;
        let game: Option<GameId> = convert::optional_id("game_id", &message.game_id)?;
        let tag_id = text::optional("tag_id", &message.tag_id, SHORT_MAX)?;
        let filter = Filter::all()
            .is("game_id", game.map(GameId::uuid))
            .any("state", &states)
            .is("tag_id", tag_id);
        let listed = self.app.list(filter, page.request()?).await?;
        let (ad_units, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListAdUnitsResponse {
            ad_units,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateAdUnitRequest,
    ) -> Result<pb::UpdateAdUnitResponse, Error> {
        let request = request("UpdateAdUnit", &message, &message.request_id)?;
        let wanted = resource("ad_unit", message.ad_unit)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let ad_unit = self
            .app
            .update_ad_unit(request, id, version, change)
            .await?;
        Ok(pb::UpdateAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        })
    }
}

#[tonic::async_trait]
impl AdUnitService for AdUnits {
    async fn create_ad_unit(
        &self,
        message: Request<pb::CreateAdUnitRequest>,
    ) -> Result<Response<pb::CreateAdUnitResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_ad_unit(
        &self,
        message: Request<pb::GetAdUnitRequest>,
    ) -> Result<Response<pb::GetAdUnitResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let ad_unit = self.app.get::<AdUnit>(id).await?;
        reply(Ok(pb::GetAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        }))
    }

    async fn list_ad_units(
        &self,
        message: Request<pb::ListAdUnitsRequest>,
    ) -> Result<Response<pb::ListAdUnitsResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_ad_unit(
        &self,
        message: Request<pb::UpdateAdUnitRequest>,
    ) -> Result<Response<pb::UpdateAdUnitResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn pause_ad_unit(
        &self,
        message: Request<pb::PauseAdUnitRequest>,
    ) -> Result<Response<pb::PauseAdUnitResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("PauseAdUnit", message.get_ref())?;
        let ad_unit = self.app.pause_ad_unit(request, id, version).await?;
        reply(Ok(pb::PauseAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        }))
    }

    async fn resume_ad_unit(
        &self,
        message: Request<pb::ResumeAdUnitRequest>,
    ) -> Result<Response<pb::ResumeAdUnitResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ResumeAdUnit", message.get_ref())?;
        let ad_unit = self.app.resume_ad_unit(request, id, version).await?;
        reply(Ok(pb::ResumeAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        }))
    }

    async fn archive_ad_unit(
        &self,
        message: Request<pb::ArchiveAdUnitRequest>,
    ) -> Result<Response<pb::ArchiveAdUnitResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ArchiveAdUnit", message.get_ref())?;
        let ad_unit = self.app.archive_ad_unit(request, id, version).await?;
        reply(Ok(pb::ArchiveAdUnitResponse {
            ad_unit: Some(to_wire(ad_unit)),
        }))
    }
}

fn new_ad_unit(wanted: Option<pb::AdUnit>) -> Result<NewAdUnit, Violations> {
    let wanted = resource("ad_unit", wanted)?;
    let mut fields = Fields::of("ad_unit");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let game_id = fields.take(convert::id("game_id", &wanted.game_id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let format = fields.take(names::required("format", wanted.format));
    let shape = fields.take(shape(&wanted));
    let tag_id = fields.take(text::optional("tag_id", &wanted.tag_id, SHORT_MAX));
    fields.make(|| {
        Some(NewAdUnit {
            id: id?.unwrap_or_else(AdUnitId::generate),
            game_id: game_id?,
            display_name: display_name?,
            format: format?,
            shape: shape?,
            tag_id: tag_id?,
        })
    })
}

fn shape(wanted: &pb::AdUnit) -> Result<AdUnitShape, Violation> {
    let shape = AdUnitShape {
        width: wanted.width,
        height: wanted.height,
        floor: Micros::new(wanted.floor_micros),
        currency: convert::optional_currency("currency_code", &wanted.currency_code)?,
    };
    shape.checked()
}

fn change(wanted: &pb::AdUnit, mask: &Mask) -> Result<(AdUnitId, i64, AdUnitChange), Violation> {
    let read = || {
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            AdUnitChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                width: mask.value("width", wanted.width != 0, || Ok(wanted.width))?,
                height: mask.value("height", wanted.height != 0, || Ok(wanted.height))?,
                floor: mask.value("floor_micros", wanted.floor_micros != 0, || {
                    Ok(Micros::new(wanted.floor_micros))
                })?,
                currency: mask.value("currency_code", !wanted.currency_code.is_empty(), || {
                    convert::optional_currency("currency_code", &wanted.currency_code)
                })?,
                tag_id: mask.maybe_text("tag_id", &wanted.tag_id, SHORT_MAX)?,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("ad_unit"))
}

fn to_wire(ad_unit: AdUnit) -> pb::AdUnit {
    pb::AdUnit {
        id: ad_unit.id.to_string(),
        game_id: ad_unit.game_id.to_string(),
        display_name: ad_unit.display_name,
        format: ad_unit.format.to_wire(),
        width: ad_unit.shape.width,
        height: ad_unit.shape.height,
        tag_id: convert::or_empty(ad_unit.tag_id),
        floor_micros: ad_unit.shape.floor.get(),
        currency_code: ad_unit
            .shape
            .currency
            .map(|currency| currency.to_string())
            .unwrap_or_default(),
        state: ad_unit.state.to_wire(),
        create_time: convert::time(ad_unit.stamp.created_at),
        update_time: convert::time(ad_unit.stamp.updated_at),
        etag: convert::etag(ad_unit.stamp),
    }
}
