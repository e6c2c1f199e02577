//! A caller: a process that makes calls of one kind when it is told to, and reports what they cost it.

use super::kind::Client;
use super::{Kind, Secure, Setting, Turn, tls};
use crate::cpu;
use anyhow::{Context, Result};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A caller, as the one who orders the turns sees it.
pub(super) struct Caller {
    kind: Kind,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    // Ends with this value.
    _child: Child,
}

impl Caller {
    /// Starts a caller of the servers at `addresses`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn start(
        kind: Kind,
        setting: Setting,
        addresses: &[String],
        secure: Option<&Secure>,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["call", kind.name()])
            .arg(setting.in_flight.to_string())
            .arg(setting.threads.to_string())
            .args(addresses)
            .args(secure.into_iter().flat_map(tls))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let answers = child.stdout.take().context("its output is piped")?;
        Ok(Self {
            kind,
            orders: child.stdin.take().context("its input is piped")?,
            answers: BufReader::new(answers).lines(),
            _child: child,
        })
    }

    /// What it calls with.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Has it call for `span`.
    ///
    /// # Errors
    /// When a call fails.
    pub(super) async fn turn(&mut self, span: Duration) -> Result<Turn> {
        let order = format!("{}\n", span.as_millis());
        self.orders.write_all(order.as_bytes()).await?;
        let answer = self.answers.next_line().await?;
        let answer =
            answer.with_context(|| format!("the {} caller has ended", self.kind.name()))?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// The caller itself: obeys orders until there are no more.
///
/// # Errors
/// When a call fails.
pub(crate) fn call(
    kind: Kind,
    in_flight: usize,
    threads: usize,
    addresses: &[String],
    secure: Option<Secure>,
) -> Result<()> {
    let mut runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        // Recorded as in a service.
        cleave_host::telemetry::metrics();
        let client = Client::new(kind, addresses, secure.as_ref()).await?;
        let mut orders = orders();
        while let Some(order) = orders.recv().await {
            let span = Duration::from_millis(order.parse()?);
            let turn = turn(&client, in_flight, span).await?;
            println!("{}", serde_json::to_string(&turn)?);
        }
        Ok(())
    })
}

/// The lines of stdin, read by a thread of their own: between two turns the connections stay alive.
fn orders() -> UnboundedReceiver<String> {
    let (given, orders) = unbounded_channel();
    std::thread::spawn(move || {
        for order in std::io::stdin().lines().map_while(Result::ok) {
            if given.send(order).is_err() {
                return;
            }
        }
    });
    orders
}

/// Calls for `span`.
async fn turn(client: &Client, in_flight: usize, span: Duration) -> Result<Turn> {
    let (began, before) = (Instant::now(), cpu::used_here()?);
    let callers: Vec<_> = (0..in_flight)
        .map(|number| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let mut calls = 0_u64;
                while began.elapsed() < span {
                    client.call(number).await?;
                    calls += 1;
                }
                anyhow::Ok(calls)
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await??;
    }
    Ok(Turn {
        calls,
        seconds: began.elapsed().as_secs_f64(),
        cpu: cpu::used_here()?.saturating_sub(before).as_secs_f64(),
    })
}
