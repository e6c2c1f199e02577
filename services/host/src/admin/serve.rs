//! The connections of the admin port: few, and none for whoever says nothing.

use super::Admin;
use super::near::Remote;
use crate::serve::{Port, REST, Socket};
use axum::Router;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt as _;

/// Most connections open at one time; more are closed as soon as they are made.
const MOST_CONNECTIONS: usize = 128;
/// Most requests at one time on one connection.
const MOST_STREAMS: u32 = 16;
/// How long a page may take to begin, a request to arrive included.
const PAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is kept for the next request: beyond the pause of whoever scrapes.
const KEPT: Duration = Duration::from_secs(75);
/// How long the other side of an HTTP/2 connection may be silent when it is asked for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Serves the pages for as long as it is let. A client has `patience` to send a first request.
pub(crate) async fn serve(mut port: Port, admin: Admin, patience: Duration) {
    let pages = admin.pages();
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let socket = match port.accept().await.and_then(|accepted| accepted.settle()) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "a connection to the admin port failed");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let pages = pages.clone();
        tokio::spawn(async move {
            let _place = place;
            connection(socket, pages, patience).await;
        });
    }
}

/// Serves one connection.
async fn connection(socket: Socket, pages: Router, patience: Duration) {
    let remote = socket.peer_addr().map(Remote);
    let asked = Notify::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        asked.notify_one();
        if let Some(remote) = remote {
            request.extensions_mut().insert(remote);
        }
        page(pages.clone(), request)
    });
    let builder = builder();
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let served = tokio::select! {
        biased;
        served = connection => served,
        () = silence(&asked, patience) => return,
    };
    if let Err(error) = served {
        tracing::debug!(error, "a connection to the admin port broke");
    }
}

/// Resolves when nobody has asked for anything for so long; never once somebody has.
async fn silence(asked: &Notify, patience: Duration) {
    if tokio::time::timeout(patience, asked.notified())
        .await
        .is_ok()
    {
        std::future::pending().await
    }
}

async fn page(pages: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    let page = tokio::time::timeout(PAGE_TIMEOUT, pages.oneshot(request)).await;
    page.unwrap_or_else(|_| Ok(StatusCode::REQUEST_TIMEOUT.into_response()))
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(KEPT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEPT)
        .keep_alive_timeout(SIGN_OF_LIFE)
        .max_concurrent_streams(MOST_STREAMS);
    builder
}
