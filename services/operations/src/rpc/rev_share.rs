//! RevShareService.

use cleave_contracts::operations::v1 as pb;
use cleave_contracts::operations::v1::rev_share_scope::Scope;
use cleave_contracts::operations::v1::rev_share_service_server::RevShareService;
use cleave_kernel::{Ppm, RevShareId, Violation, Violations};
use operations_domain::text::{self, NOTE_MAX};
use operations_domain::{NewRevShare, RevShare, ShareScope};
use operations_store::Filter;
use tonic::{Request, Response, Status};

use super::page::page;
use super::request::{Fields, request, resource};
use super::{convert, reply};
use crate::app::{App, Error, ResolvedShare};

/// Serves RevShareService.
#[derive(Clone)]
pub struct RevShares {
    app: App,
}

impl RevShares {
    /// Served from `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn create(
        &self,
        message: pb::CreateRevShareRequest,
    ) -> Result<pb::CreateRevShareResponse, Error> {
        let mut faults = Violations::new();
        let request = faults.take(request("CreateRevShare", &message, &message.request_id));
        let new = faults.take(new_rev_share(message.rev_share));
        let (request, new) = faults.into_result(request.zip(new))?;
        let rev_share = self.app.create_rev_share(request, new).await?;
        Ok(pb::CreateRevShareResponse {
            rev_share: Some(to_wire(rev_share)),
        })
    }

    async fn list(
        &self,
        mut message: pb::ListRevSharesRequest,
    ) -> Result<pb::ListRevSharesResponse, Error> {
        let page = page!("ListRevShares", message)?;
        let mut filter = Filter::all();
        if let Some(wanted) = message.scope {
            let scope = scope(Some(wanted))?;
            filter = filter
                .any("scope_level", &[scope.level()])
                .is("scope_subject", Some(scope.subject()));
        }
        let listed = self.app.list(filter, page.request()?).await?;
        let (rev_shares, next_page_token) = page.answer(listed, to_wire)?;
        Ok(pb::ListRevSharesResponse {
            rev_shares,
            next_page_token,
        })
    }

    async fn resolve(
        &self,
        message: pb::ResolveRevShareRequest,
    ) -> Result<pb::ResolveRevShareResponse, Error> {
        let id = convert::id("ad_unit_id", &message.ad_unit_id)?;
        let at = convert::optional_instant("time", message.time)?;
        let resolved = self.app.resolve_rev_share(id, at).await?;
        Ok(pb::ResolveRevShareResponse {
            rev_share: Some(to_wire_resolved(resolved)),
        })
    }
}

#[tonic::async_trait]
impl RevShareService for RevShares {
    async fn create_rev_share(
        &self,
        message: Request<pb::CreateRevShareRequest>,
    ) -> Result<Response<pb::CreateRevShareResponse>, Status> {
        reply(self.create(message.into_inner()).await)
    }

    async fn get_rev_share(
        &self,
        message: Request<pb::GetRevShareRequest>,
    ) -> Result<Response<pb::GetRevShareResponse>, Status> {
        let id = convert::id("id", &message.into_inner().id).map_err(Error::from)?;
        let rev_share = self.app.get_rev_share(id).await?;
        reply(Ok(pb::GetRevShareResponse {
            rev_share: Some(to_wire(rev_share)),
        }))
    }

    async fn list_rev_shares(
        &self,
        message: Request<pb::ListRevSharesRequest>,
    ) -> Result<Response<pb::ListRevSharesResponse>, Status> {
        reply(self.list(message.into_inner()).await)
    }

    async fn resolve_rev_share(
        &self,
        message: Request<pb::ResolveRevShareRequest>,
    ) -> Result<Response<pb::ResolveRevShareResponse>, Status> {
        reply(self.resolve(message.into_inner()).await)
    }
}

fn new_rev_share(wanted: Option<pb::RevShare>) -> Result<NewRevShare, Violations> {
    let wanted = resource("rev_share", wanted)?;
    let mut fields = Fields::of("rev_share");
    let scope = fields.take(scope(wanted.scope));
    let share = fields.take(share(wanted.share_ppm));
    let effective_at = fields.take(convert::optional_instant(
        "effective_time",
        wanted.effective_time,
    ));
    let note = fields.take(text::optional("note", &wanted.note, NOTE_MAX));
    fields.make(|| {
        Some(NewRevShare {
            id: RevShareId::generate(),
            scope: scope?,
            share: share?,
            effective_at: effective_at?,
            note: note?,
        })
    })
}

fn share(ppm: i64) -> Result<Ppm, Violation> {
    Ppm::try_from(ppm)
        .map_err(|error| Violation::new("share_ppm", "OUT_OF_RANGE", error.to_string()))
}

fn scope(wanted: Option<pb::RevShareScope>) -> Result<ShareScope, Violation> {
    let scope = wanted.and_then(|wanted| wanted.scope);
    let scope = scope.ok_or_else(|| Violation::required("scope"))?;
    let named = match scope {
        Scope::Network(pb::NetworkScope {}) => Ok(ShareScope::Network),
        Scope::PublisherId(id) => convert::id("publisher_id", &id).map(ShareScope::Publisher),
        Scope::GameId(id) => convert::id("game_id", &id).map(ShareScope::Game),
        Scope::AdUnitId(id) => convert::id("ad_unit_id", &id).map(ShareScope::AdUnit),
    };
    named.map_err(|fault| fault.under("scope"))
}

fn to_wire_scope(scope: ShareScope) -> Option<pb::RevShareScope> {
    let scope = match scope {
        ShareScope::Network => Scope::Network(pb::NetworkScope {}),
        ShareScope::Publisher(id) => Scope::PublisherId(id.to_string()),
        ShareScope::Game(id) => Scope::GameId(id.to_string()),
        ShareScope::AdUnit(id) => Scope::AdUnitId(id.to_string()),
    };
    Some(pb::RevShareScope { scope: Some(scope) })
}

/// A version on the wire.
pub(super) fn to_wire(rev_share: RevShare) -> pb::RevShare {
    pb::RevShare {
        id: rev_share.id.to_string(),
        scope: to_wire_scope(rev_share.scope),
        version: rev_share.version,
        share_ppm: rev_share.share.into(),
        effective_time: convert::time(rev_share.effective_at),
        note: convert::or_empty(rev_share.note),
        create_time: convert::time(rev_share.created_at),
    }
}

/// The share that holds somewhere, on the wire.
pub(super) fn to_wire_resolved(resolved: ResolvedShare) -> pb::ResolvedRevShare {
    let ResolvedShare {
        placement,
        at,
        rev_share,
        until,
    } = resolved;
    pb::ResolvedRevShare {
        ad_unit_id: placement.ad_unit_id.to_string(),
        time: convert::time(at),
        publisher_id: placement.publisher_id.to_string(),
        game_id: placement.game_id.to_string(),
        rev_share_id: rev_share.id.to_string(),
        version: rev_share.version,
        share_ppm: rev_share.share.into(),
        effective_time: convert::time(rev_share.effective_at),
        until_time: until.and_then(convert::time),
        scope: to_wire_scope(rev_share.scope),
    }
}
