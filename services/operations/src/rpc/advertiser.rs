//! AdvertiserService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::advertiser_service_server::AdvertiserService;
use cleave_kernel::{AdvertiserId, Violation, Violations};
use jiff::tz::TimeZone;
use operations_domain::text::{self, NAME_MAX, SHORT_MAX};
use operations_domain::{Advertiser, AdvertiserChange, NewAdvertiser};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, request, resource, verb, version};
use super::{convert, reply};
use crate::app::{App, Error};

/// Where an advertiser's days are when it names no zone.
const USUAL_ZONE: &str = "Asia/Kolkata";
const WRITTEN: [&str; 5] = [
    "display_name",
    "domain",
    "category",
    "time_zone",
    "external_ref",
];
const OUTPUT: [&str; 6] = [
    "id",
    "state",
    "account_id",
    "create_time",
    "update_time",
    "etag",
];

/// Serves AdvertiserService.
#[derive(Clone)]
pub struct Advertisers {
    app: App,
}

impl Advertisers {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateAdvertiserRequest,
    ) -> Result<pb::CreateAdvertiserResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateAdvertiser", &message, &message.request_id));
        let new = faults.take(new_advertiser(message.advertiser));
        let (request, new) = faults.into_result(request.zip(new))?;
        let advertiser = self.app.create_advertiser(request, new).await?;
        Ok(pb::CreateAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListAdvertisersRequest,
    ) -> Result<pb::ListAdvertisersResponse, Error> {
        let page = page!("ListAdvertisers", message)?;
        let states = names::list("states", &message.states)?;
        let external_ref = text::optional("external_ref", &message.external_ref, SHORT_MAX)?;
        let filter = Filter::all()
            .any::<operations_domain::AdvertiserState>("state", &states)
            .is("external_ref", external_ref);
        let listed = self.app.list(filter, page.request()?).await?;
        let (advertisers, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListAdvertisersResponse {
            advertisers,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdateAdvertiserRequest,
    ) -> Result<pb::UpdateAdvertiserResponse, Error> {
        let request = request("UpdateAdvertiser", &message, &message.request_id)?;
        let wanted = resource("advertiser", message.advertiser)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let advertiser = self
            .app
            .update_advertiser(request, id, version, change)
            .await?;
        Ok(pb::UpdateAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        })
    }
}

#[tonic::async_trait]
impl AdvertiserService for Advertisers {
    async fn create_advertiser(
        &self,
        message: Request<pb::CreateAdvertiserRequest>,
    ) -> Result<Response<pb::CreateAdvertiserResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_advertiser(
        &self,
        message: Request<pb::GetAdvertiserRequest>,
    ) -> Result<Response<pb::GetAdvertiserResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let advertiser = self.app.get::<Advertiser>(id).await?;
        reply(Ok(pb::GetAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        }))
    }

    async fn list_advertisers(
        &self,
        message: Request<pb::ListAdvertisersRequest>,
    ) -> Result<Response<pb::ListAdvertisersResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_advertiser(
        &self,
        message: Request<pb::UpdateAdvertiserRequest>,
    ) -> Result<Response<pb::UpdateAdvertiserResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn suspend_advertiser(
        &self,
        message: Request<pb::SuspendAdvertiserRequest>,
    ) -> Result<Response<pb::SuspendAdvertiserResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("SuspendAdvertiser", message.get_ref())?;
        let advertiser = self.app.suspend_advertiser(request, id, version).await?;
        reply(Ok(pb::SuspendAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        }))
    }

    async fn resume_advertiser(
        &self,
        message: Request<pb::ResumeAdvertiserRequest>,
    ) -> Result<Response<pb::ResumeAdvertiserResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ResumeAdvertiser", message.get_ref())?;
        let advertiser = self.app.resume_advertiser(request, id, version).await?;
        reply(Ok(pb::ResumeAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        }))
    }

    async fn archive_advertiser(
        &self,
        message: Request<pb::ArchiveAdvertiserRequest>,
    ) -> Result<Response<pb::ArchiveAdvertiserResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ArchiveAdvertiser", message.get_ref())?;
        let advertiser = self.app.archive_advertiser(request, id, version).await?;
        reply(Ok(pb::ArchiveAdvertiserResponse {
            advertiser: Some(to_wire(advertiser)),
        }))
    }
}

fn new_advertiser(wanted: Option<pb::Advertiser>) -> Result<NewAdvertiser, Violations> {
    let wanted = resource("advertiser", wanted)?;
    let mut fields = Fields::of("advertiser");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let domain = fields.take(text::optional("domain", &wanted.domain, SHORT_MAX));
    let category = fields.take(text::optional("category", &wanted.category, SHORT_MAX));
    let time_zone = fields.take(time_zone(&wanted.time_zone));
    let currency = fields.take(convert::currency("currency_code", &wanted.currency_code));
    let external_ref = fields.take(text::optional(
        "external_ref",
        &wanted.external_ref,
        SHORT_MAX,
    ));
    let billing = fields.take(convert::proposal(wanted.billing_proposal));
    fields.make(|| {
        Some(NewAdvertiser {
            id: id?.unwrap_or_else(AdvertiserId::generate),
            display_name: display_name?,
            domain: domain?,
            category: category?,
            time_zone: time_zone?,
            currency: currency?,
            external_ref: external_ref?,
            billing: billing?,
        })
    })
}

fn change(
    wanted: &pb::Advertiser,
    mask: &Mask,
) -> Result<(AdvertiserId, i64, AdvertiserChange), Violation> {
    let read = || {
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            AdvertiserChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                domain: mask.maybe_text("domain", &wanted.domain, SHORT_MAX)?,
                category: mask.maybe_text("category", &wanted.category, SHORT_MAX)?,
                time_zone: mask.value("time_zone", !wanted.time_zone.is_empty(), || {
                    time_zone(&wanted.time_zone)
                })?,
                external_ref: mask.maybe_text("external_ref", &wanted.external_ref, SHORT_MAX)?,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("advertiser"))
}

fn time_zone(name: &str) -> Result<String, Violation> {
    let name = if name.is_empty() { USUAL_ZONE } else { name };
    TimeZone::get(name).map(|_| name.to_owned()).map_err(|_| {
        Violation::new(
            "time_zone",
            "UNKNOWN_TIME_ZONE",
            "this is not an IANA time zone such as \"Asia/Kolkata\"",
        )
    })
}

fn to_wire(advertiser: Advertiser) -> pb::Advertiser {
    pb::Advertiser {
        id: advertiser.id.to_string(),
        display_name: advertiser.display_name,
        domain: convert::or_empty(advertiser.domain),
        category: convert::or_empty(advertiser.category),
        time_zone: advertiser.time_zone,
        currency_code: advertiser.currency.to_string(),
        external_ref: convert::or_empty(advertiser.external_ref),
        billing_proposal: convert::wire_proposal(advertiser.billing),
        state: advertiser.state.to_wire(),
        account_id: advertiser
            .account_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        create_time: convert::time(advertiser.stamp.created_at),
        update_time: convert::time(advertiser.stamp.updated_at),
        etag: convert::etag(advertiser.stamp),
    }
}
