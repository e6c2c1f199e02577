//! W3C trace context: one id for everything that one request causes, one id per step.

use std::fmt;
use std::sync::Arc;

/// Length of `00-<32 hex>-<16 hex>-<2 hex>`.
const LENGTH: usize = 55;
/// Longer trace states are dropped: they come from outside and travel with every call.
const MAX_STATE: usize = 512;
/// The bit of the flags that says the trace is being recorded.
const SAMPLED: u8 = 1;

/// Where a call stands in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    /// The step that caused this one; 0 for none.
    parent_id: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// The start of a new trace.
    #[must_use]
    pub fn root() -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            span_id: fastrand::u64(1..),
            parent_id: 0,
            flags: SAMPLED,
            state: None,
        }
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: fastrand::u64(1..),
            parent_id: self.span_id,
            ..self.clone()
        }
    }

    /// Reads a `traceparent` header; `None` for anything that the specification does not allow.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        // A later version may append fields, version 00 may not.
        let fits = bytes.len() == LENGTH
            || (bytes.get(LENGTH) == Some(&b'-') && !traceparent.starts_with("00"));
        if !fits || !traceparent.is_ascii() || [2, 35, 52].iter().any(|at| bytes[*at] != b'-') {
            return None;
        }
        let version = hex(&traceparent[0..2])?;
        let trace_id = hex(&traceparent[3..35])?;
        let span_id = u64::try_from(hex(&traceparent[36..52])?).ok()?;
        let flags = u8::try_from(hex(&traceparent[53..55])?).ok()?;
        let valid = version != 0xff && trace_id != 0 && span_id != 0;
        valid.then_some(Self {
            trace_id,
            span_id,
            parent_id: 0,
            flags,
            state: None,
        })
    }

    /// The same with the `tracestate` that came along.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        let keep = !state.is_empty() && state.len() <= MAX_STATE;
        self.state = keep.then(|| Arc::from(state));
        self
    }

    /// What vendors added to the trace.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether the trace is being recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The ids of the trace, of this step, and of the one that caused it, 0 for none.
    #[must_use]
    pub const fn ids(&self) -> (u128, u64, u64) {
        (self.trace_id, self.span_id, self.parent_id)
    }

    /// As a `traceparent` header, without an allocation.
    pub(crate) fn to_bytes(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], self.trace_id);
        write_hex(&mut text[36..52], u128::from(self.span_id));
        write_hex(&mut text[53..], u128::from(self.flags));
        text
    }

    /// The id of the trace, as logs show it.
    #[must_use]
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        Hex {
            value: self.trace_id,
            width: 32,
        }
    }

    /// The id of this step, as logs show it.
    #[must_use]
    pub fn span_id(&self) -> impl fmt::Display + use<> {
        Hex {
            value: u128::from(self.span_id),
            width: 16,
        }
    }
}

/// As a `traceparent` header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

/// Writes the last digits of a number, as many as there is room for.
fn write_hex(text: &mut [u8], mut value: u128) {
    for digit in text.iter_mut().rev() {
        let nibble = u8::try_from(value & 0xf).unwrap_or_default();
        *digit = match nibble {
            0..=9 => b'0' + nibble,
            _ => b'a' + nibble - 10,
        };
        value >>= 4;
    }
}

/// A number as lower-case hexadecimal of a fixed width.
struct Hex {
    value: u128,
    width: usize,
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.value, width = self.width)
    }
}

/// The value of lower-case hexadecimal digits; signs and capitals are not allowed in a header.
fn hex(digits: &str) -> Option<u128> {
    let allowed = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !allowed {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specification_s_example_is_read_and_written_back() {
        let trace = TraceContext::parse(EXAMPLE).expect("valid");
        assert_eq!(trace.to_string(), EXAMPLE);
        assert_eq!(trace.to_bytes(), EXAMPLE.as_bytes());
        assert_eq!(
            trace.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(trace.span_id().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn a_child_keeps_the_trace_and_gets_its_own_span() {
        let parent = TraceContext::parse(EXAMPLE)
            .expect("valid")
            .with_state("vendor=1");
        let child = parent.child();
        assert_eq!(child.trace_id, parent.trace_id);
        assert_ne!(child.span_id, parent.span_id);
        assert_eq!(child.state(), Some("vendor=1"));
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,70}") {
            let _ = TraceContext::parse(&text);
        }
    }
}
