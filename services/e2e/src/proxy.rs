//! A proxy between a caller and a replica, which fails in the ways that networks and clients do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// What is read at one time.
const CHUNK: usize = 16 * 1024;
/// Chunks on their way while answers are slow.
const UNDER_WAY: usize = 256;
/// What a client of HTTP/2 says before its first frame.
const PREFACE: usize = 24;
/// The head of a frame.
const FRAME_HEAD: usize = 9;
/// The frame that opens a stream.
const HEADERS: u8 = 1;

/// What is wrong with the way to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nothing is read or written either way and nothing is closed, as when packets vanish.
    BlackHole,
    /// The client no longer reads what the replica sends.
    Deaf,
    /// What the replica sends arrives so much later.
    Slow(Duration),
    /// Connections are refused, and those that there were are gone.
    Down,
}

/// A proxy in front of one address.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct State {
    fault: watch::Sender<Fault>,
    upstream: watch::Sender<SocketAddr>,
    connections: AtomicU64,
    calls: AtomicU64,
}

impl FaultProxy {
    /// A proxy on a port of its own that carries everything to `upstream`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State {
            fault: watch::Sender::new(Fault::None),
            upstream: watch::Sender::new(upstream),
            connections: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, addr, Arc::clone(&state))).abort_handle();
        Ok(Self {
            addr,
            state,
            accepting,
        })
    }

    /// Where callers connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on this is wrong with the way.
    pub fn set(&self, fault: Fault) {
        self.state.fault.send_replace(fault);
    }

    /// From now on another stands where the upstream stood; the connections to that one are gone.
    pub fn redirect(&self, upstream: SocketAddr) {
        self.state.upstream.send_replace(upstream);
    }

    /// The connections taken so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// The calls that came by so far, in HTTP/2 without TLS.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.calls.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.fault.send_replace(Fault::Down);
    }
}

async fn accept(listener: TcpListener, addr: SocketAddr, state: Arc<State>) {
    let mut fault = state.fault.subscribe();
    let mut listener = Some(listener);
    loop {
        let wrong = *fault.borrow_and_update();
        if wrong == Fault::Down {
            listener = None;
        }
        if matches!(wrong, Fault::Down | Fault::BlackHole) {
            if fault.changed().await.is_err() {
                return;
            }
            continue;
        }
        let socket = match listener.take() {
            Some(socket) => socket,
            None => match TcpListener::bind(addr).await {
                Ok(socket) => socket,
                // Free once the last connection of before is gone.
                Err(_) => {
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = socket.accept() => if let Ok((client, _)) = accepted {
                state.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, Arc::clone(&state)));
            },
            _ = fault.changed() => {}
        }
        listener = Some(socket);
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    let mut upstream = state.upstream.subscribe();
    let mut fault = state.fault.subscribe();
    let target = *upstream.borrow_and_update();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (slow, late) = mpsc::channel(UNDER_WAY);
    tokio::select! {
        () = requests(from_client, to_server, &state) => {}
        () = answers(from_server, slow, &state) => {}
        () = deliver(late, to_client, &state) => {}
        _ = upstream.changed() => {}
        _ = fault.wait_for(|fault| *fault == Fault::Down) => {}
    }
}

/// From the client to the replica.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut fault = state.fault.subscribe();
    let mut counter = Counter::default();
    let mut bytes = vec![0; CHUNK];
    while open(&mut fault, |fault| fault != Fault::BlackHole).await {
        let read = tokio::select! {
            biased;
            _ = fault.changed() => continue,
            read = from.read(&mut bytes) => read,
        };
        let Ok(length @ 1..) = read else { return };
        let calls = counter.feed(&bytes[..length]);
        state.calls.fetch_add(calls, Ordering::Relaxed);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// From the replica, as far as the way is open.
async fn answers(mut from: OwnedReadHalf, slow: mpsc::Sender<(Instant, Vec<u8>)>, state: &State) {
    let mut fault = state.fault.subscribe();
    let mut bytes = vec![0; CHUNK];
    let is_open = |fault| !matches!(fault, Fault::BlackHole | Fault::Deaf);
    while open(&mut fault, is_open).await {
        let read = tokio::select! {
            biased;
            _ = fault.changed() => continue,
            read = from.read(&mut bytes) => read,
        };
        let length = match read {
            Ok(length @ 1..) => length,
            // What is under way still arrives.
            _ => break,
        };
        let delay = match *fault.borrow() {
            Fault::Slow(delay) => delay,
            _ => Duration::ZERO,
        };
        let chunk = (Instant::now() + delay, bytes[..length].to_vec());
        if slow.send(chunk).await.is_err() {
            return;
        }
    }
    drop(slow);
    std::future::pending().await
}

/// To the client, each chunk at its time.
async fn deliver(
    mut late: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    state: &State,
) {
    let mut fault = state.fault.subscribe();
    while let Some((at, bytes)) = late.recv().await {
        sleep_until(at).await;
        if !open(&mut fault, |fault| fault != Fault::BlackHole).await
            || to.write_all(&bytes).await.is_err()
        {
            return;
        }
    }
}

/// Waits until the way is open; false when it never will be again.
async fn open(fault: &mut watch::Receiver<Fault>, is_open: impl Fn(Fault) -> bool) -> bool {
    fault.wait_for(|fault| is_open(*fault)).await.is_ok()
}

/// Counts the streams that a client of HTTP/2 opens.
struct Counter {
    skip: usize,
    head: Vec<u8>,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            skip: PREFACE,
            head: Vec::with_capacity(FRAME_HEAD),
        }
    }
}

impl Counter {
    /// How many begin with these bytes.
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut streams = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEAD - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if let [a, b, c, kind, ..] = self.head[..]
                && self.head.len() == FRAME_HEAD
            {
                streams += u64::from(kind == HEADERS);
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.head.clear();
            }
        }
        streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        bytes.extend(vec![HEADERS; usize::from(length)]);
        bytes
    }

    #[test]
    fn streams_are_counted_however_the_bytes_are_cut() {
        let mut bytes = vec![b'x'; PREFACE];
        for (kind, length) in [(4, 12), (HEADERS, 40), (0, 5), (HEADERS, 0), (6, 8)] {
            bytes.extend(frame(kind, length));
        }
        for size in 1..bytes.len() {
            let mut counter = Counter::default();
            let counted: u64 = bytes.chunks(size).map(|part| counter.feed(part)).sum();
            assert_eq!(counted, 2, "in pieces of {size}");
        }
    }
}
