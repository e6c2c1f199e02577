//! What a user of tonic has without the mesh: `Channel::balance_list` with every option that helps set.

use anyhow::Result;
use cleave_contracts::billing::v1::ledger_service_client::LedgerServiceClient;
use cleave_contracts::billing::v1::reservation_service_client::ReservationServiceClient;
use cleave_e2e::advertisers::{Advertiser, balances_of, reservation_for};
use cleave_e2e::{FaultProxy, Replicas};
use std::time::Duration;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// The timeout of the methods that are called, as the contract says; tonic does not know it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A balanced channel of tonic's own.
pub(crate) fn balanced(proxies: &[FaultProxy]) -> Result<Channel> {
    let mut endpoints = Vec::new();
    for proxy in proxies {
        let endpoint = Endpoint::from_shared(format!("http://{}", proxy.addr()))?
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .http2_keep_alive_interval(TIMEOUT)
            .keep_alive_timeout(TIMEOUT)
            .keep_alive_while_idle(true);
        endpoints.push(endpoint);
    }
    Ok(Channel::balance_list(endpoints.into_iter()))
}

/// Makes the call of this number, the same as the mesh makes.
pub(crate) async fn call(
    channel: Channel,
    advertisers: &[Advertiser],
    number: u64,
) -> Result<(), Status> {
    let index = usize::try_from(number / 10).expect("small") % advertisers.len();
    let advertiser = &advertisers[index];
    if number % 10 == 9 {
        let mut client = ReservationServiceClient::new(channel);
        client.reserve_budget(reservation_for(advertiser)).await?;
    } else {
        let mut client = LedgerServiceClient::new(channel);
        client.get_balances(balances_of(advertiser)).await?;
    }
    Ok(())
}

/// A proxy in front of each replica.
pub(crate) async fn proxies(replicas: &Replicas) -> Result<Vec<FaultProxy>> {
    let mut proxies = Vec::new();
    for index in 0..replicas.len() {
        proxies.push(FaultProxy::start(replicas[index].addr()).await?);
    }
    Ok(proxies)
}
