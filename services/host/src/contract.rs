//! Tells callers the contract that is served here: which services, the fingerprint of each method, and on
//! demand what the messages of methods look like.
//!
//! By this a caller that was built with another contract finds out before its first call which methods it must
//! not call here. Everything is known when the service starts and stays as it is.

use crate::status::Domain;
use bytes::Bytes;
use cleave_kernel::Violation;
use cleave_mesh::contract::messages::{
    DESCRIBE_METHODS, DescribeMethodsRequest, DescribeMethodsResponse, GET_CONTRACT,
    GetContractRequest, GetContractResponse, MAX_DESCRIBED, MethodContract, SERVICE,
    ServiceContract,
};
use cleave_mesh::contract::shape::Shape;
use cleave_mesh::policy::PolicyTable;
use futures::future::BoxFuture;
use http::{Request, Response};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// Where the host's own refusals belong.
const MESH: Domain = Domain::new("mesh.cleave");

/// The service that tells. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct ContractService {
    told: Arc<GetContractResponse>,
    policies: PolicyTable,
}

impl ContractService {
    /// Tells that these services are here, and of their methods what the policies know; nothing when the
    /// policies came without the shape of their methods.
    pub(crate) fn new(names: &[String], policies: PolicyTable) -> Option<Self> {
        if policies.shape().is_empty() {
            return None;
        }
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let services: Vec<_> = names
            .into_iter()
            .map(|name| service(name, policies))
            .collect();
        let told = GetContractResponse {
            fingerprint: fingerprint(&services),
            services,
        };
        Some(Self {
            told: Arc::new(told),
            policies,
        })
    }

    /// What is served; to those who know it already, that it is still so.
    fn contract(&self, known: u64) -> GetContractResponse {
        if known == self.told.fingerprint {
            return GetContractResponse {
                fingerprint: known,
                services: Vec::new(),
            };
        }
        GetContractResponse::clone(&self.told)
    }

    /// What the messages of these methods look like. Decoded anew each time: it is asked for once in the life
    /// of a version.
    fn describe(&self, paths: &[String]) -> Result<DescribeMethodsResponse, Status> {
        if paths.is_empty() || paths.len() > MAX_DESCRIBED {
            let described = format!("must be 1 to {MAX_DESCRIBED} paths");
            let violation = Violation::new("paths", "PATH_COUNT", described);
            return Err(MESH.invalid("INVALID_REQUEST", violation).into_status());
        }
        let broken = |error| MESH.internal("SHAPE_UNREADABLE", &error).into_status();
        let whole = Shape::decode(self.policies.shape()).map_err(broken)?;
        let mut asked = BTreeSet::new();
        let paths = paths.iter().filter(|path| asked.insert(*path));
        let served = paths.filter(|path| self.serves(path));
        let methods = served.filter_map(|path| {
            let mut methods = whole.methods.iter();
            methods.find(|method| method.path == **path)
        });
        Ok(DescribeMethodsResponse {
            shape: whole.extract(methods),
        })
    }

    fn serves(&self, path: &str) -> bool {
        let service = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let mut services = self.told.services.iter();
        service.is_some_and(|(name, _)| services.any(|service| service.name == name))
    }
}

fn service(name: &str, policies: PolicyTable) -> ServiceContract {
    let method = |policy: &'static cleave_mesh::policy::MethodPolicy| {
        let (service, method) = policy.name().split_once('/')?;
        (service == name && policy.fingerprint != 0).then(|| MethodContract {
            name: method.to_owned(),
            fingerprint: policy.fingerprint,
        })
    };
    ServiceContract {
        name: name.to_owned(),
        methods: policies.iter().filter_map(method).collect(),
    }
}

/// A hash of everything that is told; never zero, which stands for none.
fn fingerprint(services: &[ServiceContract]) -> u64 {
    let mut hash = Sha256::new();
    for service in services {
        hash.update(service.encode_length_delimited_to_vec());
    }
    let digest = hash.finalize();
    let first: [u8; 8] = std::array::from_fn(|index| digest[index]);
    u64::from_le_bytes(first).max(1)
}

impl NamedService for ContractService {
    const NAME: &'static str = SERVICE;
}

/// What a handler of tonic's answers with.
type Answer<T> = Ready<Result<tonic::Response<T>, Status>>;

impl<B> tower::Service<Request<B>> for ContractService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let here = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                GET_CONTRACT => {
                    let codec = ProstCodec::<GetContractResponse, GetContractRequest>::default();
                    let handler = move |asked: tonic::Request<GetContractRequest>| {
                        let told = here.contract(asked.into_inner().known_fingerprint);
                        let answer: Answer<_> = ready(Ok(tonic::Response::new(told)));
                        answer
                    };
                    Grpc::new(codec).unary(service_fn(handler), request).await
                }
                DESCRIBE_METHODS => {
                    let codec =
                        ProstCodec::<DescribeMethodsResponse, DescribeMethodsRequest>::default();
                    let handler = move |asked: tonic::Request<DescribeMethodsRequest>| {
                        let told = here.describe(&asked.into_inner().paths);
                        let answer: Answer<_> = ready(told.map(tonic::Response::new));
                        answer
                    };
                    Grpc::new(codec).unary(service_fn(handler), request).await
                }
                _ => Status::new(Code::Unimplemented, "").into_http(),
            })
        })
    }
}
