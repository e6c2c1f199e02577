//! Callers and replicas of different versions: what would not be understood is not sent.

use crate::rig::{connect, page, rest};
use crate::shop::{CALL, FIRST, OTHER, Shop, broken, call, caller, edited, policies};
use cleave_mesh::contract::Level;
use cleave_mesh::contract::messages::{
    DESCRIBE_METHODS, DescribeMethodsRequest, DescribeMethodsResponse, GET_CONTRACT,
    GetContractRequest, GetContractResponse,
};
use cleave_mesh::{Cause, Mesh};
use tonic::Code;

/// Waits until so many replicas are connected.
async fn connected(mesh: &Mesh, count: usize) {
    let ready = || {
        let state = mesh.state();
        let replicas = state[0].replicas.iter();
        replicas.filter(|one| one.state == "ready").count()
    };
    while ready() < count {
        rest().await;
    }
}

#[tokio::test]
async fn given_no_compatible_replica_then_the_call_fails_before_it_is_sent_and_says_why() {
    let shop = Shop::open(&broken()).await;
    let mesh = caller(FIRST, &[shop.address()]);

    let status = call(&mesh, CALL).await.expect_err("not understood");

    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(Cause::of(&status), Some(Cause::ContractSkew));
    let expected = format!(
        "peer shop: test.Script/Call cannot be called at {}: response.order.total_micros (2): the callee writes \
         string, the caller reads int64; bring both to contracts that differ only in what is added, and give a \
         changed field a new number",
        shop.address()
    );
    assert_eq!(status.message(), expected);
    call(&mesh, OTHER).await.expect("the same in both");
    assert_eq!((shop.calls(CALL), shop.calls(OTHER)), (0, 1));
}

#[tokio::test]
async fn given_a_rolling_upgrade_then_each_method_goes_to_the_replicas_that_understand_it() {
    let (old, new) = (Shop::open(FIRST).await, Shop::open(&broken()).await);
    let mesh = caller(FIRST, &[new.address(), old.address()]);
    for _ in 0..200 {
        call(&mesh, CALL).await.expect("one replica understands it");
        call(&mesh, OTHER).await.expect("both understand it");
    }
    assert_eq!((old.calls(CALL), new.calls(CALL)), (200, 0));
    assert!(new.calls(OTHER) > 0, "it is a replica like any other");
}

#[tokio::test]
async fn given_a_replica_that_comes_back_with_another_contract_then_that_one_counts() {
    let first = Shop::open(&broken()).await;
    let address = first.address().to_string();
    let mesh = caller(FIRST, &[first.address()]);
    call(&mesh, CALL).await.expect_err("not understood");

    first.running.shutdown().await;
    let second = Shop::open_at(FIRST, &address).await;
    call(&mesh, CALL).await.expect("understood");

    second.running.shutdown().await;
    let third = Shop::open_at(&broken(), &address).await;
    let status = call(&mesh, CALL).await.expect_err("not understood again");
    assert_eq!(Cause::of(&status), Some(Cause::ContractSkew), "{status}");
    assert_eq!(third.calls(CALL), 0, "not one call was sent");
}

#[tokio::test]
async fn given_compatible_contracts_then_every_call_is_made_and_the_skew_is_counted() {
    let safe = edited("string id = 1;", "string id = 1; string note = 9;");
    let conditional = edited("int64 total_micros", "uint64 total_micros");
    let (safe, conditional) = (Shop::open(&safe).await, Shop::open(&conditional).await);
    let mesh = caller(FIRST, &[safe.address(), conditional.address()]);
    call(&mesh, CALL).await.expect("understood");
    connected(&mesh, 2).await;
    for _ in 0..100 {
        call(&mesh, CALL).await.expect("understood");
    }
    assert!(safe.calls(CALL) > 0 && conditional.calls(CALL) > 0);

    let state = mesh.state();
    let replicas = state[0].replicas.iter();
    let mut contracts = replicas.map(|one| one.contract.clone().expect("connected"));
    let contract = contracts.next().expect("a replica");
    assert_eq!(contract.level, Some(Level::Safe));
    let contract = contracts.next().expect("another");
    assert_eq!(contract.level, Some(Level::Conditional));
    assert_eq!(contract.skews[0].method, "test.Script/Call");
    assert_eq!(
        contract.skews[0].differences,
        ["response.order.total_micros (2): the callee writes uint64, the caller reads int64"]
    );
    let (_, metrics) = page(safe.running.admin_addr(), "/metrics").await;
    for line in [
        "cleave_client_contract_checks{grpc_target=\"shop\",level=\"conditional\"}",
        "cleave_client_contract_skews{grpc_target=\"shop\",level=\"safe\",grpc_method=\"test.Script/Call\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}

#[tokio::test]
async fn given_a_method_that_a_replica_lacks_then_only_the_others_are_called() {
    let without = edited("rpc Call(CallRequest) returns (CallResponse);", "");
    let (old, new) = (Shop::open(&without).await, Shop::open(FIRST).await);
    let mesh = caller(FIRST, &[old.address(), new.address()]);
    for _ in 0..50 {
        call(&mesh, CALL).await.expect("one replica has it");
    }
    assert_eq!((old.calls(CALL), new.calls(CALL)), (0, 50));

    let mesh = caller(FIRST, &[old.address()]);
    let status = call(&mesh, CALL).await.expect_err("nobody has it");
    assert_eq!(Cause::of(&status), Some(Cause::ContractSkew));
    let why = "the callee does not have the method";
    assert!(status.message().contains(why), "{status}");
}

#[tokio::test]
async fn given_a_service_that_nobody_tells_of_then_the_peer_itself_says_so() {
    let more = format!("{FIRST} service Extra {{ rpc Call(CallRequest) returns (CallResponse); }}");
    let shop = Shop::open(FIRST).await;
    let mesh = caller(&more, &[shop.address()]);
    let status = call(&mesh, "/test.Extra/Call").await.expect_err("absent");
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(Cause::of_failure(&status), Cause::Refused);
    call(&mesh, CALL).await.expect("the rest is there");
}

#[tokio::test]
async fn given_a_caller_that_knows_the_contract_then_it_is_told_no_more_than_that() {
    let shop = Shop::open(FIRST).await;
    let channel = connect(shop.address()).await;
    let ask = async |known_fingerprint| {
        let path = http::uri::PathAndQuery::from_static(GET_CONTRACT);
        let codec = tonic_prost::ProstCodec::<GetContractRequest, GetContractResponse>::default();
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.expect("ready");
        let question = tonic::Request::new(GetContractRequest { known_fingerprint });
        let answer = grpc.unary(question, path, codec).await;
        answer.expect("answer").into_inner()
    };

    let told = ask(0).await;

    let names: Vec<_> = told.services.iter().map(|one| &*one.name).collect();
    let expected = [
        "cleave.mesh.v1.ContractService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "test.Script",
    ];
    assert_eq!(names, expected);
    let script = &told.services[4];
    let methods: Vec<_> = script.methods.iter().map(|one| &*one.name).collect();
    assert_eq!(methods, ["Call", "Other"]);
    assert_eq!(
        script.methods[0].fingerprint,
        policies(FIRST).get(CALL).expect("a method").fingerprint
    );
    let again = ask(told.fingerprint).await;
    assert_eq!(again.fingerprint, told.fingerprint);
    assert!(again.services.is_empty());
}

#[tokio::test]
async fn given_any_question_then_no_more_is_described_than_is_served() {
    let shop = Shop::open(FIRST).await;
    let channel = connect(shop.address()).await;
    let ask = async |paths: Vec<String>| {
        let path = http::uri::PathAndQuery::from_static(DESCRIBE_METHODS);
        type Codec = tonic_prost::ProstCodec<DescribeMethodsRequest, DescribeMethodsResponse>;
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.expect("ready");
        let question = tonic::Request::new(DescribeMethodsRequest { paths });
        let answer = grpc.unary(question, path, Codec::default()).await;
        answer.map(|answer| answer.into_inner().shape.expect("a shape"))
    };

    let paths = [
        CALL,
        CALL,
        "/test.Script/Missing",
        "/other.Service/Call",
        "",
        "/",
    ];
    let shape = ask(paths.map(str::to_owned).to_vec())
        .await
        .expect("answer");

    let methods: Vec<_> = shape.methods.iter().map(|one| &*one.path).collect();
    assert_eq!(methods, [CALL]);
    let messages: Vec<_> = shape.messages.iter().map(|one| &*one.name).collect();
    assert_eq!(
        messages,
        ["test.CallRequest", "test.CallResponse", "test.Order"]
    );
    for count in [0, 1_001] {
        let status = ask(vec![CALL.to_owned(); count])
            .await
            .expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{count} paths");
    }
}
