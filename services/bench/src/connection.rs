//! Connections opened one after the other, beside the same without comparing contracts: what it costs to know what
//! the peer understands.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cleave_mesh::{BoxIo, Connect, Mesh, Tuning};
use cleave_storage::Engine;
use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tonic::body::Body;
use tower::ServiceExt;

use crate::billing;
use crate::report::{Measure, Round, Title};
use crate::service::engine_name;
use crate::setup::Bench;

/// What the measure is called.
pub(crate) const TITLE: Title = Title {
    name: "connection",
    unit: "connections/s, one at a time",
    limit_name: "contracts not compared",
};
/// A call that makes the mesh want a connection; what it is answered does not matter.
const ANY: &str = "/grpc.health.v1.Health/Check";

/// Runs the measure on `engine`; `None` when that is not at hand.
///
/// # Errors
/// When the service does not start or answer.
pub(crate) async fn measure(bench: &Bench, engine: Engine) -> Result<Option<Measure>> {
    let Some(system) = billing::start(bench, engine).await? else {
        return Ok(None);
    };
    let url = system.process.url();
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let limit = rate(bench.span, url, false).await?;
        let before = system.process.cpu()?;
        let value = rate(bench.span, url, true).await?;
        let cpu = system.process.cpu()?.saturating_sub(before);
        rounds.push(Round {
            value,
            limit,
            cpu_us: cpu.as_secs_f64() * 1e6 / (value * bench.span.as_secs_f64()),
            memory_mib: system.process.memory()?,
            latency: None,
        });
    }
    Ok(Some(Measure::of(TITLE, engine_name(engine), &rounds)))
}

/// Connections per second.
async fn rate(span: Duration, url: &str, compare_contracts: bool) -> Result<f64> {
    let restless = Arc::new(Restless::default());
    let connect: Arc<dyn Connect> = Arc::<Restless>::clone(&restless);
    let mesh = Mesh::builder(cleave_contracts::POLICIES)
        .caller("operations")
        .peer("billing", url)
        .connect(connect)
        .tuning(Tuning {
            compare_contracts,
            watch_health: false,
            ..Tuning::default()
        })
        .build()?;
    let request = http::Request::post(ANY)
        .header("content-type", "application/grpc")
        .body(Body::empty())?;
    let answer = mesh.to("billing")?.oneshot(request).await;
    answer.context("calling the service under test")?;
    let (began, before) = (Instant::now(), restless.opened());
    tokio::time::sleep(span).await;
    let opened = restless.opened() - before;
    Ok(f64::from(opened) / began.elapsed().as_secs_f64())
}

/// TCP whose connections are to be replaced as soon as they are made.
#[derive(Default)]
struct Restless {
    opened: AtomicU32,
}

impl Restless {
    fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Connect for Restless {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let address = address.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let io: BoxIo = Box::new(stream);
            Ok(io)
        })
    }

    fn outdated(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
