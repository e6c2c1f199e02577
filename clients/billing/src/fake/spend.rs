//! SpendService, as far as it is faked.

use cleave_contracts::billing::v1::spend_service_server::SpendService;
use tonic::{Request, Response, Status, async_trait};

use super::books::{Books, Shelf, held};
use super::refusal::{Faults, not_faked};
use crate::pb;

#[async_trait]
impl SpendService for Shelf {
    async fn batch_get_spend(
        &self,
        request: Request<pb::BatchGetSpendRequest>,
    ) -> Result<Response<pb::BatchGetSpendResponse>, Status> {
        let ids = request.into_inner().line_item_ids;
        let mut faults = Faults::default();
        faults.require(
            (1..=1000).contains(&ids.len()),
            "line_item_ids",
            "1 to 1000",
        );
        for (index, id) in ids.iter().enumerate() {
            faults.require_id(id, &["line"], &format!("line_item_ids[{index}]"));
        }
        faults.refuse()?;
        Ok(Response::new(self.edit(|books| {
            let mut response = pb::BatchGetSpendResponse {
                revision: books.revision,
                as_of_time: Some(books.clock.timestamp()),
                ..Default::default()
            };
            for id in ids {
                match spend_of(books, &id) {
                    Some(spend) => response.spends.push(spend),
                    None => response.missing_line_item_ids.push(id),
                }
            }
            response
        })))
    }

    async fn get_publisher_earnings(
        &self,
        _: Request<pb::GetPublisherEarningsRequest>,
    ) -> Result<Response<pb::GetPublisherEarningsResponse>, Status> {
        Err(not_faked())
    }

    async fn list_charges(
        &self,
        _: Request<pb::ListChargesRequest>,
    ) -> Result<Response<pb::ListChargesResponse>, Status> {
        Err(not_faked())
    }

    async fn list_parked_rows(
        &self,
        _: Request<pb::ListParkedRowsRequest>,
    ) -> Result<Response<pb::ListParkedRowsResponse>, Status> {
        Err(not_faked())
    }
}

/// What is known of a line item: nothing, unless it was charged or something is held for it.
fn spend_of(books: &Books, line_item_id: &str) -> Option<pb::LineItemSpend> {
    let own = |hold: &&pb::Reservation| hold.line_item_id == line_item_id;
    let held_micros = books.reservations.iter().filter(own).map(held).sum();
    let charge = books.charges.get(line_item_id);
    let payer = match charge {
        Some((payer, _)) => payer.as_str(),
        None => {
            &books
                .reservations
                .iter()
                .find(own)
                .filter(|_| held_micros > 0)?
                .advertiser_id
        }
    };
    let charged_micros = charge.map_or(0, |(_, micros)| *micros);
    let currency_code = books.accounts.get(payer)?.wire.currency_code.clone();
    Some(pb::LineItemSpend {
        line_item_id: line_item_id.to_owned(),
        campaign_id: String::new(),
        currency_code: currency_code.clone(),
        rated_micros: charged_micros,
        held_micros,
        overdelivered_micros: 0,
        funding: Some(pb::LineItemFunding {
            line_item_id: line_item_id.to_owned(),
            currency_code,
            charged_micros,
            unfunded_micros: 0,
            written_off_micros: 0,
        }),
    })
}
