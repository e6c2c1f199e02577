//! The requests and responses of `cleave.mesh.v1.ContractService`, by which a server tells its contract.

use super::shape::Shape;

/// The service.
pub const SERVICE: &str = "cleave.mesh.v1.ContractService";
/// What every path of the service begins with.
pub const PREFIX: &str = "/cleave.mesh.v1.ContractService/";
/// Tells which services are there.
pub const GET_CONTRACT: &str = "/cleave.mesh.v1.ContractService/GetContract";
/// Tells what the messages of methods look like.
pub const DESCRIBE_METHODS: &str = "/cleave.mesh.v1.ContractService/DescribeMethods";
/// The most methods that are described in one answer.
pub const MAX_DESCRIBED: usize = 1_000;

/// Asks what is served.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct GetContractRequest {
    /// The fingerprint that the caller knows already; zero when it knows none.
    #[prost(fixed64, tag = "1")]
    pub known_fingerprint: u64,
}

/// Tells what is served.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetContractResponse {
    /// The fingerprint of everything that is served.
    #[prost(fixed64, tag = "1")]
    pub fingerprint: u64,
    /// The services; none when the caller knows the fingerprint already.
    #[prost(message, repeated, tag = "2")]
    pub services: Vec<ServiceContract>,
}

/// A service.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ServiceContract {
    /// Its full name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its methods; none when no more is known of it than that it is there.
    #[prost(message, repeated, tag = "2")]
    pub methods: Vec<MethodContract>,
}

/// A method.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MethodContract {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The fingerprint of its shape.
    #[prost(fixed64, tag = "2")]
    pub fingerprint: u64,
}

/// Asks what the messages of methods look like.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DescribeMethodsRequest {
    /// The gRPC paths of the methods.
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

/// Tells what the messages of methods look like.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DescribeMethodsResponse {
    /// The shape of those methods that are known.
    #[prost(message, optional, tag = "1")]
    pub shape: Option<Shape>,
}
