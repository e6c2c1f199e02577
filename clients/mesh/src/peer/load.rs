//! What a replica costs: its recent round-trip time, at its peak, times the calls it has in hand.
//!
//! A slower answer than expected counts at once, a faster one little by little. A failure counts as a slow
//! answer for a while, so that a replica which fails fast does not look quick; and silence while calls are
//! out counts as it grows, so that one which has stopped answering is left before anything times out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a replica without any past is taken to need.
pub(super) const SEED: Duration = Duration::from_millis(30);
/// What a failure is taken to have needed.
const PENALTY: Duration = Duration::from_secs(5);
/// How fast a failure is forgotten.
const PENALTY_DECAY: Duration = Duration::from_secs(1);
/// However long a server asks to be left alone, no longer than this.
const MAX_PENALTY: Duration = Duration::from_secs(300);

/// A value that fades.
#[derive(Debug, Clone, Copy)]
struct Fading {
    seconds: f64,
    at: Instant,
}

impl Fading {
    /// How much of it is left.
    fn weight(self, now: Instant, decay: Duration) -> f64 {
        let age = now.saturating_duration_since(self.at);
        (-age.as_secs_f64() / decay.as_secs_f64()).exp()
    }

    fn now(self, now: Instant, decay: Duration) -> f64 {
        self.seconds * self.weight(now, decay)
    }
}

#[derive(Debug)]
struct Past {
    rtt: Fading,
    penalty: Fading,
    /// When it last answered, or was first asked after it had nothing in hand.
    heard: Instant,
}

/// What one replica costs.
#[derive(Debug)]
pub(super) struct Load {
    pending: AtomicU32,
    /// How fast the past is forgotten.
    decay: Duration,
    past: Mutex<Past>,
}

impl Load {
    /// A replica that is taken to need `seed` for an answer.
    pub(super) fn new(seed: Duration, decay: Duration) -> Self {
        let now = Instant::now();
        let of = |seconds| Fading { seconds, at: now };
        Self {
            pending: AtomicU32::new(0),
            decay,
            past: Mutex::new(Past {
                rtt: of(seed.as_secs_f64()),
                penalty: of(0.0),
                heard: now,
            }),
        }
    }

    /// Forgets the past.
    pub(super) fn reset(&self, seed: Duration, now: Instant) {
        let mut past = self.past();
        past.rtt = Fading {
            seconds: seed.as_secs_f64(),
            at: now,
        };
        past.penalty = Fading {
            seconds: 0.0,
            at: now,
        };
        past.heard = now;
    }

    /// A call goes out.
    pub(super) fn sent(&self, now: Instant) {
        if self.pending.fetch_add(1, Ordering::Relaxed) == 0 {
            self.past().heard = now;
        }
    }

    /// A call that went out is no longer waited for.
    pub(super) fn gone(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// It answered after so long.
    pub(super) fn answered(&self, after: Duration, now: Instant) {
        let sample = after.as_secs_f64();
        let mut past = self.past();
        past.heard = now;
        let weight = past.rtt.weight(now, self.decay);
        let old = past.rtt.seconds * weight;
        let seconds = if sample > old {
            sample
        } else {
            old + sample * (1.0 - weight)
        };
        past.rtt = Fading { seconds, at: now };
    }

    /// It had not answered after so long, when the caller gave up: it needs no less than that.
    pub(super) fn unanswered(&self, after: Duration, now: Instant) {
        if after > self.rtt(now) {
            self.past().rtt = Fading {
                seconds: after.as_secs_f64(),
                at: now,
            };
        }
    }

    /// It failed; `asked` is how long it asks to be left alone.
    pub(super) fn failed(&self, asked: Option<Duration>, now: Instant) {
        let penalty = asked.map_or(PENALTY, |asked| asked.clamp(PENALTY, MAX_PENALTY));
        let mut past = self.past();
        past.heard = now;
        past.penalty = Fading {
            seconds: penalty.as_secs_f64(),
            at: now,
        };
    }

    /// The calls it has in hand.
    pub(super) fn pending(&self) -> u32 {
        self.pending.load(Ordering::Relaxed)
    }

    /// The time an answer is expected to take, failures not counted.
    pub(super) fn rtt(&self, now: Instant) -> Duration {
        Duration::from_secs_f64(self.past().rtt.now(now, self.decay).max(0.0))
    }

    /// What another call would cost.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        let pending = self.pending();
        let past = self.past();
        let silence = if pending == 0 {
            0.0
        } else {
            now.saturating_duration_since(past.heard).as_secs_f64()
        };
        let expected = past
            .rtt
            .now(now, self.decay)
            .max(past.penalty.now(now, PENALTY_DECAY))
            .max(silence);
        expected * (f64::from(pending) + 1.0)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slow_answer_counts_at_once_and_fast_ones_little_by_little() {
        let load = Load::new(SEED, DECAY);
        let mut now = Instant::now();
        load.answered(200 * MS, now);
        assert_eq!(load.rtt(now), 200 * MS);
        for _ in 0..10 {
            now += Duration::from_secs(1);
            load.answered(MS, now);
        }
        let rtt = load.rtt(now);
        assert!(rtt > 50 * MS && rtt < 100 * MS, "{rtt:?}");
    }

    #[test]
    fn calls_in_hand_multiply_the_cost_and_silence_raises_it() {
        let load = Load::new(10 * MS, DECAY);
        let now = Instant::now();
        load.reset(10 * MS, now);
        let idle = load.cost(now);
        load.sent(now);
        assert!((load.cost(now) - 2.0 * idle).abs() < 1e-9);
        assert!(load.cost(now + Duration::from_secs(3)) >= 6.0);
    }

    #[test]
    fn a_failure_is_a_slow_answer_for_a_while() {
        let load = Load::new(MS, DECAY);
        let now = Instant::now();
        load.failed(None, now);
        assert!(load.cost(now) >= 5.0);
        assert!(load.cost(now + Duration::from_secs(10)) < 0.001);
    }
}
