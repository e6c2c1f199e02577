//! Services with contracts of different versions, and callers of theirs.

use crate::rig::{host, reply};
use cleave_host::Running;
use cleave_mesh::policy::{
    Code, Idempotency, MethodPolicy, OnUnavailable, PolicyTable, RetryPolicy,
};
use cleave_mesh::{Mesh, MeshChannel, Tuning};
use prost::Message as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::Status;

#[allow(unreachable_pub, reason = "the contracts' own way to compile a text")]
#[path = "../../../../proto/tests/compile.rs"]
mod compile;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "the module by which the contracts' build script makes its table"
)]
#[path = "../../../../proto/build/shape.rs"]
mod shape;

/// The first version of the contract.
pub(crate) const FIRST: &str = r#"
syntax = "proto3";
package test;
service Script {
  rpc Call(CallRequest) returns (CallResponse);
  rpc Other(OtherRequest) returns (OtherResponse);
}
message CallRequest { string name = 1; }
message CallResponse { Order order = 1; }
message Order { string id = 1; int64 total_micros = 2; }
message OtherRequest { string name = 1; }
message OtherResponse { string name = 1; }
"#;

/// The method that changes from version to version.
pub(crate) const CALL: &str = "/test.Script/Call";
/// The method that does not.
pub(crate) const OTHER: &str = "/test.Script/Other";

/// The first version with one edit.
pub(crate) fn edited(from: &str, to: &str) -> String {
    assert!(FIRST.contains(from), "there is no {from:?}");
    FIRST.replacen(from, to, 1)
}

/// A version in which nobody understands the answer of `Call`.
pub(crate) fn broken() -> String {
    edited("int64 total_micros", "string total_micros")
}

/// The table that a build would make of the contract. It lives as long as the test.
pub(crate) fn policies(source: &str) -> PolicyTable {
    let shape = shape::read(&compile::compile(&[("shop.proto", source)]));
    let fingerprints = shape::fingerprints(&shape);
    let whole = shape::whole(&fingerprints);
    let methods: Vec<_> = fingerprints
        .into_iter()
        .map(|(path, fingerprint)| MethodPolicy {
            timeout: Some(Duration::from_secs(20)),
            retry: Some(RetryPolicy {
                max_attempts: 4,
                codes: &[Code::Unavailable],
                initial_backoff: Duration::from_millis(5),
                max_backoff: Duration::from_millis(20),
                multiplier_percent: 200,
            }),
            on_unavailable: OnUnavailable::Refuse,
            idempotency: Idempotency::Idempotent,
            fingerprint,
            ..MethodPolicy::new(path.leak())
        })
        .collect();
    PolicyTable::new(methods.leak())
        .with_shape(shape.encode_to_vec().leak())
        .with_fingerprint(whole)
}

/// A replica that serves one version.
pub(crate) struct Shop {
    pub(crate) running: Running,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    pub(crate) async fn open(source: &str) -> Self {
        Self::open_at(source, "127.0.0.1:0").await
    }

    pub(crate) async fn open_at(source: &str, address: &str) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let came = Arc::clone(&calls);
        let builder = host(&[("host.listen", address)], move |request| {
            let path = request.uri().path().to_owned();
            came.lock().expect("not poisoned").push(path);
            async { reply("") }
        });
        let running = builder.policies(policies(source)).start().await;
        let running = running.expect("started");
        running.ready().await;
        Self { running, calls }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.addr()
    }

    /// The calls of a method that reached it.
    pub(crate) fn calls(&self, path: &str) -> usize {
        let calls = self.calls.lock().expect("not poisoned");
        calls.iter().filter(|came| *came == path).count()
    }
}

/// A caller of one version, with replicas at these addresses.
pub(crate) fn caller(source: &str, addresses: &[SocketAddr]) -> Mesh {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let tuning = Tuning {
        first_backoff: Duration::from_millis(5),
        demanded_backoff: Duration::from_millis(5),
        max_backoff: Duration::from_millis(20),
        ..Tuning::default()
    };
    let mesh = Mesh::builder(policies(source)).peer("shop", &addresses.join(","));
    mesh.tuning(tuning).build().expect("mesh")
}

/// Calls a method with an empty message.
pub(crate) async fn call(mesh: &Mesh, path: &'static str) -> Result<(), Status> {
    let channel: MeshChannel = mesh.to("shop").expect("peer");
    let path = http::uri::PathAndQuery::from_static(path);
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.unary(tonic::Request::new(()), path, codec)
        .await
        .map(|_| ())
}
