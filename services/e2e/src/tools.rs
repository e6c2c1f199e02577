//! Calls to Operations alone, as its tools make them.

use crate::network::{CURRENCY, SOURCE, request_id};
use billing_client::types;
use cleave_mesh::CallError;
use futures::stream;
use operations_client::{OperationsClient, pb as operations};

/// Makes the call of this number: eight reads, a write that may be repeated, and a stream of rows that may not.
///
/// # Errors
/// When it fails.
pub async fn call(client: &OperationsClient, number: u64) -> Result<(), CallError> {
    match number % 10 {
        8 => client.create_advertiser(advertiser()).await.map(drop),
        9 => {
            let message = operations::ReportDeliveryRequest {
                source: SOURCE.to_owned(),
                ..Default::default()
            };
            let reported = client.report_delivery(stream::iter([message]));
            reported.await.map(drop)
        }
        _ => {
            let request = operations::ListAdvertisersRequest {
                page_size: 5,
                ..Default::default()
            };
            client.list_advertisers(request).await.map(drop)
        }
    }
}

fn advertiser() -> operations::CreateAdvertiserRequest {
    operations::CreateAdvertiserRequest {
        request_id: request_id(),
        advertiser: Some(operations::Advertiser {
            display_name: "Sunrise Games".to_owned(),
            time_zone: "Asia/Kolkata".to_owned(),
            currency_code: CURRENCY.to_owned(),
            billing_proposal: Some(operations::BillingProposal {
                mode: types::AccountMode::Prepaid.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    }
}
