//! `ReservationService`.

mod convert;

use super::page::Page;
use crate::app::{App, Error};
use crate::rpc::convert as value;
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::billing::v1::reservation_service_server::ReservationService;
use cleave_kernel::ReservationId;
use cleave_storage::filter_hash;
use tonic::{Request, Response, Status, async_trait};

/// Serves `ReservationService`.
#[derive(Clone)]
pub struct Reservations {
    app: App,
}

impl Reservations {
    /// Answers by `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait]
impl ReservationService for Reservations {
    async fn reserve_budget(
        &self,
        request: Request<pb::ReserveBudgetRequest>,
    ) -> Result<Response<pb::ReserveBudgetResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::reserve_budget(&message).map_err(Error::from)?;
        let reserved = self.app.reserve_budget(command, request).await?;
        Ok(Response::new(convert::reserved(&reserved)))
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Result<Response<pb::ReleaseReservationResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::release_reservation(&message).map_err(Error::from)?;
        let released = self.app.release_reservation(command, request).await?;
        Ok(Response::new(convert::released(&released)))
    }

    async fn get_reservation(
        &self,
        request: Request<pb::GetReservationRequest>,
    ) -> Result<Response<pb::GetReservationResponse>, Status> {
        let id = value::id("reservation_id", &request.into_inner().reservation_id)
            .map_err(Error::from)?;
        let reservation = self.app.reservation(id).await?;
        let reservation = Some(convert::reservation(&reservation));
        Ok(Response::new(pb::GetReservationResponse { reservation }))
    }

    async fn list_reservations(
        &self,
        request: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        let message = request.into_inner();
        let filter = convert::reservation_filter(&message).map_err(Error::from)?;
        let hash = filter_hash(&[
            b"reservations",
            message.account_id.as_bytes(),
            message.line_item_id.as_bytes(),
            &message.state.to_be_bytes(),
        ]);
        let page: Page<ReservationId> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let mut listed = store
            .list_reservations(&filter, page.after, page.limit())
            .await
            .map_err(Error::from)?;
        let next_page_token = page.cut(&mut listed, |reservation| reservation.id)?;
        Ok(Response::new(pb::ListReservationsResponse {
            reservations: listed.iter().map(convert::reservation).collect(),
            next_page_token,
        }))
    }
}
