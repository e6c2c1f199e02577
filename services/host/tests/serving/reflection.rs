//! Tools find out what is served, in both versions of the protocol.

use crate::rig::{connect, reply, start};
use futures::stream;
use std::collections::BTreeSet;

/// The names that a version of reflection lists.
macro_rules! list {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let asks = [
            MessageRequest::ListServices(String::new()),
            MessageRequest::FileContainingSymbol("google.rpc.BadRequest".to_owned()),
            MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned()),
        ];
        let requests = asks.map(|ask| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(ask),
        });
        let mut client = ServerReflectionClient::new($channel);
        let answers = client.server_reflection_info(stream::iter(requests)).await;
        let mut answers = answers.expect("stream").into_inner();
        let mut names = BTreeSet::new();
        let mut files = 0;
        while let Some(answer) = answers.message().await.expect("answer") {
            match answer.message_response.expect("a message") {
                MessageResponse::ListServicesResponse(list) => {
                    names.extend(list.service.into_iter().map(|service| service.name));
                }
                MessageResponse::FileDescriptorResponse(_) => files += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!(files, 2);
        names
    }};
}

#[tokio::test]
async fn both_versions_list_every_service() {
    let running = start(|_| async { reply("fine") }).await;
    let channel = connect(running.addr()).await;
    let expected = BTreeSet::from(
        [
            "test.Script",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ]
        .map(str::to_owned),
    );

    assert_eq!(list!(v1, channel.clone()), expected);
    assert_eq!(list!(v1alpha, channel), expected);
}
