//! The load generator: a closed loop of many callers over a few connections.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use tonic::transport::Channel;

/// How many connections carry the load.
pub(crate) const CONNECTIONS: usize = 8;
/// How many calls are under way at any moment.
pub(crate) const IN_FLIGHT: usize = 64;

/// What one stretch of load came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Calls that were answered.
    pub(crate) calls: u64,
    /// From the first call to the last answer.
    pub(crate) elapsed: Duration,
    /// Half of the calls took no longer than this.
    pub(crate) median: Duration,
    /// 99 of 100 calls took no longer than this.
    pub(crate) p99: Duration,
}

impl Outcome {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        let calls = u32::try_from(self.calls).unwrap_or(u32::MAX);
        f64::from(calls) / self.elapsed.as_secs_f64()
    }

    /// `cpu` spread over the calls, in microseconds.
    pub(crate) fn per_call(&self, cpu: Duration) -> f64 {
        let calls = u32::try_from(self.calls).unwrap_or(u32::MAX);
        cpu.as_secs_f64() * 1e6 / f64::from(calls.max(1))
    }
}

/// Connections to one server, for callers to share.
///
/// # Errors
/// When the server does not answer.
pub(crate) async fn connect(url: &str) -> Result<Vec<Channel>> {
    let endpoint = Channel::from_shared(url.to_owned())?.connect_timeout(Duration::from_secs(5));
    let connections = (0..CONNECTIONS).map(|_| endpoint.connect());
    try_join_all(connections)
        .await
        .with_context(|| format!("connecting to {url}"))
}

/// Keeps [`IN_FLIGHT`] calls under way for `span`. Caller `n` makes its next call once its last is answered.
///
/// # Errors
/// At the first call that fails: a server that refuses is fast and measures nothing.
pub(crate) async fn drive<Call, Answer>(span: Duration, call: Call) -> Result<Outcome>
where
    Call: Fn(usize) -> Answer,
    Answer: Future<Output = Result<()>>,
{
    let call = &call;
    let began = Instant::now();
    let callers = (0..IN_FLIGHT).map(|caller| async move {
        let mut took = Vec::new();
        // Each caller is heard once, however slow the machine.
        loop {
            let sent = Instant::now();
            call(caller).await?;
            took.push(sent.elapsed());
            if began.elapsed() >= span {
                return anyhow::Ok(took);
            }
        }
    });
    let mut took = try_join_all(callers).await?.concat();
    let elapsed = began.elapsed();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    Ok(Outcome {
        calls: u64::try_from(took.len())?,
        elapsed,
        median: at(50),
        p99: at(99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn given_calls_that_take_a_while_then_all_callers_run_side_by_side() {
        let (now, most) = (Cell::new(0_usize), Cell::new(0));
        let outcome = drive(Duration::from_millis(20), |_| async {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            tokio::time::sleep(Duration::from_millis(1)).await;
            now.set(now.get() - 1);
            Ok(())
        })
        .await
        .expect("every call is answered");
        assert_eq!(most.get(), IN_FLIGHT);
        assert!(outcome.calls >= u64::try_from(IN_FLIGHT).expect("small"));
        assert!(outcome.median >= Duration::from_millis(1) && outcome.p99 >= outcome.median);
    }

    #[tokio::test]
    async fn given_a_call_that_fails_then_nothing_is_measured() {
        let outcome = drive(Duration::from_secs(1), |_| async {
            anyhow::bail!("refused")
        })
        .await;
        assert!(outcome.is_err());
    }
}
