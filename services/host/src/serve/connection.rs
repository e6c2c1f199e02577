//! One connection: HTTP/2 with prior knowledge, kept alive, ended in two steps.

use super::call::Stack;
use crate::config::HostSettings;
use crate::drain::Drain;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;

/// A client that has not said anything by then is not going to.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// The same once the end has begun: a call may be on its way already.
const LAST_BYTE_TIMEOUT: Duration = Duration::from_millis(100);
/// Room for metadata beyond the service's own limit, so that the refusal can say what is wrong.
const HEADER_ROOM: u32 = 64 * 1024;

/// Serves a connection until it ends, or until the drain ends it.
pub(super) async fn serve(stream: TcpStream, stack: Stack, drain: Drain) {
    // Small answers must not wait for more.
    let _ = stream.set_nodelay(true);
    let remote = stream.peer_addr().ok();
    if !speaks(&stream, &drain).await {
        return;
    }
    let builder = builder(stack.settings());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), stack.at(remote)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.token().cancelled() => {
            // GOAWAY, a ping, GOAWAY again: calls that were on their way still get in.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let client = remote.map(tracing::field::display);
        tracing::debug!(%error, client.address = client, "a connection broke");
    }
}

/// Whether the client says anything in time.
async fn speaks(stream: &TcpStream, drain: &Drain) -> bool {
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(FIRST_BYTE_TIMEOUT) => {}
            () = drain.token().cancelled() => tokio::time::sleep(LAST_BYTE_TIMEOUT).await,
        }
    };
    let mut first = [0];
    tokio::select! {
        spoke = stream.peek(&mut first) => matches!(spoke, Ok(1..)),
        () = patience => false,
    }
}

fn builder(settings: &HostSettings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout)
        .max_concurrent_streams(settings.max_streams)
        .max_header_list_size(settings.max_metadata_bytes.saturating_add(HEADER_ROOM))
        .auto_date_header(false);
    builder
}
