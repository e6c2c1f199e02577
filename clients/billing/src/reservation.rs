//! Leases on money.

use cleave_contracts::billing::v1::reservation_service_client::ReservationServiceClient;
use cleave_mesh::{
    CallError, MeshChannel,
    paging::{self, Page},
};
use futures::stream::Stream;

use crate::{BillingClient, pb};

impl BillingClient {
    /// Holds a part of the free balance for a line item.
    pub async fn reserve_budget(
        &self,
        request: pb::ReserveBudgetRequest,
    ) -> Result<pb::ReserveBudgetResponse, CallError> {
        Ok(self
            .reservations()
            .reserve_budget(request)
            .await?
            .into_inner())
    }

    /// Ends the serving of a reservation before its time.
    pub async fn release_reservation(
        &self,
        request: pb::ReleaseReservationRequest,
    ) -> Result<pb::ReleaseReservationResponse, CallError> {
        Ok(self
            .reservations()
            .release_reservation(request)
            .await?
            .into_inner())
    }

    /// Reads one reservation.
    pub async fn get_reservation(
        &self,
        request: pb::GetReservationRequest,
    ) -> Result<pb::GetReservationResponse, CallError> {
        Ok(self
            .reservations()
            .get_reservation(request)
            .await?
            .into_inner())
    }

    /// Lists reservations, oldest first.
    pub async fn list_reservations(
        &self,
        request: pb::ListReservationsRequest,
    ) -> Result<pb::ListReservationsResponse, CallError> {
        Ok(self
            .reservations()
            .list_reservations(request)
            .await?
            .into_inner())
    }

    /// All reservations that the request asks for, page after page.
    pub fn list_all_reservations(
        &self,
        request: pb::ListReservationsRequest,
    ) -> impl Stream<Item = Result<pb::Reservation, CallError>> + Send + use<> {
        let client = self.clone();
        paging::items(move |page_token| {
            let client = client.clone();
            let mut request = request.clone();
            request.page_size = paging::size(request.page_size);
            request.page_token = page_token;
            async move {
                let page = client.list_reservations(request).await?;
                Ok(Page {
                    items: page.reservations,
                    next_page_token: page.next_page_token,
                })
            }
        })
    }

    fn reservations(&self) -> ReservationServiceClient<MeshChannel> {
        ReservationServiceClient::new(self.channel.clone())
    }
}
