//! A proxy between a caller and a replica, which can lose what it carries.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy in front of one address.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    hole: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let hole = Arc::new(watch::Sender::new(false));
        let carrying = Arc::clone(&hole);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, upstream, Arc::clone(&carrying)));
            }
        });
        Self { address, hole }
    }

    /// From now on bytes vanish without a word, or no longer.
    pub(crate) fn black_hole(&self, on: bool) {
        self.hole.send_replace(on);
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, hole: Arc<watch::Sender<bool>>) {
    client.set_nodelay(true).expect("nodelay");
    let mut lost = hole.subscribe();
    // What was begun in a hole never gets out of it.
    if *lost.borrow() {
        let _ = lost.wait_for(|lost| !*lost).await;
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    server.set_nodelay(true).expect("nodelay");
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, hole.subscribe()) => {}
        () = copy(from_server, to_client, hole.subscribe()) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut lost: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await;
        if *lost.borrow() {
            // A connection that lost bytes is of no more use once the hole closes.
            let _ = lost.wait_for(|lost| !*lost).await;
            return;
        }
        match read {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if to.write_all(&bytes[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
