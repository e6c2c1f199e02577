//! What must hold of the fields of a message together.

use super::Level;
use super::fields::{Reader, Writer};
use super::notes::Notes;
use super::shape::{Cardinality, FieldShape, MessageShape};
use std::collections::BTreeMap;

/// Of the fields of one oneof a reader keeps the last: what the writer can write together must not be one there.
/// "Changing a single explicit presence field or extension into a member of a new oneof is safe"; "moving
/// fields into an existing oneof is not safe."
pub(super) fn oneofs(
    sides: (Writer<'_>, Reader<'_>),
    shared: &[(&FieldShape, &FieldShape)],
    place: &str,
    notes: &mut Notes,
) {
    let mut groups: BTreeMap<u32, Vec<&FieldShape>> = BTreeMap::new();
    for (written, read) in shared.iter().filter(|(_, read)| read.oneof != 0) {
        groups.entry(read.oneof).or_default().push(written);
    }
    for group in groups.values() {
        let Some((first, others)) = group.split_first() else {
            continue;
        };
        let apart = others
            .iter()
            .find(|field| field.oneof == 0 || field.oneof != first.oneof);
        if let Some(other) = apart {
            let (writer, reader) = (sides.0.1, sides.1.1);
            let problem = format!(
                "the {writer} may write it together with {}, of which the {reader} keeps one",
                first.name
            );
            notes.add(place, other, Level::Unsafe, problem);
        }
    }
}

/// A reader that requires a field refuses every message without it.
pub(super) fn required(
    writer: (Writer<'_>, &MessageShape),
    reader: (Reader<'_>, &MessageShape),
    place: &str,
    notes: &mut Notes,
) {
    let is_required = |field: &&FieldShape| field.cardinality() == Cardinality::Required;
    for read in reader.1.fields.iter().filter(is_required) {
        let written = (writer.1.fields.iter())
            .filter(is_required)
            .any(|written| written.number == read.number);
        if !written {
            let (writer, reader) = (writer.0.1, reader.0.1);
            let problem = format!("the {reader} requires it, the {writer} may leave it out");
            notes.add(place, read, Level::Unsafe, problem);
        }
    }
}
