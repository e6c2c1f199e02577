//! Follows the HTTP/2 frames that a peer sends, for what the HTTP library does not tell: that the peer has
//! spoken at all, how many streams it allows, and that it is going away.

/// Length, type, flags and stream go before each frame.
const HEADER: usize = 9;
/// The frame that opens a connection and carries limits.
const SETTINGS: u8 = 4;
/// The frame that announces the end of a connection.
const GOAWAY: u8 = 7;
/// A setting is a name of two bytes and a value of four.
const SETTING: usize = 6;
/// The last stream that will be answered, and why the peer goes away, of four bytes each.
const FAREWELL: usize = 8;
/// The setting that limits the streams open at once.
const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];

/// What was learned from a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The peer speaks HTTP/2, and all the limits that it begins with are told.
    Settings,
    /// So many streams may be open at once.
    MaxStreams(u32),
    /// The connection takes no further calls, for the reason of this code.
    GoAway(u32),
}

/// Follows the frames of one connection.
#[derive(Debug, Default)]
pub(crate) struct FrameSpy {
    header: [u8; HEADER],
    header_filled: usize,
    payload_left: usize,
    item: [u8; FAREWELL],
    item_filled: usize,
}

impl FrameSpy {
    /// Takes note of the next piece of the stream, wherever it was cut.
    pub(crate) fn push(&mut self, mut piece: &[u8], mut tell: impl FnMut(Word)) {
        while !piece.is_empty() {
            if self.payload_left > 0 {
                let (payload, rest) = piece.split_at(self.payload_left.min(piece.len()));
                self.payload_left -= payload.len();
                piece = rest;
                match self.header[3] {
                    SETTINGS => {
                        self.settings(payload, &mut tell);
                        if self.payload_left == 0 {
                            tell(Word::Settings);
                        }
                    }
                    GOAWAY => self.farewell(payload, &mut tell),
                    _ => {}
                }
                continue;
            }
            let step = (HEADER - self.header_filled).min(piece.len());
            self.header[self.header_filled..self.header_filled + step]
                .copy_from_slice(&piece[..step]);
            self.header_filled += step;
            piece = &piece[step..];
            if self.header_filled == HEADER {
                self.begin_frame(&mut tell);
            }
        }
    }

    fn begin_frame(&mut self, tell: &mut impl FnMut(Word)) {
        let [a, b, c, kind, ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        self.header_filled = 0;
        self.item_filled = 0;
        self.payload_left = usize::try_from(length).unwrap_or(usize::MAX);
        if kind == SETTINGS && self.payload_left == 0 {
            tell(Word::Settings);
        }
    }

    fn settings(&mut self, payload: &[u8], tell: &mut impl FnMut(Word)) {
        for byte in payload {
            self.item[self.item_filled] = *byte;
            self.item_filled += 1;
            if self.item_filled < SETTING {
                continue;
            }
            self.item_filled = 0;
            let [n0, n1, a, b, c, d, ..] = self.item;
            if [n0, n1] == MAX_CONCURRENT_STREAMS {
                tell(Word::MaxStreams(u32::from_be_bytes([a, b, c, d])));
            }
        }
    }
}

impl FrameSpy {
    /// The beginning of a farewell; words for people may follow it.
    fn farewell(&mut self, payload: &[u8], tell: &mut impl FnMut(Word)) {
        for byte in payload.iter().take(FAREWELL - self.item_filled) {
            self.item[self.item_filled] = *byte;
            self.item_filled += 1;
            if self.item_filled == FAREWELL {
                let [_, _, _, _, a, b, c, d] = self.item;
                tell(Word::GoAway(u32::from_be_bytes([a, b, c, d])));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 0];
        frame.extend(payload);
        frame
    }

    proptest! {
        #[test]
        fn frames_are_followed_however_the_stream_is_cut(cut in 1_usize..40, noise in 0_usize..300) {
            let limits = [0, 1, 0, 0, 16, 0, 0, 3, 0, 0, 0, 250];
            let stream = [
                frame(SETTINGS, &limits),
                frame(0, &vec![GOAWAY; noise]),
                frame(GOAWAY, &[0, 0, 0, 9, 0, 0, 0, 11, b'b', b'y', b'e']),
            ]
            .concat();
            let mut spy = FrameSpy::default();
            let mut words = Vec::new();
            for piece in stream.chunks(cut) {
                spy.push(piece, |word| words.push(word));
            }
            prop_assert_eq!(words, [Word::MaxStreams(250), Word::Settings, Word::GoAway(11)]);
        }
    }
}
