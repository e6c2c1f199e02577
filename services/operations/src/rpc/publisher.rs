//! PublisherService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::publisher_service_server::PublisherService;
use cleave_kernel::{PublisherId, Violation, Violations};
use operations_domain::text::{self, NAME_MAX, SHORT_MAX};
use operations_domain::{
    BillingProposal, CONTACTS_MAX, NewPublisher, Publisher, PublisherChange, PublisherState, Seller,
};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::mask::Mask;
use super::names::{self, Wire};
use super::page::page;
use super::request::{Fields, Verb, request, resource, verb, version};
use super::{convert, reply};
use crate::app::{App, Error};

const WRITTEN: [&str; 5] = [
    "display_name",
    "seller_domain",
    "seller_id",
    "contact_emails",
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

/// Serves PublisherService.
#[derive(Clone)]
pub struct Publishers {
    app: App,
}

impl Publishers {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreatePublisherRequest,
    ) -> Result<pb::CreatePublisherResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreatePublisher", &message, &message.request_id));
        let new = faults.take(new_publisher(message.publisher));
        let (request, new) = faults.into_result(request.zip(new))?;
        let publisher = self.app.create_publisher(request, new).await?;
        Ok(pb::CreatePublisherResponse {
            publisher: Some(to_wire(publisher)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListPublishersRequest,
    ) -> Result<pb::ListPublishersResponse, Error> {
        let page = page!("ListPublishers", message)?;
        let states: Vec<PublisherState> = names::list("states", &message.states)?;
        let external_ref = text::optional("external_ref", &message.external_ref, SHORT_MAX)?;
        let filter = Filter::all()
            .any("state", &states)
            .is("external_ref", external_ref);
        let listed = self.app.list(filter, page.request()?).await?;
        let (publishers, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListPublishersResponse {
            publishers,
            next_page_token,
        })
    }

    async fn update(
        &self,
        message: pb::UpdatePublisherRequest,
    ) -> Result<pb::UpdatePublisherResponse, Error> {
        let request = request("UpdatePublisher", &message, &message.request_id)?;
        let wanted = resource("publisher", message.publisher)?;
        let mask = Mask::parse(message.update_mask, &WRITTEN, &OUTPUT)?;
        let (id, version, change) = change(&wanted, &mask)?;
        let publisher = self
            .app
            .update_publisher(request, id, version, change)
            .await?;
        Ok(pb::UpdatePublisherResponse {
            publisher: Some(to_wire(publisher)),
        })
    }
}

#[tonic::async_trait]
impl PublisherService for Publishers {
    async fn create_publisher(
        &self,
        message: Request<pb::CreatePublisherRequest>,
    ) -> Result<Response<pb::CreatePublisherResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_publisher(
        &self,
        message: Request<pb::GetPublisherRequest>,
    ) -> Result<Response<pb::GetPublisherResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let publisher = self.app.get::<Publisher>(id).await?;
        reply(Ok(pb::GetPublisherResponse {
            publisher: Some(to_wire(publisher)),
        }))
    }

    async fn list_publishers(
        &self,
        message: Request<pb::ListPublishersRequest>,
    ) -> Result<Response<pb::ListPublishersResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn update_publisher(
        &self,
        message: Request<pb::UpdatePublisherRequest>,
    ) -> Result<Response<pb::UpdatePublisherResponse>, Status> {
        reply(self.update(message.into_inner()).await)
    }

    async fn activate_publisher(
        &self,
        message: Request<pb::ActivatePublisherRequest>,
    ) -> Result<Response<pb::ActivatePublisherResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ActivatePublisher", message.get_ref())?;
        let publisher = self.app.activate_publisher(request, id, version).await?;
        reply(Ok(pb::ActivatePublisherResponse {
            publisher: Some(to_wire(publisher)),
        }))
    }

    async fn suspend_publisher(
        &self,
        message: Request<pb::SuspendPublisherRequest>,
    ) -> Result<Response<pb::SuspendPublisherResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("SuspendPublisher", message.get_ref())?;
        let publisher = self.app.suspend_publisher(request, id, version).await?;
        reply(Ok(pb::SuspendPublisherResponse {
            publisher: Some(to_wire(publisher)),
        }))
    }

    async fn resume_publisher(
        &self,
        message: Request<pb::ResumePublisherRequest>,
    ) -> Result<Response<pb::ResumePublisherResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("ResumePublisher", message.get_ref())?;
        let publisher = self.app.resume_publisher(request, id, version).await?;
        reply(Ok(pb::ResumePublisherResponse {
            publisher: Some(to_wire(publisher)),
        }))
    }

    async fn terminate_publisher(
        &self,
        message: Request<pb::TerminatePublisherRequest>,
    ) -> Result<Response<pb::TerminatePublisherResponse>, Status> {
        let Verb {
            request,
            id,
            version,
        } = verb!("TerminatePublisher", message.get_ref())?;
        let publisher = self.app.terminate_publisher(request, id, version).await?;
        reply(Ok(pb::TerminatePublisherResponse {
            publisher: Some(to_wire(publisher)),
        }))
    }
}

fn new_publisher(wanted: Option<pb::Publisher>) -> Result<NewPublisher, Violations> {
    let wanted = resource("publisher", wanted)?;
    let mut fields = Fields::of("publisher");
    let id = fields.take(convert::optional_id("id", &wanted.id));
    let display_name = fields.take(text::required(
        "display_name",
        &wanted.display_name,
        NAME_MAX,
    ));
    let seller = fields.take(seller(&wanted));
    let contact_emails = fields.take(emails(&wanted.contact_emails));
    let currency = fields.take(convert::currency("currency_code", &wanted.currency_code));
    let external_ref = fields.take(text::optional(
        "external_ref",
        &wanted.external_ref,
        SHORT_MAX,
    ));
    let net_days = wanted
        .billing_proposal
        .map_or(0, |proposal| proposal.net_days);
    let billing = fields.take(
        BillingProposal::for_publisher(i64::from(net_days))
            .map_err(|fault| fault.under("billing_proposal")),
    );
    fields.make(|| {
        Some(NewPublisher {
            id: id?.unwrap_or_else(PublisherId::generate),
            display_name: display_name?,
            seller: seller?,
            contact_emails: contact_emails?,
            currency: currency?,
            external_ref: external_ref?,
            billing: billing?,
        })
    })
}

fn seller(wanted: &pb::Publisher) -> Result<Option<Seller>, Violation> {
    let domain = text::optional("seller_domain", &wanted.seller_domain, SHORT_MAX)?;
    let id = text::optional("seller_id", &wanted.seller_id, SHORT_MAX)?;
    Seller::from_parts(domain, id)
}

fn emails(wanted: &[String]) -> Result<Vec<String>, Violation> {
    let field = "contact_emails";
    if wanted.len() > CONTACTS_MAX {
        let most = format!("there may be {CONTACTS_MAX} addresses at most");
        return Err(Violation::new(field, "TOO_MANY", most));
    }
    let one = |(index, email): (usize, &String)| {
        let email = text::required("", email, SHORT_MAX)?;
        let mut parts = email.splitn(2, '@');
        if parts.all(|part| !part.is_empty()) && email.contains('@') {
            Ok(email)
        } else {
            Err(Violation::new(
                "",
                "INVALID_EMAIL",
                "this is not an address",
            ))
        }
        .map_err(|fault| fault.at(index).under(field))
    };
    wanted.iter().enumerate().map(one).collect()
}

fn change(
    wanted: &pb::Publisher,
    mask: &Mask,
) -> Result<(PublisherId, i64, PublisherChange), Violation> {
    let read = || {
        let domain = mask.maybe_text("seller_domain", &wanted.seller_domain, SHORT_MAX)?;
        Ok((
            convert::id("id", &wanted.id)?,
            version(&wanted.etag)?,
            PublisherChange {
                display_name: mask.text("display_name", &wanted.display_name, NAME_MAX)?,
                seller_domain: domain,
                seller_id: mask.maybe_text("seller_id", &wanted.seller_id, SHORT_MAX)?,
                contact_emails: mask.value(
                    "contact_emails",
                    !wanted.contact_emails.is_empty(),
                    || emails(&wanted.contact_emails),
                )?,
                external_ref: mask.maybe_text("external_ref", &wanted.external_ref, SHORT_MAX)?,
            },
        ))
    };
    read().map_err(|fault: Violation| fault.under("publisher"))
}

fn to_wire(publisher: Publisher) -> pb::Publisher {
    let (seller_domain, seller_id) = publisher
        .seller
        .map(|seller| (seller.domain, seller.id))
        .unwrap_or_default();
    pb::Publisher {
        id: publisher.id.to_string(),
        display_name: publisher.display_name,
        seller_domain,
        seller_id,
        contact_emails: publisher.contact_emails,
        currency_code: publisher.currency.to_string(),
        external_ref: convert::or_empty(publisher.external_ref),
        billing_proposal: convert::wire_proposal(publisher.billing),
        state: publisher.state.to_wire(),
        account_id: publisher
            .account_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        create_time: convert::time(publisher.stamp.created_at),
        update_time: convert::time(publisher.stamp.updated_at),
        etag: convert::etag(publisher.stamp),
    }
}
