//! One connection: HTTP/2 with prior knowledge, kept alive, bounded in age and idleness, ended in two
//! steps.

use super::call::Stack;
use super::handshake::Handshake;
use super::listen::Socket;
use super::origin::{Identity, Origin};
use super::slot::Slot;
use super::stream::Streams;
use super::wire::{Watched, Wire};
use crate::config::HostSettings;
use crate::drain::Drain;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A client that has not begun to speak gets this long once the end has begun: a call may be on its way.
const LAST_BYTE_TIMEOUT: Duration = Duration::from_millis(100);
/// What streams get to say goodbye: on their own before they are ended for the drain, or before their connection
/// of age is dropped.
const LAST_WORD: Duration = Duration::from_secs(1);
/// What a client gets during the drain to take the rest of its answers and let go.
const FAREWELL: Duration = Duration::from_secs(2);
/// Room for metadata beyond the service's own limit, so that the refusal can say what is wrong.
const HEADER_ROOM: u32 = 64 * 1024;

type Connection = http2::Connection<TokioIo<Watched>, Stack, Streams>;

/// Why a connection is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Drain,
    Age,
    Idle,
}

/// Serves a connection until it ends, or until drain, age or idleness end it.
pub(super) async fn serve(
    socket: Socket,
    handshake: Handshake,
    stack: Stack,
    drain: Drain,
    slot: Slot,
) {
    let remote = socket.peer_addr();
    let mut patience = pin!(patience(stack.settings().handshake_timeout, &drain));
    let shaken = tokio::select! {
        biased;
        shaken = handshake.accept(socket) => shaken,
        () = patience.as_mut() => Err(too_slow()),
    };
    let (wire, identity, proof) = match shaken {
        Ok(shaken) => shaken,
        Err(error) => {
            slot.metrics().handshake_failures.increment(1);
            return broken(remote, &error);
        }
    };
    let _listed = slot.census().enter(remote, identity.clone(), proof);
    match http2(wire, identity, remote, stack, &drain, patience).await {
        Ok(Some(end)) => slot.metrics().ended(name(end)),
        Ok(None) => {}
        Err(error) => broken(remote, &*error),
    }
}

const fn name(end: End) -> &'static str {
    match end {
        End::Drain => "drain",
        End::Age => "age",
        End::Idle => "idle",
    }
}

fn too_slow() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the client did not shake hands in time",
    )
}

fn broken(remote: Option<SocketAddr>, error: &dyn std::error::Error) {
    let client = remote.map(tracing::field::display);
    tracing::debug!(%error, client.address = client, "a connection broke");
}

/// How long a client may take to begin.
async fn patience(timeout: Duration, drain: &Drain) {
    tokio::select! {
        biased;
        () = tokio::time::sleep(timeout) => {}
        () = drain.token().cancelled() => tokio::time::sleep(LAST_BYTE_TIMEOUT).await,
    }
}

/// Speaks HTTP/2 once hands are shaken; tells why the connection was ended, if it was from here.
async fn http2(
    wire: Wire,
    identity: Identity,
    remote: Option<SocketAddr>,
    stack: Stack,
    drain: &Drain,
    patience: impl Future<Output = ()>,
) -> Result<Option<End>, Box<dyn std::error::Error + Send + Sync>> {
    let settings = stack.settings().clone();
    let origin = Arc::new(Origin::new(remote, identity));
    let (watched, preface) = Watched::new(wire);
    let connection =
        builder(&settings).serve_connection(TokioIo::new(watched), stack.at(Arc::clone(&origin)));
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return Ok(ended.map(|()| None)?),
        () = preface.complete() => {}
        () = patience => return Err(too_slow().into()),
    }
    let end = tokio::select! {
        biased;
        ended = connection.as_mut() => return Ok(ended.map(|()| None)?),
        () = drain.token().cancelled() => End::Drain,
        () = after(jitter(settings.max_connection_age)) => End::Age,
        () = quiet(&origin, settings.max_connection_idle) => End::Idle,
    };
    // GOAWAY, a ping, GOAWAY again: calls that were on their way still get in.
    Connection::graceful_shutdown(connection.as_mut());
    tokio::select! {
        biased;
        ended = connection.as_mut() => Ok(ended.map(|()| Some(end))?),
        () = parting(end, &origin, settings.max_connection_grace, drain) => Ok(Some(end)),
    }
}

/// Resolves when a client that was told of the end has had its time. The drain, which has a cap of its own, does
/// not wait for the time that age and idleness give.
async fn parting(end: End, origin: &Origin, grace: Duration, drain: &Drain) {
    if !matches!(end, End::Drain) {
        tokio::select! {
            biased;
            () = drain.token().cancelled() => {}
            () = tokio::time::sleep(grace) => {
                origin.retired.cancel();
                return tokio::time::sleep(LAST_WORD).await;
            }
        }
    }
    farewell(origin).await;
}

/// Resolves when a client that was told of the drain has let it pass: no call is under way for which there is
/// something to do, and none has been for a while.
async fn farewell(origin: &Origin) {
    // Streams that know of the drain end with words of their own; then the others are ended.
    tokio::time::sleep(LAST_WORD).await;
    origin.retired.cancel();
    tokio::time::sleep(FAREWELL).await;
    origin.activity.quiet(FAREWELL).await;
}

/// Waits for a time; for ever when it is zero.
async fn after(time: Duration) {
    if time.is_zero() {
        std::future::pending().await
    } else {
        tokio::time::sleep(time).await;
    }
}

async fn quiet(origin: &Origin, limit: Duration) {
    if limit.is_zero() {
        std::future::pending().await
    } else {
        origin.activity.quiet(limit).await;
    }
}

/// Give or take a tenth, so that connections made together do not end together.
fn jitter(age: Duration) -> Duration {
    age.mul_f64(0.9 + 0.2 * fastrand::f64())
}

fn builder(settings: &HostSettings) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout)
        .max_concurrent_streams(settings.max_streams)
        .max_header_list_size(settings.max_metadata_bytes.saturating_add(HEADER_ROOM))
        .auto_date_header(false);
    builder
}
