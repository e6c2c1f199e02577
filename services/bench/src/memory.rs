//! The limit of a read: a bare tonic server that answers GetAccount from a map.
//!
//! The benchmark starts it as a process of its own, so that its CPU and the load generator's stay apart.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::mesh::Secure;
use anyhow::Result;
use cleave_contracts::billing::v1 as pb;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Answers by the party's id.
type Answers = Arc<HashMap<String, pb::GetAccountResponse>>;

/// Serves `ops_refs` at `addr` until the process is ended.
///
/// # Errors
/// When the address is taken, or a certificate missing.
pub(crate) async fn serve(
    addr: SocketAddr,
    ops_refs: Vec<String>,
    secure: Option<Secure>,
) -> Result<()> {
    let answers: HashMap<_, _> = ops_refs
        .into_iter()
        .map(|id| (id.clone(), answer(id)))
        .collect();
    let service = FromMemory(Arc::new(answers));
    let mut server = tonic::transport::Server::builder().tcp_nodelay(true);
    if let Some(secure) = secure {
        server = server.tls_config(secure.server()?)?;
    }
    server.add_service(service).serve(addr).await?;
    Ok(())
}

/// An answer of the size that Billing gives.
fn answer(ops_ref: String) -> pb::GetAccountResponse {
    let time = Some(prost_types::Timestamp {
        seconds: 1_800_000_000,
        nanos: 123_456_000,
    });
    let account_id = ops_ref.replace("adv_", "acct_");
    pb::GetAccountResponse {
        account: Some(pb::BillingAccount {
            id: account_id.clone(),
            ops_ref: ops_ref.clone(),
            display_name: "Benchmark".to_owned(),
            currency_code: "EUR".to_owned(),
            party: 1,
            mode: 1,
            state: 2,
            standing: 1,
            create_time: time,
            update_time: time,
            etag: "1".to_owned(),
            ..Default::default()
        }),
        standing: Some(pb::AccountStandingInfo {
            account_id,
            ops_ref,
            currency_code: "EUR".to_owned(),
            party: 1,
            available_micros: 1_000_000_000_000,
            revision: 100_000,
            ..Default::default()
        }),
    }
}

#[derive(Clone)]
struct FromMemory(Answers);

impl NamedService for FromMemory {
    const NAME: &'static str = "cleave.billing.v1.AccountService";
}

impl Service<http::Request<Body>> for FromMemory {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = GetAccount(Arc::clone(&self.0));
        Box::pin(async move {
            Ok(Grpc::new(ProstCodec::default())
                .unary(method, request)
                .await)
        })
    }
}

struct GetAccount(Answers);

impl UnaryService<pb::GetAccountRequest> for GetAccount {
    type Response = pb::GetAccountResponse;
    type Future = std::future::Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<pb::GetAccountRequest>) -> Self::Future {
        let answer = match request.into_inner().key {
            Some(pb::get_account_request::Key::OpsRef(id)) => self.0.get(&id).cloned(),
            _ => None,
        };
        std::future::ready(
            answer
                .map(Response::new)
                .ok_or_else(|| Status::not_found("no such account")),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{account, load, process};

    #[tokio::test]
    async fn given_accounts_in_memory_then_they_are_answered_and_no_others() {
        let addr = process::free_addr().expect("a free port");
        tokio::spawn(serve(addr, vec!["adv_known".to_owned()], None));
        let url = format!("http://{addr}");
        let connections = loop {
            match load::connect(&url).await {
                Ok(connections) => break connections,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let span = Duration::from_millis(50);
        let known = account::read(span, &connections, &["adv_known".to_owned()]).await;
        assert!(known.expect("every call is answered").calls > 0);
        let unknown = account::read(span, &connections, &["adv_unknown".to_owned()]).await;
        let refusal = unknown.expect_err("an unknown account is refused");
        let code = refusal.downcast_ref::<Status>().map(Status::code);
        assert_eq!(code, Some(tonic::Code::NotFound));
    }
}
