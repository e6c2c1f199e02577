//! Servers that take offence at pings.

use crate::peer::{POLICIES, unary};
use crate::replica::{tuning, until};
use cleave_mesh::{Mesh, Tuning};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PREFACE: usize = 24;
const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const ENHANCE_YOUR_CALM: u8 = 11;

/// How often the caller pings at first.
const INTERVAL: Duration = Duration::from_millis(100);
/// The server puts up with no two pings in less time, so that a quarter of them is few enough.
const TOLERATED: Duration = Duration::from_millis(250);

/// A server that speaks HTTP/2 by hand, answers no call, and cuts whoever pings too often.
#[derive(Clone, Default)]
struct Touchy {
    /// How many connections it has cut.
    cut: Arc<AtomicUsize>,
    /// How many pings the present connection has lasted.
    borne: Arc<AtomicUsize>,
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0, 0, length, kind, flags, 0, 0, 0, 0], payload].concat()
}

impl Touchy {
    async fn converse(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.read_exact(&mut [0; PREFACE]).await?;
        stream.write_all(&frame(SETTINGS, 0, &[])).await?;
        self.borne.store(0, Ordering::SeqCst);
        let mut last: Option<Instant> = None;
        loop {
            let mut header = [0; HEADER];
            stream.read_exact(&mut header).await?;
            let [a, b, c, kind, flags, ..] = header;
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).expect("short");
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await?;
            match kind {
                SETTINGS if flags != ACK => stream.write_all(&frame(SETTINGS, ACK, &[])).await?,
                PING if flags != ACK => {
                    if last.is_some_and(|last| last.elapsed() < TOLERATED) {
                        let mut farewell = vec![0, 0, 0, 0, 0, 0, 0, ENHANCE_YOUR_CALM];
                        farewell.extend(b"too_many_pings");
                        self.cut.fetch_add(1, Ordering::SeqCst);
                        return stream.write_all(&frame(GOAWAY, 0, &farewell)).await;
                    }
                    last = Some(Instant::now());
                    self.borne.fetch_add(1, Ordering::SeqCst);
                    stream.write_all(&frame(PING, ACK, &payload)).await?;
                }
                _ => {}
            }
        }
    }

    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address").to_string();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // A caller that goes away is none of the test's.
                let _ = server.converse(&mut stream).await;
            }
        });
        address
    }
}

#[tokio::test]
async fn given_a_server_that_minds_pings_when_it_says_so_then_it_is_pinged_less_often() {
    // Given a server that wants fewer pings, and a call that it has in hand
    let server = Touchy::default();
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &server.start().await)
        .tuning(Tuning {
            keepalive_interval: INTERVAL,
            watch_health: false,
            ..tuning()
        })
        .build()
        .expect("mesh");
    let channel = mesh.to("script").expect("peer");
    let call = tokio::spawn(async move { unary(&channel, "Read", "x").await });

    // When it has cut connections for being pinged too often
    until(|| server.cut.load(Ordering::SeqCst) > 0).await;

    // Then in the end one lasts
    until(|| server.borne.load(Ordering::SeqCst) > 3).await;
    let cut = server.cut.load(Ordering::SeqCst);
    assert!(cut <= 2, "{cut} connections were cut");
    call.abort();
}
