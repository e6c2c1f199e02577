//! What stands where a replica stood and answers UNAVAILABLE at once, whatever it is asked.

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tonic::Status;

/// Refuses every call, the ones for its health too.
#[derive(Debug)]
pub struct Refuser {
    addr: SocketAddr,
    refused: Arc<AtomicU64>,
    accepting: AbortHandle,
}

impl Refuser {
    /// One on a port of its own.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let refused = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&refused);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&count)));
            }
        });
        Ok(Self {
            addr,
            refused,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many calls it has refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Refuser {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse(stream: TcpStream, count: Arc<AtomicU64>) {
    let refuse = service_fn(move |_: http::Request<hyper::body::Incoming>| {
        count.fetch_add(1, Ordering::Relaxed);
        let refusal = Status::unavailable("not here").into_http::<tonic::body::Body>();
        async move { Ok::<_, Infallible>(refusal) }
    });
    // A connection that breaks is its client's affair.
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), refuse)
        .await;
}
