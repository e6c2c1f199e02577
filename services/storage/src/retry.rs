//! When and how often a transaction is tried again.

use std::time::Duration;

/// How many times a transaction runs before its error is passed on.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Counts tries and paces them: each pause is drawn evenly from zero to a bound that doubles, so that those
/// who collided once do not meet again.
pub(crate) struct Tries {
    made: u32,
}

impl Tries {
    pub(crate) const fn new() -> Self {
        Self { made: 0 }
    }

    /// Counts one failed try; `false` once there have been enough.
    pub(crate) async fn again(&mut self) -> bool {
        self.made += 1;
        if self.made >= TRIES {
            return false;
        }
        tokio::time::sleep(self.bound().mul_f64(fastrand::f64())).await;
        true
    }

    fn bound(&self) -> Duration {
        let doublings = self.made.saturating_sub(1).min(16);
        FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_failures_when_they_repeat_then_the_bound_doubles_up_to_its_limit() {
        let bounds: Vec<u128> = (1..=9)
            .map(|made| Tries { made }.bound().as_millis())
            .collect();
        assert_eq!(bounds, [2, 4, 8, 16, 32, 64, 128, 200, 200]);
    }
}
