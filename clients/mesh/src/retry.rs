//! When to try again: gRPC's retry design (A6).

use crate::names::RETRY_PUSHBACK_MS;
use crate::policy::{HedgingPolicy, MethodPolicy, RetryPolicy};
use http::HeaderMap;
use metrics::Gauge;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;
use tonic::Code;

/// However a policy is written, no call is attempted more often.
const MAX_ATTEMPTS: u32 = 5;
/// A server that asks to be left alone for longer is not waited for: its refusal is told at once.
const MAX_PUSHBACK: Duration = Duration::from_secs(60);
/// Jitter spreads each wait over this range around its length, in percent.
const JITTER_PERCENT: std::ops::RangeInclusive<u32> = 80..=120;

/// Tokens are counted in thousandths.
const TOKEN: i64 = 1_000;
/// A full bucket: large enough for all that one replica of a busy peer takes down with it. What bounds the
/// repetitions towards a peer of which nothing is left is the budget.
const MAX_TOKENS: i64 = 1_000 * TOKEN;
/// What a success puts back.
const REFUND: i64 = TOKEN / 10;

/// Stops retries towards a peer most of whose answers are failures.
#[derive(Debug)]
pub(crate) struct Throttle {
    tokens: AtomicI64,
    shown: Gauge,
}

impl Throttle {
    /// A full bucket, which is shown as this.
    pub(crate) fn new(shown: Gauge) -> Self {
        let throttle = Self {
            tokens: AtomicI64::new(MAX_TOKENS),
            shown,
        };
        throttle.shown.set(throttle.left());
        throttle
    }

    /// A failure that could be retried costs one token.
    pub(crate) fn failure(&self) {
        self.add(-TOKEN);
    }

    /// Any other answer puts back a tenth.
    pub(crate) fn success(&self) {
        if self.tokens.load(Ordering::Relaxed) < MAX_TOKENS {
            self.add(REFUND);
        }
    }

    /// Whether the bucket is more than half full.
    pub(crate) fn allows(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) > MAX_TOKENS / 2
    }

    /// What is left, in tokens.
    pub(crate) fn left(&self) -> f64 {
        let milli = self.tokens.load(Ordering::Relaxed);
        f64::from(i32::try_from(milli).unwrap_or(i32::MAX)) / 1_000.0
    }

    fn add(&self, amount: i64) {
        let change = |tokens: i64| Some((tokens + amount).clamp(0, MAX_TOKENS));
        // The closure always gives a value, so the update cannot fail.
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        self.shown.set(self.left());
    }
}

/// A server's word on when, or whether, to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Exactly so long from now.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// The word in a response's headers or trailers; what cannot be read means "never".
    pub(crate) fn in_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(RETRY_PUSHBACK_MS)?;
        let millis = value.to_str().ok().and_then(|text| text.parse().ok());
        Some(match millis {
            Some(millis) => Self::After(Duration::from_millis(millis)),
            None => Self::Never,
        })
    }
}

/// The retries of one call.
#[derive(Debug)]
pub(crate) struct Retries {
    policy: Option<&'static RetryPolicy>,
    made: u32,
    /// Attempts made while another one was out.
    copies: AtomicU32,
    backoff: Duration,
    /// By which copies of a slow call are sent instead.
    copying: Option<&'static HedgingPolicy>,
}

impl Retries {
    /// What the method's policy allows; nothing when a repetition might do harm.
    /// Nor when a caller further up repeats the whole.
    pub(crate) fn of(method: Option<&'static MethodPolicy>, repeated_above: bool) -> Self {
        let method = method
            .filter(|_| !repeated_above)
            .filter(|method| method.idempotency.is_repeatable() && !method.client_streaming);
        let policy = method.and_then(|method| method.retry.as_ref());
        let backoff = policy.map_or(Duration::ZERO, |policy| policy.initial_backoff);
        Self {
            policy,
            made: 0,
            copies: AtomicU32::new(0),
            backoff,
            copying: method.and_then(|method| method.hedging.as_ref()),
        }
    }

    /// How copies of the call are sent while it is slow, when they are.
    pub(crate) const fn copies(&self) -> Option<&'static HedgingPolicy> {
        self.copying
    }

    /// Whether the call may be sent more than once, in whichever way.
    pub(crate) fn are_any(&self) -> bool {
        self.copying.is_some() || self.remain()
    }

    /// The number of attempts that preceded the current one.
    pub(crate) fn made(&self) -> u32 {
        self.made + self.copies.load(Ordering::Relaxed)
    }

    /// Another attempt is made while the current one is out.
    pub(crate) fn copied(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether another attempt may follow the current one.
    pub(crate) fn remain(&self) -> bool {
        self.policy
            .is_some_and(|policy| self.made() + 1 < policy.max_attempts.min(MAX_ATTEMPTS))
    }

    /// Whether the policy names this code.
    pub(crate) fn cover(&self, code: Code) -> bool {
        self.policy
            .is_some_and(|policy| policy.codes.contains(&code))
    }

    /// The wait before the next attempt, `None` when there is to be none.
    pub(crate) fn next(&mut self, pushback: Option<Pushback>) -> Option<Duration> {
        let policy = self.policy.filter(|_| self.remain())?;
        let wait = match pushback {
            Some(Pushback::Never) => return None,
            Some(Pushback::After(wait)) if wait > MAX_PUSHBACK => return None,
            Some(Pushback::After(wait)) => {
                self.backoff = policy.initial_backoff;
                wait
            }
            None => {
                let wait = self.backoff.min(policy.max_backoff);
                let grown = wait.saturating_mul(policy.multiplier_percent) / 100;
                self.backoff = grown.min(policy.max_backoff);
                wait.saturating_mul(fastrand::u32(JITTER_PERCENT)) / 100
            }
        };
        self.made += 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Idempotency;

    static READ: MethodPolicy = MethodPolicy {
        idempotency: Idempotency::NoSideEffects,
        retry: Some(RetryPolicy {
            max_attempts: 4,
            codes: &[Code::Unavailable],
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(150),
            multiplier_percent: 200,
        }),
        ..MethodPolicy::new("/t.T/Read")
    };
    static WRITE: MethodPolicy = MethodPolicy {
        idempotency: Idempotency::Unknown,
        ..READ
    };

    fn header(value: &'static str) -> Option<Pushback> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_PUSHBACK_MS, http::HeaderValue::from_static(value));
        Pushback::in_headers(&headers)
    }

    #[test]
    fn waits_grow_up_to_the_limit_and_attempts_end() {
        let mut retries = Retries::of(Some(&READ), false);
        let within = |wait: Duration, millis: u64| {
            let base = Duration::from_millis(millis);
            assert!(
                wait >= base * 8 / 10 && wait <= base * 12 / 10,
                "{wait:?} for {base:?}"
            );
        };
        within(retries.next(None).expect("second"), 100);
        within(retries.next(None).expect("third"), 150);
        within(retries.next(None).expect("fourth"), 150);
        assert_eq!(retries.next(None), None);
        assert_eq!(retries.made(), 3);
    }

    #[test]
    fn copies_are_among_the_attempts_that_the_policy_allows() {
        let mut retries = Retries::of(Some(&READ), false);
        retries.copied();
        assert_eq!(retries.made(), 1);
        assert!(retries.next(None).is_some());
        retries.copied();
        assert!(!retries.remain());
        assert_eq!(retries.next(None), None);
    }

    #[test]
    fn a_method_that_promises_nothing_is_never_repeated() {
        let mut retries = Retries::of(Some(&WRITE), false);
        assert!(!retries.remain());
        assert_eq!(retries.next(None), None);
        assert!(!Retries::of(None, false).remain());
    }

    #[test]
    fn the_server_s_word_goes_before_the_policy_s() {
        assert_eq!(
            header("250"),
            Some(Pushback::After(Duration::from_millis(250)))
        );
        assert_eq!(header("-1"), Some(Pushback::Never));
        assert_eq!(header("-0"), Some(Pushback::Never));
        assert_eq!(header("soon"), Some(Pushback::Never));

        let exact = Retries::of(Some(&READ), false).next(header("7"));
        assert_eq!(exact, Some(Duration::from_millis(7)));
        assert_eq!(Retries::of(Some(&READ), false).next(header("-1")), None);
        let endless = header("18446744073709551615");
        assert_eq!(Retries::of(Some(&READ), false).next(endless), None);
    }

    #[test]
    fn a_peer_that_mostly_fails_is_not_asked_again() {
        let throttle = Throttle::new(Gauge::noop());
        for _ in 0..499 {
            throttle.failure();
        }
        assert!(throttle.allows());
        throttle.failure();
        assert!(!throttle.allows());
        throttle.success();
        assert!(throttle.allows());
    }
}
