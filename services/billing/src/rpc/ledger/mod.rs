//! `LedgerService`.

mod convert;
mod verify;
mod write_off;

use super::convert as value;
use super::page::Page;
use crate::app::{App, Error};
use crate::rpc::Answers;
use billing_store::{TransferFilter, written_off_key};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::billing::v1::ledger_service_server::LedgerService;
use cleave_storage::filter_hash;
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

/// Serves `LedgerService`.
#[derive(Clone)]
pub struct Ledger {
    app: App,
}

impl Ledger {
    /// Answers by `app`.
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait]
impl LedgerService for Ledger {
    type VerifyLedgerStream = Answers<pb::VerifyLedgerResponse>;

    async fn record_payment(
        &self,
        request: Request<pb::RecordPaymentRequest>,
    ) -> Result<Response<pb::RecordPaymentResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::record_payment(&message).map_err(Error::from)?;
        let recorded = self.app.record_payment(command, request).await?;
        Ok(Response::new(convert::recorded(&recorded)))
    }

    async fn post_adjustment(
        &self,
        request: Request<pb::PostAdjustmentRequest>,
    ) -> Result<Response<pb::PostAdjustmentResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = convert::post_adjustment(&message).map_err(Error::from)?;
        let adjustment = self.app.post_adjustment(command, request).await?;
        let adjustment = Some(convert::adjustment(&adjustment));
        Ok(Response::new(pb::PostAdjustmentResponse { adjustment }))
    }

    async fn write_off_parked_rows(
        &self,
        request: Request<pb::WriteOffParkedRowsRequest>,
    ) -> Result<Response<pb::WriteOffParkedRowsResponse>, Status> {
        let message = request.into_inner();
        let (command, request) = write_off::command(&message).map_err(Error::from)?;
        let written_off = self.app.write_off_rows(command, request).await?;
        let adjustments = written_off.adjustments.iter().map(convert::adjustment);
        Ok(Response::new(pb::WriteOffParkedRowsResponse {
            rows: written_off.rows.iter().map(write_off::row).collect(),
            adjustments: adjustments.collect(),
        }))
    }

    async fn list_written_off_rows(
        &self,
        request: Request<pb::ListWrittenOffRowsRequest>,
    ) -> Result<Response<pb::ListWrittenOffRowsResponse>, Status> {
        let message = request.into_inner();
        let hash = filter_hash(&[b"written_off_rows"]);
        let page: Page<Uuid> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let store = self.app.store();
        let listed = store.list_written_off(page.after, page.limit()).await;
        let mut listed = listed.map_err(Error::from)?;
        let next_page_token = page.cut(&mut listed, written_off_key)?;
        Ok(Response::new(pb::ListWrittenOffRowsResponse {
            rows: listed.iter().map(write_off::row).collect(),
            next_page_token,
        }))
    }

    async fn get_balances(
        &self,
        request: Request<pb::GetBalancesRequest>,
    ) -> Result<Response<pb::GetBalancesResponse>, Status> {
        let owner = request.into_inner().owner;
        let (of, asked) = convert::balances_of(owner).map_err(Error::from)?;
        let now = self.app.clock().now();
        let balances = self.app.balances(of, &asked).await?;
        Ok(Response::new(convert::balances(&balances, &asked, now)?))
    }

    async fn list_transfers(
        &self,
        request: Request<pb::ListTransfersRequest>,
    ) -> Result<Response<pb::ListTransfersResponse>, Status> {
        let message = request.into_inner();
        let hash = filter_hash(&[
            b"transfers",
            message.account_id.as_bytes(),
            &message.code.to_be_bytes(),
            message.group_id.as_bytes(),
            message.source_ref.as_bytes(),
        ]);
        let page: Page<i64> =
            Page::read(message.page_size, &message.page_token, hash).map_err(Error::from)?;
        let filter = self.transfer_filter(&message).await?;
        let after = page.after.unwrap_or(0);
        let listed = self.app.store();
        let listed = listed.list_transfers(&filter, after, page.limit()).await;
        let mut transfers = listed.map_err(Error::from)?;
        let next_page_token = page.cut(&mut transfers, |transfer| transfer.seq)?;
        Ok(Response::new(pb::ListTransfersResponse {
            transfers: transfers.iter().map(convert::transfer).collect(),
            next_page_token,
        }))
    }

    async fn verify_ledger(
        &self,
        request: Request<pb::VerifyLedgerRequest>,
    ) -> Result<Response<Self::VerifyLedgerStream>, Status> {
        let skip_rating = request.into_inner().skip_rating;
        Ok(Response::new(verify::verify(&self.app, skip_rating)))
    }
}

impl Ledger {
    /// Which transfers are meant, by the ids of the ledger accounts they touch.
    async fn transfer_filter(
        &self,
        message: &pb::ListTransfersRequest,
    ) -> Result<TransferFilter, Error> {
        let (account, code, group) = convert::transfer_filter(message)?;
        let ledger_accounts = match (account, code) {
            (None, None) => None,
            (None, Some(code)) => Some(self.app.store().ledger_accounts_of(code).await?),
            (Some(id), code) => {
                let account = self.app.account(id, &message.account_id).await?.account;
                let own = account.codes().iter().copied();
                let wanted = own.filter(|own| code.is_none_or(|code| code == *own));
                Some(wanted.map(|code| account.ledger(code).id()).collect())
            }
        };
        Ok(TransferFilter {
            ledger_accounts,
            group,
            source_ref: (!message.source_ref.is_empty())
                .then(|| value::optional_text("source_ref", &message.source_ref, 255))
                .transpose()?,
        })
    }
}
