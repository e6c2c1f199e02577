//! What the messages of every method look like on the wire, out of compiled contracts.

use prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

#[path = "../../clients/mesh/src/contract/shape.rs"]
mod words;

use words::{EnumShape, EnumValueShape, FieldShape, MessageShape, MethodShape};

pub use words::Shape;

/// The shape of every method in `pool`, sorted by path.
pub fn read(pool: &DescriptorPool) -> Shape {
    let mut reading = Reading::default();
    let methods = pool.services().flat_map(|service| {
        let methods = service.methods().collect::<Vec<_>>();
        methods.into_iter()
    });
    for method in methods {
        let service = method.parent_service().full_name().to_owned();
        let method = MethodShape {
            path: format!("/{service}/{}", method.name()),
            request: reading.message(&method.input()),
            response: reading.message(&method.output()),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
        };
        reading.shape.methods.push(method);
    }
    let mut shape = reading.shape;
    shape.methods.sort_by(|a, b| a.path.cmp(&b.path));
    shape
}

/// The fingerprint of each method, by path: a hash of all that it reaches, in the order in which it is reached.
/// The names of types do not count, nor does where they are declared. No fingerprint is zero.
pub fn fingerprints(shape: &Shape) -> BTreeMap<String, u64> {
    let of = |method: &MethodShape| {
        let mut part = shape
            .extract(std::iter::once(method))
            .expect("what was read from descriptors is whole");
        for method in &mut part.methods {
            method.path.clear();
        }
        for message in &mut part.messages {
            message.name.clear();
        }
        for enumeration in &mut part.enums {
            enumeration.name.clear();
        }
        first_bytes(&Sha256::digest(part.encode_to_vec()))
    };
    let methods = shape.methods.iter();
    methods
        .map(|method| (method.path.clone(), of(method)))
        .collect()
}

/// The fingerprint of the contracts as a whole: of every method by its path. Never zero.
pub fn whole(fingerprints: &BTreeMap<String, u64>) -> u64 {
    let mut hash = Sha256::new();
    for (path, fingerprint) in fingerprints {
        hash.update(path.as_bytes());
        // No path contains it, so that no two tables are hashed alike.
        hash.update([0]);
        hash.update(fingerprint.to_le_bytes());
    }
    first_bytes(&hash.finalize())
}

/// The beginning of a digest, never zero, which stands for none.
fn first_bytes(digest: &[u8]) -> u64 {
    let first: [u8; 8] = std::array::from_fn(|index| digest[index]);
    u64::from_le_bytes(first).max(1)
}

/// A shape in the making.
#[derive(Default)]
struct Reading {
    shape: Shape,
    /// The index of each message, by full name.
    messages: HashMap<String, u32>,
    /// The index of each enum, by full name.
    enums: HashMap<String, u32>,
}

impl Reading {
    fn message(&mut self, message: &MessageDescriptor) -> u32 {
        if let Some(index) = self.messages.get(message.full_name()) {
            return *index;
        }
        let place = self.shape.messages.len();
        let index = u32::try_from(place).expect("few messages");
        self.messages.insert(message.full_name().to_owned(), index);
        self.shape.messages.push(MessageShape {
            name: message.full_name().to_owned(),
            fields: Vec::new(),
        });
        // `fields` goes through them in the order of their numbers.
        let fields = message.fields().map(|field| self.field(&field)).collect();
        self.shape.messages[place].fields = fields;
        index
    }

    fn field(&mut self, field: &FieldDescriptor) -> FieldShape {
        let type_index = match field.kind() {
            Kind::Message(message) => self.message(&message),
            Kind::Enum(enumeration) => self.enumeration(&enumeration),
            _ => 0,
        };
        FieldShape {
            number: field.number(),
            name: field.name().to_owned(),
            kind: kind(field).into(),
            cardinality: cardinality(field).into(),
            type_index,
            oneof: oneof(field),
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) -> u32 {
        if let Some(index) = self.enums.get(enumeration.full_name()) {
            return *index;
        }
        let index = u32::try_from(self.shape.enums.len()).expect("few enums");
        self.enums.insert(enumeration.full_name().to_owned(), index);
        let mut values: Vec<_> = enumeration
            .values()
            .map(|value| EnumValueShape {
                number: value.number(),
                name: value.name().to_owned(),
            })
            .collect();
        values.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
        self.shape.enums.push(EnumShape {
            name: enumeration.full_name().to_owned(),
            closed: enumeration.parent_file().syntax() == Syntax::Proto2,
            values,
        });
        index
    }
}

fn kind(field: &FieldDescriptor) -> words::Kind {
    match field.kind() {
        Kind::Double => words::Kind::Double,
        Kind::Float => words::Kind::Float,
        Kind::Int32 => words::Kind::Int32,
        Kind::Int64 => words::Kind::Int64,
        Kind::Uint32 => words::Kind::Uint32,
        Kind::Uint64 => words::Kind::Uint64,
        Kind::Sint32 => words::Kind::Sint32,
        Kind::Sint64 => words::Kind::Sint64,
        Kind::Fixed32 => words::Kind::Fixed32,
        Kind::Fixed64 => words::Kind::Fixed64,
        Kind::Sfixed32 => words::Kind::Sfixed32,
        Kind::Sfixed64 => words::Kind::Sfixed64,
        Kind::Bool => words::Kind::Bool,
        Kind::String => words::Kind::String,
        Kind::Bytes => words::Kind::Bytes,
        Kind::Enum(_) => words::Kind::Enum,
        Kind::Message(_) if field.is_group() => words::Kind::Group,
        Kind::Message(_) => words::Kind::Message,
    }
}

fn cardinality(field: &FieldDescriptor) -> words::Cardinality {
    match field.cardinality() {
        Cardinality::Repeated if field.is_packed() => words::Cardinality::Packed,
        Cardinality::Repeated => words::Cardinality::Repeated,
        Cardinality::Required => words::Cardinality::Required,
        Cardinality::Optional => words::Cardinality::Singular,
    }
}

/// The smallest number in the field's oneof. One that only stands for `optional` is none.
fn oneof(field: &FieldDescriptor) -> u32 {
    let oneof = field
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic());
    let numbers = oneof.and_then(|oneof| oneof.fields().map(|field| field.number()).min());
    numbers.unwrap_or_default()
}
