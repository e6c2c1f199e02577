//! Peers that do not tell their contract, or not in a way that makes sense, are called as they are.

use crate::peer::reply;
use crate::replica::until;
use bytes::Bytes;
use cleave_mesh::contract::messages::{
    DESCRIBE_METHODS, DescribeMethodsResponse, GET_CONTRACT, GetContractResponse, MethodContract,
    PREFIX, ServiceContract,
};
use cleave_mesh::contract::shape::{
    Cardinality, FieldShape, Kind, MessageShape, MethodShape, Shape,
};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Mesh, Tuning};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::{Code, Status};

const CALL: &str = "/test.Script/Call";
const HEALTH: &str = "/grpc.health.v1.Health/Watch";

/// A method whose messages have one text each.
fn shape(kind: Kind) -> Shape {
    let field = FieldShape {
        number: 1,
        name: "text".to_owned(),
        kind: kind.into(),
        cardinality: Cardinality::Singular.into(),
        type_index: 0,
        oneof: 0,
    };
    Shape {
        methods: vec![MethodShape {
            path: CALL.to_owned(),
            ..MethodShape::default()
        }],
        messages: vec![MessageShape {
            name: "test.Text".to_owned(),
            fields: vec![field],
        }],
        enums: Vec::new(),
    }
}

/// How a peer answers the questions for its contract.
#[derive(Clone)]
enum Telling {
    /// With these bytes as the message, and what it says of its methods.
    Message(Vec<u8>, Vec<u8>),
    /// With these bytes on the wire, whatever they are.
    Bytes(Vec<u8>),
    /// With a status and nothing else.
    Status(Code),
    /// As a server of web pages.
    Page,
    /// Not at all.
    Nothing,
    /// With the beginning of an answer.
    Half,
    /// With more and more, without an end.
    Endlessly,
}

fn told(fingerprint: u64, method: u64) -> Vec<u8> {
    let method = MethodContract {
        name: "Call".to_owned(),
        fingerprint: method,
    };
    let service = ServiceContract {
        name: "test.Script".to_owned(),
        methods: vec![method],
    };
    let services = vec![service];
    (GetContractResponse {
        fingerprint,
        services,
    })
    .encode_to_vec()
}

fn described(shape: Shape) -> Vec<u8> {
    (DescribeMethodsResponse { shape: Some(shape) }).encode_to_vec()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    response
}

/// Bytes and a good end.
fn ended(bytes: Vec<u8>) -> Response<Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from(bytes)), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, Status>);
    grpc(Body::new(StreamBody::new(futures::stream::iter(frames))))
}

fn endless(first: Bytes) -> Response<Body> {
    let frames = futures::stream::repeat_with(move || Ok::<_, Status>(Frame::data(first.clone())));
    grpc(Body::new(StreamBody::new(frames)))
}

async fn answer(request: Request<Incoming>, telling: Telling) -> Response<Body> {
    let path = request.uri().path();
    if !path.starts_with(PREFIX) {
        return reply(&["fine"], Code::Ok);
    }
    match telling {
        Telling::Message(contract, _) if path == GET_CONTRACT => ended(framed(&contract)),
        Telling::Message(_, methods) if path == DESCRIBE_METHODS => ended(framed(&methods)),
        Telling::Message(..) => Status::unimplemented("").into_http(),
        Telling::Bytes(bytes) => ended(bytes),
        Telling::Status(code) => Status::new(code, "no").into_http(),
        Telling::Page => {
            let mut page = Response::new(Body::new(Full::new(Bytes::from_static(b"<html>"))));
            *page.status_mut() = StatusCode::NOT_FOUND;
            page
        }
        Telling::Nothing => std::future::pending().await,
        Telling::Half => ended(framed(&told(7, 7))[..9].to_vec()),
        Telling::Endlessly => endless(Bytes::from(vec![0; 1 << 16])),
    }
}

/// The calls that arrived: what was called, and the way that it is said to have come.
type Arrived = Arc<Mutex<Vec<(String, Option<HeaderValue>)>>>;

async fn peer(telling: Telling) -> SocketAddr {
    listening_peer(telling, Arc::default()).await
}

async fn listening_peer(telling: Telling, arrived: Arrived) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (telling, arrived) = (telling.clone(), Arc::clone(&arrived));
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let hops = request.headers().get("cleave-hops").cloned();
                let call = (request.uri().path().to_owned(), hops);
                arrived.lock().expect("not poisoned").push(call);
                let answer = answer(request, telling.clone());
                async { Ok::<_, Infallible>(answer.await) }
            });
            let builder = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// A caller whose method has this shape.
fn caller(address: SocketAddr) -> Mesh {
    let method = MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        fingerprint: 1,
        ..MethodPolicy::new(CALL)
    };
    let shape = shape(Kind::String).encode_to_vec().leak();
    let policies = PolicyTable::new(vec![method].leak()).with_shape(shape);
    let tuning = Tuning {
        contract_timeout: Duration::from_millis(100),
        ..Tuning::default()
    };
    let mesh = Mesh::builder(policies)
        .caller("tester")
        .peer("script", &address.to_string());
    mesh.tuning(tuning).build().expect("mesh")
}

async fn call(mesh: &Mesh) -> Result<String, Status> {
    let channel = mesh.to("script").expect("peer");
    crate::peer::unary(&channel, "Call", "text").await
}

#[tokio::test]
async fn a_peer_that_does_not_tell_its_contract_is_called_as_it_is() {
    let no_shape = || Telling::Message(told(7, 2), Vec::new());
    let strange = |edit: fn(&mut Shape)| {
        let mut shape = shape(Kind::Int64);
        edit(&mut shape);
        Telling::Message(told(7, 2), described(shape))
    };
    let mute = [
        ("unimplemented", Telling::Status(Code::Unimplemented)),
        ("refused", Telling::Status(Code::PermissionDenied)),
        ("ok without a message", Telling::Status(Code::Ok)),
        ("a page", Telling::Page),
        ("nothing", Telling::Nothing),
        ("half a message", Telling::Half),
        ("without an end", Telling::Endlessly),
        ("no bytes", Telling::Bytes(Vec::new())),
        ("compressed", Telling::Bytes(vec![1, 0, 0, 0, 0])),
        (
            "a length too long",
            Telling::Bytes(vec![0, 255, 255, 255, 255, 1]),
        ),
        ("two messages", Telling::Bytes(vec![0; 10])),
        ("no protobuf", Telling::Bytes(framed(&[255; 40]))),
        ("an empty contract", Telling::Bytes(framed(&[]))),
        ("no description", no_shape()),
    ];
    for (name, telling) in mute {
        let mesh = caller(peer(telling).await);
        assert_eq!(call(&mesh).await.expect(name), "fine");
        let state = mesh.state();
        let contract = state[0].replicas[0].contract.clone();
        assert_eq!(contract.expect("connected").level, None, "{name}");
    }
    let senseless = [
        (
            "an index to nowhere",
            strange(|shape| shape.methods[0].request = 9),
        ),
        ("no methods", strange(|shape| shape.methods.clear())),
        (
            "a type unheard of",
            strange(|shape| shape.messages[0].fields[0].kind = 99),
        ),
        (
            "a number twice",
            strange(|shape| {
                let field = shape.messages[0].fields[0].clone();
                shape.messages[0].fields.push(field);
            }),
        ),
        (
            "an enum to nowhere",
            strange(|shape| shape.messages[0].fields[0].kind = Kind::Enum.into()),
        ),
    ];
    for (name, telling) in senseless {
        let mesh = caller(peer(telling).await);
        let answer = call(&mesh).await;
        // Text is never an enum, whichever.
        match name {
            "an enum to nowhere" => {
                assert_eq!(answer.expect_err(name).code(), Code::FailedPrecondition)
            }
            _ => assert_eq!(answer.expect(name), "fine"),
        }
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_of_its_contract_costs_no_more_than_the_time_for_it() {
    let mesh = caller(peer(Telling::Nothing).await);
    let start = Instant::now();
    call(&mesh).await.expect("answer");
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(start.elapsed() < Duration::from_secs(10));
    let again = Instant::now();
    call(&mesh).await.expect("answer");
    assert!(again.elapsed() < start.elapsed(), "the connection is there");
}

#[tokio::test]
async fn a_peer_whose_method_is_another_one_is_not_called() {
    let mesh = caller(peer(Telling::Message(told(7, 2), described(shape(Kind::Int64)))).await);
    let status = call(&mesh).await.expect_err("not understood");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("request.text (1)"), "{status}");
}

#[tokio::test]
async fn given_a_caller_with_a_name_when_the_mesh_asks_for_itself_then_the_name_is_told() {
    let arrived = Arrived::default();
    let telling = Telling::Message(told(7, 2), described(shape(Kind::String)));
    let mesh = caller(listening_peer(telling, Arc::clone(&arrived)).await);

    call(&mesh).await.expect("understood");

    for path in [GET_CONTRACT, DESCRIBE_METHODS, HEALTH] {
        let hops = || {
            let arrived = arrived.lock().expect("not poisoned");
            let call = arrived.iter().find(|(known, _)| known == path)?;
            Some(call.1.clone().expect("a way"))
        };
        until(|| hops().is_some()).await;
        assert_eq!(hops().expect("it arrived"), "tester", "{path}");
    }
}

#[tokio::test]
async fn contracts_are_not_compared_when_the_tuning_says_so() {
    let address = peer(Telling::Message(told(7, 2), described(shape(Kind::Int64)))).await;
    let method = MethodPolicy {
        fingerprint: 1,
        ..MethodPolicy::new(CALL)
    };
    let shape = shape(Kind::String).encode_to_vec().leak();
    let policies = PolicyTable::new(vec![method].leak()).with_shape(shape);
    let tuning = Tuning {
        compare_contracts: false,
        ..Tuning::default()
    };
    let mesh = Mesh::builder(policies).peer("script", &address.to_string());
    let mesh = mesh.tuning(tuning).build().expect("mesh");
    assert_eq!(call(&mesh).await.expect("answer"), "fine");
}
