//! Counts the messages in a stream of gRPC bytes without decoding them.

/// A flag and a length of four bytes go before each message.
const PREFIX: usize = 5;

/// The largest message that either half accepts or sends unless told otherwise.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A message is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} bytes exceeds the limit of {limit} bytes")]
pub struct TooLarge {
    /// What the message claims to be.
    pub length: usize,
    /// What is allowed.
    pub limit: usize,
}

/// Follows the frames of one direction of a call.
#[derive(Debug)]
pub struct FrameMeter {
    limit: usize,
    prefix: [u8; PREFIX],
    prefix_filled: usize,
    message_left: usize,
    messages: u64,
    bytes: u64,
}

impl FrameMeter {
    /// Nothing seen; messages may have up to `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            prefix: [0; PREFIX],
            prefix_filled: 0,
            message_left: 0,
            messages: 0,
            bytes: 0,
        }
    }

    /// Takes note of the next piece of the stream, wherever it was cut.
    ///
    /// # Errors
    /// When it announces a message beyond the limit.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), TooLarge> {
        while !piece.is_empty() {
            if self.message_left > 0 {
                let step = self.message_left.min(piece.len());
                self.message_left -= step;
                piece = &piece[step..];
                continue;
            }
            let step = (PREFIX - self.prefix_filled).min(piece.len());
            self.prefix[self.prefix_filled..self.prefix_filled + step]
                .copy_from_slice(&piece[..step]);
            self.prefix_filled += step;
            piece = &piece[step..];
            if self.prefix_filled == PREFIX {
                self.begin_message()?;
            }
        }
        Ok(())
    }

    /// The prefix is complete: a message of the length it states follows.
    fn begin_message(&mut self) -> Result<(), TooLarge> {
        let [_, a, b, c, d] = self.prefix;
        let length = u32::from_be_bytes([a, b, c, d]);
        self.prefix_filled = 0;
        self.messages += 1;
        self.bytes += u64::from(length);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.message_left = length;
        if length > self.limit {
            return Err(TooLarge {
                length,
                limit: self.limit,
            });
        }
        Ok(())
    }

    /// Whether the stream stands where one message ends and the next may begin.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.message_left == 0 && self.prefix_filled == 0
    }

    /// The number of messages begun.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// The sum of the lengths of the messages begun, prefixes not included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(lengths: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        for length in lengths {
            out.push(0);
            out.extend(u32::from(*length).to_be_bytes());
            out.resize(out.len() + usize::from(*length), 7);
        }
        out
    }

    proptest! {
        #[test]
        fn messages_are_counted_however_the_stream_is_cut(
            lengths in proptest::collection::vec(0_u16..300, 0..8),
            cut in 1_usize..50,
        ) {
            let stream = frames(&lengths);
            let mut meter = FrameMeter::new(1_000);
            for piece in stream.chunks(cut) {
                meter.push(piece).expect("within the limit");
            }
            prop_assert_eq!(usize::try_from(meter.messages()).expect("small"), lengths.len());
            prop_assert_eq!(meter.bytes(), lengths.iter().map(|n| u64::from(*n)).sum::<u64>());
        }
    }

    #[test]
    fn a_message_of_the_limit_passes_and_one_more_byte_does_not() {
        assert_eq!(FrameMeter::new(10).push(&frames(&[10])), Ok(()));
        let refused = FrameMeter::new(10).push(&frames(&[11]));
        assert_eq!(
            refused,
            Err(TooLarge {
                length: 11,
                limit: 10
            })
        );
    }
}
