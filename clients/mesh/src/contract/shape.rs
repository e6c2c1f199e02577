//! What the messages of methods look like on the wire: the messages of `cleave.mesh.v1.Shape`.
//!
//! Written by hand, because the contracts are built upon this crate and not the other way round; a test of the
//! contracts holds the two against each other. Their build script includes this file as well.

use std::collections::HashMap;

/// The methods of a contract, and the messages and enums that they reach.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Shape {
    /// The methods.
    #[prost(message, repeated, tag = "1")]
    pub methods: Vec<MethodShape>,
    /// The messages that they reach.
    #[prost(message, repeated, tag = "2")]
    pub messages: Vec<MessageShape>,
    /// The enums that they reach.
    #[prost(message, repeated, tag = "3")]
    pub enums: Vec<EnumShape>,
}

/// A method.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MethodShape {
    /// The gRPC path, `/package.Service/Method`.
    #[prost(string, tag = "1")]
    pub path: String,
    /// Its request, as an index into the messages.
    #[prost(uint32, tag = "2")]
    pub request: u32,
    /// Its response, as an index into the messages.
    #[prost(uint32, tag = "3")]
    pub response: u32,
    /// The request is a stream of messages.
    #[prost(bool, tag = "4")]
    pub client_streaming: bool,
    /// The response is a stream of messages.
    #[prost(bool, tag = "5")]
    pub server_streaming: bool,
}

/// A message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MessageShape {
    /// Its full name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its fields, in the order of their numbers.
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<FieldShape>,
}

/// A field of a message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FieldShape {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its type.
    #[prost(enumeration = "Kind", tag = "3")]
    pub kind: i32,
    /// How many values it has, and how several are written.
    #[prost(enumeration = "Cardinality", tag = "4")]
    pub cardinality: i32,
    /// Of which type, as an index into the messages or the enums; zero for all other types.
    #[prost(uint32, tag = "5")]
    pub type_index: u32,
    /// The smallest number of a field in the same oneof; zero outside any.
    #[prost(uint32, tag = "6")]
    pub oneof: u32,
}

/// An enum.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnumShape {
    /// Its full name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Values that it does not know are not kept in the field.
    #[prost(bool, tag = "2")]
    pub closed: bool,
    /// Its values, in the order of their numbers and names.
    #[prost(message, repeated, tag = "3")]
    pub values: Vec<EnumValueShape>,
}

/// A value of an enum.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnumValueShape {
    /// Its number.
    #[prost(int32, tag = "1")]
    pub number: i32,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// The type of a field, numbered as in `google.protobuf.FieldDescriptorProto.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// None that is known here.
    Unspecified = 0,
    /// A double.
    Double = 1,
    /// A float.
    Float = 2,
    /// An int64.
    Int64 = 3,
    /// A uint64.
    Uint64 = 4,
    /// An int32.
    Int32 = 5,
    /// A fixed64.
    Fixed64 = 6,
    /// A fixed32.
    Fixed32 = 7,
    /// A bool.
    Bool = 8,
    /// A string.
    String = 9,
    /// A message between two tags instead of behind its length; only in proto2.
    Group = 10,
    /// A message; maps are repeated messages of a key and a value.
    Message = 11,
    /// Bytes.
    Bytes = 12,
    /// A uint32.
    Uint32 = 13,
    /// An enum.
    Enum = 14,
    /// A sfixed32.
    Sfixed32 = 15,
    /// A sfixed64.
    Sfixed64 = 16,
    /// A sint32.
    Sint32 = 17,
    /// A sint64.
    Sint64 = 18,
}

/// How many values a field has, and how several are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Cardinality {
    /// Not stated.
    Unspecified = 0,
    /// One, or none.
    Singular = 1,
    /// Exactly one; only in proto2.
    Required = 2,
    /// Any number, each written apart.
    Repeated = 3,
    /// Any number, all written together.
    Packed = 4,
}

impl Shape {
    /// The part that these methods reach, numbered in the order in which it is reached. `None` when an index
    /// leads nowhere.
    #[must_use]
    pub fn extract<'a>(&'a self, methods: impl Iterator<Item = &'a MethodShape>) -> Option<Self> {
        let mut part = Extract {
            whole: self,
            part: Self::default(),
            messages: HashMap::new(),
            enums: HashMap::new(),
            open: Vec::new(),
        };
        for method in methods {
            let mut method = method.clone();
            method.request = part.message(method.request)?;
            method.response = part.message(method.response)?;
            part.part.methods.push(method);
        }
        part.finish()
    }
}

/// A part in the making.
struct Extract<'a> {
    whole: &'a Shape,
    part: Shape,
    /// The new index of each message that was reached.
    messages: HashMap<u32, u32>,
    /// The new index of each enum that was reached.
    enums: HashMap<u32, u32>,
    /// The new indices of messages whose fields still bear the old ones.
    open: Vec<usize>,
}

impl Extract<'_> {
    /// The new index of a message, which is now reached.
    fn message(&mut self, old: u32) -> Option<u32> {
        if let Some(new) = self.messages.get(&old) {
            return Some(*new);
        }
        let message = self.whole.messages.get(usize::try_from(old).ok()?)?;
        let new = self.part.messages.len();
        self.part.messages.push(message.clone());
        self.open.push(new);
        let new = u32::try_from(new).ok()?;
        self.messages.insert(old, new);
        Some(new)
    }

    /// The new index of an enum, which is now reached.
    fn enumeration(&mut self, old: u32) -> Option<u32> {
        if let Some(new) = self.enums.get(&old) {
            return Some(*new);
        }
        let enumeration = self.whole.enums.get(usize::try_from(old).ok()?)?;
        let new = u32::try_from(self.part.enums.len()).ok()?;
        self.part.enums.push(enumeration.clone());
        self.enums.insert(old, new);
        Some(new)
    }

    /// Follows the fields of what was reached until nothing new is.
    fn finish(mut self) -> Option<Shape> {
        while let Some(index) = self.open.pop() {
            let mut fields = std::mem::take(&mut self.part.messages.get_mut(index)?.fields);
            for field in &mut fields {
                field.type_index = match field.kind() {
                    Kind::Message | Kind::Group => self.message(field.type_index)?,
                    Kind::Enum => self.enumeration(field.type_index)?,
                    _ => 0,
                };
            }
            self.part.messages.get_mut(index)?.fields = fields;
        }
        Some(self.part)
    }
}
