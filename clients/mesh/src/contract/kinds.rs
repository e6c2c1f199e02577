//! Which type of a field may be read as which: protobuf's rules for updating a message type.
//!
//! The rules are those of <https://protobuf.dev/programming-guides/proto3/#updating>, where "wire-safe" is
//! [`Level::Safe`], "wire-compatible (conditionally safe)" is [`Level::Conditional`] and "wire-unsafe" is
//! [`Level::Unsafe`]. They are applied in the direction in which the data goes: a reader of 64 bits loses nothing
//! of what a writer of 32 bits says.

use super::Level;
use super::shape::Kind;

/// Whether what a writer of one type writes can be read as another. Enums and messages of different
/// definitions are taken to be alike here.
pub(super) fn read_as(writer: Kind, reader: Kind) -> Level {
    use Kind::{
        Bool, Bytes, Enum, Fixed32, Fixed64, Int32, Int64, Message, Sfixed32, Sfixed64, Sint32,
        Sint64, String, Uint32, Uint64,
    };
    if writer == reader {
        return Level::Same;
    }
    match (writer, reader) {
        // A type that is newer than this code is not judged.
        (Kind::Unspecified, _) | (_, Kind::Unspecified) => Level::Conditional,
        // "int32, uint32, int64, uint64, and bool are all compatible", as if cast in C++: nothing is lost on
        // the way to a type that has every value of the other. "enum is compatible with int32, uint32, int64,
        // and uint64", and has the values of an int32.
        (Bool, Int32 | Uint32 | Int64 | Uint64)
        | (Uint32, Int64 | Uint64)
        | (Int32, Int64 | Enum)
        | (Enum, Int32 | Int64) => Level::Safe,
        (Int32 | Uint32 | Int64 | Uint64, Int32 | Uint32 | Int64 | Uint64 | Bool | Enum)
        | (Enum, Uint32 | Uint64 | Bool)
        | (Bool, Enum) => Level::Conditional,
        // "sint32 and sint64 are compatible with each other but are not compatible with the other integer
        // types."
        (Sint32, Sint64) => Level::Safe,
        (Sint64, Sint32) => Level::Conditional,
        // "string and bytes are compatible as long as the bytes are valid UTF-8."
        (String, Bytes) => Level::Safe,
        (Bytes, String) => Level::Conditional,
        // "Embedded messages are compatible with bytes if the bytes contain an encoded instance of the
        // message."
        (Message, Bytes) => Level::Safe,
        (Bytes, Message) => Level::Conditional,
        // "fixed32 is compatible with sfixed32, and fixed64 with sfixed64."
        (Fixed32, Sfixed32) | (Sfixed32, Fixed32) | (Fixed64, Sfixed64) | (Sfixed64, Fixed64) => {
            Level::Conditional
        }
        _ => Level::Unsafe,
    }
}

/// Whether values of the type are written packed when there are several: numbers, bools and enums.
pub(super) const fn is_packable(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::String | Kind::Bytes | Kind::Message | Kind::Group | Kind::Unspecified
    )
}

/// The type's name in protobuf.
pub(super) const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "of no type",
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int64 => "int64",
        Kind::Uint64 => "uint64",
        Kind::Int32 => "int32",
        Kind::Fixed64 => "fixed64",
        Kind::Fixed32 => "fixed32",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Group => "group",
        Kind::Message => "message",
        Kind::Bytes => "bytes",
        Kind::Uint32 => "uint32",
        Kind::Enum => "enum",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
    }
}
