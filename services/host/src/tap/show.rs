//! Messages as people may see them: by the descriptors of the contracts, without the values of fields that are
//! marked `debug_redact`, and without anything that the contracts do not know.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, MethodDescriptor,
    ReflectMessage, Value as Field,
};
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::sync::OnceLock;

use super::recording::KEPT_BYTES;

/// What stands for a value that is not shown.
pub(super) const REDACTED: &str = "[redacted]";
/// What stands for what there was no room for.
const CUT: &str = "[cut]";
/// Messages shown of one direction.
const MESSAGES: usize = 16;
/// Elements shown of a list or a map.
const ELEMENTS: usize = 32;
/// Characters shown of a text, and bytes of bytes.
const CHARACTERS: usize = 512;
/// Messages within messages.
const DEPTH: usize = 24;
/// The number of `debug_redact` in `google.protobuf.FieldOptions`, for descriptors that do not know its name.
const DEBUG_REDACT: u32 = 16;
/// A flag and a length go before each message.
const PREFIX: usize = 5;

/// What the messages mean; read when somebody watches for the first time.
#[derive(Debug)]
pub(crate) struct Contracts {
    sets: Vec<&'static [u8]>,
    pool: OnceLock<DescriptorPool>,
}

impl Contracts {
    /// By encoded descriptor sets.
    pub(crate) const fn new(sets: Vec<&'static [u8]>) -> Self {
        Self {
            sets,
            pool: OnceLock::new(),
        }
    }

    fn pool(&self) -> &DescriptorPool {
        self.pool.get_or_init(|| {
            let mut pool = DescriptorPool::new();
            for set in &self.sets {
                if let Err(error) = pool.decode_file_descriptor_set(*set) {
                    tracing::warn!(%error, "the tap cannot read a descriptor set");
                }
            }
            pool
        })
    }

    /// The method of a path.
    pub(super) fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool().get_service_by_name(service)?;
        service.methods().find(|found| found.name() == method)
    }

    /// The messages at the beginning of one direction of a call.
    pub(super) fn messages(&self, kind: Option<MessageDescriptor>, kept: &[u8]) -> Vec<Value> {
        let mut rest = kept;
        let mut shown = Vec::new();
        while let Some((prefix, after)) = rest.split_first_chunk::<PREFIX>() {
            let [compressed, a, b, c, d] = *prefix;
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if shown.len() == MESSAGES || length > after.len() {
                shown.push(json!({ CUT: { "bytes": length } }));
                break;
            }
            let (message, next) = after.split_at(length);
            rest = next;
            shown.push(match &kind {
                Some(kind) => decode(kind, compressed != 0, message),
                None => json!({ "unknown": { "bytes": length } }),
            });
        }
        shown
    }
}

fn decode(kind: &MessageDescriptor, compressed: bool, message: &[u8]) -> Value {
    let unreadable = || json!({ "unreadable": { "bytes": message.len() } });
    let decoded = if compressed {
        let mut plain = Vec::new();
        let limit = u64::try_from(KEPT_BYTES).unwrap_or(u64::MAX);
        let read = GzDecoder::new(message)
            .take(limit + 1)
            .read_to_end(&mut plain);
        match read {
            Err(_) => return unreadable(),
            // Small on the wire, and who knows how large in truth.
            Ok(length) if length > KEPT_BYTES => {
                return json!({ CUT: { "compressed_bytes": message.len() } });
            }
            Ok(_) => DynamicMessage::decode(kind.clone(), plain.as_slice()),
        }
    } else {
        DynamicMessage::decode(kind.clone(), message)
    };
    decoded.map_or_else(|_| unreadable(), |message| show_message(&message, 0))
}

/// A message as JSON. Unknown fields and extensions are left out.
pub(super) fn show_message(message: &DynamicMessage, depth: usize) -> Value {
    let kind = message.descriptor();
    if depth == DEPTH {
        return Value::from(CUT);
    }
    match kind.full_name() {
        // What is inside may be of any contract, whose marks are not known here.
        "google.protobuf.Any" => return Value::from(REDACTED),
        name if name.starts_with("google.protobuf.") && is_plain(name) => {
            return serde_json::to_value(message).unwrap_or_else(|_| Value::from(CUT));
        }
        _ => {}
    }
    let mut shown = Map::new();
    for (field, value) in message.fields() {
        let value = if is_redacted(&field) {
            Value::from(REDACTED)
        } else {
            show(&field, value, depth + 1)
        };
        shown.insert(field.name().to_owned(), value);
    }
    Value::Object(shown)
}

/// Types whose JSON is their value and that hold nothing which a contract could mark.
fn is_plain(name: &str) -> bool {
    matches!(
        name.trim_start_matches("google.protobuf."),
        "Timestamp" | "Duration" | "FieldMask" | "Empty"
    )
}

/// Whether the contract marks a field as not to be shown.
pub(super) fn is_redacted(field: &FieldDescriptor) -> bool {
    let options = field.options();
    match options.descriptor().get_field(DEBUG_REDACT) {
        Some(mark) => options.get_field(&mark).as_bool() == Some(true),
        None => options
            .unknown_fields()
            .any(|unknown| unknown.number() == DEBUG_REDACT),
    }
}

fn show(field: &FieldDescriptor, value: &Field, depth: usize) -> Value {
    match value {
        Field::List(list) => {
            let shown = list.iter().take(ELEMENTS);
            let mut shown: Vec<_> = shown.map(|value| one(field, value, depth)).collect();
            if list.len() > ELEMENTS {
                shown.push(json!({ CUT: { "elements": list.len() - ELEMENTS } }));
            }
            Value::Array(shown)
        }
        Field::Map(map) => {
            let kind = field.kind();
            let entry = kind.as_message().map(|entry| entry.map_entry_value_field());
            let shown = map.iter().take(ELEMENTS).map(|(key, value)| {
                let value = match &entry {
                    Some(field) if !is_redacted(field) => one(field, value, depth),
                    _ => Value::from(REDACTED),
                };
                (show_key(key), value)
            });
            let mut shown: Map<String, Value> = shown.collect();
            if map.len() > ELEMENTS {
                shown.insert(CUT.to_owned(), json!({ "elements": map.len() - ELEMENTS }));
            }
            Value::Object(shown)
        }
        value => one(field, value, depth),
    }
}

/// One value. Integers of 64 bits are texts, as in protobuf's JSON.
fn one(field: &FieldDescriptor, value: &Field, depth: usize) -> Value {
    match value {
        Field::Bool(value) => json!(value),
        Field::I32(value) => json!(value),
        Field::U32(value) => json!(value),
        Field::I64(value) => json!(value.to_string()),
        Field::U64(value) => json!(value.to_string()),
        Field::F32(value) => json!(value),
        Field::F64(value) => json!(value),
        Field::String(value) => text(value),
        Field::Bytes(value) => {
            let shown = BASE64_STANDARD.encode(&value[..value.len().min(CHARACTERS)]);
            cut_if(value.len() > CHARACTERS, shown)
        }
        Field::EnumNumber(number) => {
            let kind = field.kind();
            let named = kind.as_enum().and_then(|kind| kind.get_value(*number));
            named.map_or_else(|| json!(number), |value| json!(value.name()))
        }
        Field::Message(message) => show_message(message, depth),
        // Neither stands within the other.
        Field::List(_) | Field::Map(_) => Value::from(CUT),
    }
}

fn show_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.chars().take(CHARACTERS).collect(),
    }
}

fn text(value: &str) -> Value {
    let shown: String = value.chars().take(CHARACTERS).collect();
    cut_if(shown.len() < value.len(), shown)
}

fn cut_if(cut: bool, mut shown: String) -> Value {
    if cut {
        shown.push_str(CUT);
    }
    Value::from(shown)
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
