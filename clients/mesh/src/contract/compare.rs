//! What one contract makes of another: the caller writes requests and the callee reads them, the callee writes
//! responses and the caller reads them.
//!
//! Only binary protobuf counts. Fields are told apart by their numbers; names count where one has moved to
//! another number, which is how the renumbering of fields and of the values of enums shows.

use super::fields::{self, Reader, Writer};
use super::notes::Notes;
use super::shape::{MessageShape, MethodShape, Shape};
use super::{Finding, Level};
use std::collections::HashSet;

/// The longest name of a place; what is nested deeper or named longer is no contract of ours.
const MAX_PLACE: usize = 1_000;

/// A description of a contract that makes no sense, or is beyond all measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the description of the contract makes no sense")]
pub struct Malformed;

/// A caller's method and what it knows of its messages, or a callee's.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What all methods of the side look like.
    pub shape: &'a Shape,
    /// The method.
    pub method: &'a MethodShape,
}

/// What can go wrong when a caller that knows one shape of a method calls a callee that knows another, the
/// worst first; nothing when the two differ only in what is safe.
///
/// # Errors
/// When a shape makes no sense.
pub fn compare(caller: Side<'_>, callee: Side<'_>) -> Result<Vec<Finding>, Malformed> {
    let mut notes = Notes::new();
    let (ours, theirs) = (caller.method, callee.method);
    for (what, ours, theirs) in [
        ("request", ours.client_streaming, theirs.client_streaming),
        ("response", ours.server_streaming, theirs.server_streaming),
    ] {
        if ours != theirs {
            let problem = format!(
                "the caller has {}, the callee {}",
                stream(ours),
                stream(theirs)
            );
            notes.add_of_method(what, Level::Unsafe, problem);
        }
    }
    Walk {
        writer: Writer(caller.shape, "caller"),
        reader: Reader(callee.shape, "callee"),
    }
    .follow("request", (ours.request, theirs.request), &mut notes)?;
    Walk {
        writer: Writer(callee.shape, "callee"),
        reader: Reader(caller.shape, "caller"),
    }
    .follow("response", (theirs.response, ours.response), &mut notes)?;
    Ok(notes.into_found())
}

const fn stream(streaming: bool) -> &'static str {
    if streaming {
        "a stream of messages"
    } else {
        "one message"
    }
}

/// The messages that go in one direction.
struct Walk<'a> {
    writer: Writer<'a>,
    reader: Reader<'a>,
}

impl Walk<'_> {
    /// Compares a message of the writer with one of the reader, and all that they reach.
    fn follow(&self, place: &str, from: (u32, u32), notes: &mut Notes) -> Result<(), Malformed> {
        let mut seen = HashSet::from([from]);
        let mut open = vec![(from, place.to_owned())];
        while let Some(((writer, reader), place)) = open.pop() {
            let writer = message(self.writer.0, writer)?;
            let reader = message(self.reader.0, reader)?;
            notes.look_at(writer.fields.len() + reader.fields.len())?;
            if place.len() > MAX_PLACE || !(makes_sense(writer) && makes_sense(reader)) {
                return Err(Malformed);
            }
            let below =
                fields::compare((self.writer, writer), (self.reader, reader), &place, notes)?;
            open.extend(below.into_iter().filter(|(pair, _)| seen.insert(*pair)));
        }
        Ok(())
    }
}

/// Whether every field has a number of its own, and a name that can be told.
fn makes_sense(message: &MessageShape) -> bool {
    let mut numbers = HashSet::with_capacity(message.fields.len());
    let mut fields = message.fields.iter();
    fields.all(|field| field.name.len() <= MAX_PLACE && numbers.insert(field.number))
}

fn message(shape: &Shape, index: u32) -> Result<&MessageShape, Malformed> {
    let index = usize::try_from(index).map_err(|_| Malformed)?;
    shape.messages.get(index).ok_or(Malformed)
}
