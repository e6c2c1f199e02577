//! Writes messages of harmless values as one contract says, reads them as another says, and looks whether
//! anything came out wrong: what the rules are held against.

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use std::collections::HashMap;

/// Bytes that are a text, and a message whose first field is one, too.
const TEXT_AND_MESSAGE: &[u8] = b"\x0a\x02ok";
/// How deep messages are filled.
const DEPTH: usize = 3;

/// Whether some message of harmless values is not read as it was written.
pub fn misread(writer: &MessageDescriptor, reader: &MessageDescriptor) -> bool {
    samples(writer, DEPTH).iter().any(|written| {
        let read = DynamicMessage::decode(reader.clone(), written.encode_to_vec().as_slice());
        read.map_or(true, |read| !is_alike(written, &read))
    })
}

/// Messages of which each has every field, but of each oneof another one.
fn samples(message: &MessageDescriptor, depth: usize) -> Vec<DynamicMessage> {
    let choices = (message.oneofs()).map(|oneof| oneof.fields().len()).max();
    // Enums have as many values worth a try.
    (0..choices.unwrap_or(1).max(3))
        .map(|choice| sample(message, choice, depth, ""))
        .collect()
}

fn sample(message: &MessageDescriptor, choice: usize, depth: usize, place: &str) -> DynamicMessage {
    let mut sample = DynamicMessage::new(message.clone());
    let chosen = |field: &FieldDescriptor| match field.containing_oneof() {
        None => true,
        Some(oneof) => {
            let nth = choice % oneof.fields().len();
            oneof.fields().nth(nth).is_some_and(|one| one == *field)
        }
    };
    for field in message.fields().filter(chosen) {
        let Some(value) = value(&field, choice, depth, place) else {
            continue;
        };
        let value = if field.is_map() {
            entry(&field, value)
        } else if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        };
        sample.set_field(&field, value);
    }
    sample
}

/// One value of a field: one that every compatible type has. Texts differ from field to field.
fn value(field: &FieldDescriptor, choice: usize, depth: usize, place: &str) -> Option<Value> {
    let place = format!("{place}.{}", field.name());
    Some(match field.kind() {
        Kind::Double => Value::F64(1.0),
        Kind::Float => Value::F32(1.0),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(1),
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String(place),
        Kind::Bytes => Value::Bytes(TEXT_AND_MESSAGE.into()),
        Kind::Enum(values) => {
            let value = values.values().nth(choice % values.values().len())?;
            Value::EnumNumber(value.number())
        }
        Kind::Message(_) if depth == 0 => return None,
        Kind::Message(message) => Value::Message(sample(&message, choice, depth - 1, &place)),
    })
}

fn entry(field: &FieldDescriptor, value: Value) -> Value {
    let Value::Message(entry) = value else {
        panic!("the entries of {} are messages", field.name());
    };
    let key = match &*entry.get_field_by_number(1).expect("a key") {
        Value::String(key) => MapKey::String(key.clone()),
        Value::I64(key) => MapKey::I64(*key),
        other => panic!("no key of this test is {other:?}"),
    };
    let value = entry.get_field_by_number(2).expect("a value").into_owned();
    Value::Map(HashMap::from([(key, value)]))
}

/// Whether every field of `written` is in `read` under its name, or under its number when the reader does not
/// have the name; what it has under neither it may ignore.
fn is_alike(written: &DynamicMessage, read: &DynamicMessage) -> bool {
    written.fields().all(|(field, value)| {
        let known = read.descriptor();
        let by_name = known.get_field_by_name(field.name());
        let Some(other) = by_name.or_else(|| known.get_field(field.number())) else {
            return true;
        };
        let got = read.get_field(&other);
        let (value, got) = (elements(&field, value), elements(&other, &got));
        value.len() == got.len()
            && value
                .iter()
                .zip(&got)
                .all(|(value, got)| is_same((&field.kind(), value), (&other.kind(), got)))
    })
}

/// The values of a field: one, those of a list, or the entries of a map as messages.
fn elements(field: &FieldDescriptor, value: &Value) -> Vec<Value> {
    match (value, field.kind()) {
        (Value::List(values), _) => values.clone(),
        (Value::Map(entries), Kind::Message(entry)) => (entries.iter())
            .map(|(key, value)| {
                let mut message = DynamicMessage::new(entry.clone());
                message.set_field_by_number(1, Value::from(key.clone()));
                message.set_field_by_number(2, value.clone());
                Value::Message(message)
            })
            .collect(),
        (value, _) => vec![value.clone()],
    }
}

fn is_same((kind, written): (&Kind, &Value), (other, read): (&Kind, &Value)) -> bool {
    match (written, read) {
        (Value::Message(written), Value::Message(read)) => is_alike(written, read),
        (Value::Message(written), Value::Bytes(read)) => written.encode_to_vec() == *read,
        (Value::Bytes(written), Value::Message(read)) => *written == read.encode_to_vec(),
        (Value::EnumNumber(number), Value::EnumNumber(got)) => {
            let (Kind::Enum(values), Kind::Enum(known)) = (kind, other) else {
                return false;
            };
            let value = values.get_value(*number).expect("a value that was chosen");
            let expected = known.get_value_by_name(value.name());
            expected.map_or(*number, |value| value.number()) == *got
        }
        _ => match (number(written), number(read)) {
            (Some(written), Some(read)) => written.to_bits() == read.to_bits(),
            (None, None) => text(written).is_some_and(|text_| text(read) == Some(text_)),
            _ => false,
        },
    }
}

fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::I32(value) | Value::EnumNumber(value) => f64::from(*value),
        Value::U32(value) => f64::from(*value),
        Value::I64(value) => f64::from(i32::try_from(*value).ok()?),
        Value::U64(value) => f64::from(u32::try_from(*value).ok()?),
        Value::F32(value) => f64::from(*value),
        Value::F64(value) => *value,
        _ => return None,
    })
}

fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::String(text) => Some(text.as_bytes()),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
