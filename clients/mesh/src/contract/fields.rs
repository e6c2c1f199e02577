//! The fields of a message as it is written against the fields as which it is read.

use super::Level;
use super::compare::Malformed;
use super::kinds::{self, is_packable, read_as};
use super::notes::Notes;
use super::rules;
use super::shape::{Cardinality, EnumShape, FieldShape, Kind, MessageShape, Shape};
use std::collections::{HashMap, HashSet};

/// What the writer knows, and who it is.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a>(pub(super) &'a Shape, pub(super) &'static str);

/// What the reader knows, and who it is.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Shape, pub(super) &'static str);

/// Two messages to compare next, by their indices, and where they are.
type Below = Vec<((u32, u32), String)>;

/// The numbers of a message's fields, by name.
type Numbers<'a> = HashMap<&'a str, u32>;

/// Compares two messages field by field; what is wrong goes into `notes`, what must be compared next comes
/// back.
pub(super) fn compare(
    writer: (Writer<'_>, &MessageShape),
    reader: (Reader<'_>, &MessageShape),
    place: &str,
    notes: &mut Notes,
) -> Result<Below, Malformed> {
    let numbers: Numbers<'_> = (reader.1.fields.iter())
        .map(|field| (&*field.name, field.number))
        .collect();
    let known: HashMap<u32, &FieldShape> = (reader.1.fields.iter())
        .map(|field| (field.number, field))
        .collect();
    let mut below = Vec::new();
    let mut shared = Vec::new();
    for written in &writer.1.fields {
        let mut pair = Pair {
            writer: writer.0,
            reader: reader.0,
            written,
            place,
            notes: &mut *notes,
        };
        if pair.has_moved(&numbers) {
            continue;
        }
        // What the reader does not know it skips: adding and removing fields is safe.
        let Some(read) = known.get(&written.number) else {
            continue;
        };
        pair.cardinality(read);
        if pair.kind(read)? && matches!(read.kind(), Kind::Message | Kind::Group) {
            let place = format!("{place}.{}", written.name);
            below.push(((written.type_index, read.type_index), place));
        }
        shared.push((written, *read));
    }
    rules::oneofs((writer.0, reader.0), &shared, place, notes);
    rules::required(writer, reader, place, notes);
    Ok(below)
}

/// A field as it is written and as it is read.
struct Pair<'a> {
    writer: Writer<'a>,
    reader: Reader<'a>,
    written: &'a FieldShape,
    /// Where the message is.
    place: &'a str,
    notes: &'a mut Notes,
}

impl Pair<'_> {
    fn add(&mut self, level: Level, problem: String) {
        self.notes.add(self.place, self.written, level, problem);
    }

    /// Whether the reader has the name under another number. "Changing field numbers for any existing field is
    /// not safe."
    fn has_moved(&mut self, numbers: &Numbers<'_>) -> bool {
        let Some(number) = numbers.get(&*self.written.name) else {
            return false;
        };
        let moved = *number != self.written.number;
        if moved {
            let (writer, reader) = (self.writer.1, self.reader.1);
            let problem = format!(
                "the {writer} has it as number {}, the {reader} as number {number}",
                self.written.number
            );
            self.add(Level::Unsafe, problem);
        }
        moved
    }

    /// One value, or several. "For string, bytes, and message fields, singular is compatible with repeated";
    /// of numbers, a packed list cannot be read as one value, while one value can be read as a list.
    fn cardinality(&mut self, read: &FieldShape) {
        let several = |field: &FieldShape| {
            matches!(
                field.cardinality(),
                Cardinality::Repeated | Cardinality::Packed
            )
        };
        let (writer, reader) = (self.writer.1, self.reader.1);
        match (several(self.written), several(read)) {
            (true, true) | (false, false) => {}
            (false, true) => self.add(
                Level::Conditional,
                format!("the {writer} writes one value, the {reader} reads a list"),
            ),
            (true, false) => {
                let packed = self.written.cardinality() == Cardinality::Packed
                    && is_packable(self.written.kind());
                let level = if packed {
                    Level::Unsafe
                } else {
                    Level::Conditional
                };
                self.add(
                    level,
                    format!("the {writer} writes a list, the {reader} reads one value"),
                );
            }
        }
    }

    /// Compares the types; whether they are of the same kind.
    fn kind(&mut self, read: &FieldShape) -> Result<bool, Malformed> {
        let (written, read_kind) = (self.written.kind(), read.kind());
        let (writer, reader) = (self.writer.1, self.reader.1);
        let level = read_as(written, read_kind);
        if level > Level::Safe {
            self.add(
                level,
                format!(
                    "the {writer} writes {}, the {reader} reads {}",
                    kinds::name(written),
                    kinds::name(read_kind)
                ),
            );
        }
        if read_kind == Kind::Enum && level != Level::Unsafe {
            let known = enumeration(self.reader.0, read.type_index)?;
            let values = match written {
                Kind::Enum => Some(enumeration(self.writer.0, self.written.type_index)?),
                _ => None,
            };
            self.values(values, known)?;
        }
        Ok(written == read_kind)
    }

    /// Compares the values of an enum. "Adding additional values to an enum is safe" as long as it is open; a
    /// closed one drops what it does not know.
    fn values(&mut self, written: Option<&EnumShape>, read: &EnumShape) -> Result<(), Malformed> {
        let count = written.map_or(0, |written| written.values.len()) + read.values.len();
        self.notes.look_at(count)?;
        let known: HashSet<i32> = read.values.iter().map(|value| value.number).collect();
        let numbers: HashMap<&str, i32> = (read.values.iter())
            .map(|value| (&*value.name, value.number))
            .collect();
        let (writer, reader) = (self.writer.1, self.reader.1);
        let mut strange = written.is_none();
        for value in written.iter().flat_map(|written| &written.values) {
            match numbers.get(&*value.name) {
                Some(number) if *number != value.number => self.add(
                    Level::Unsafe,
                    format!(
                        "{} is {} for the {writer} and {number} for the {reader}",
                        value.name, value.number
                    ),
                ),
                Some(_) => {}
                None => strange |= !known.contains(&value.number),
            }
        }
        if read.closed && strange {
            self.add(
                Level::Conditional,
                format!("the {writer} has values that the {reader} does not know and drops"),
            );
        }
        Ok(())
    }
}

fn enumeration(shape: &Shape, index: u32) -> Result<&EnumShape, Malformed> {
    let index = usize::try_from(index).map_err(|_| Malformed)?;
    shape.enums.get(index).ok_or(Malformed)
}
