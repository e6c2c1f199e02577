//! The columns of a bulk statement and the values they take.

use sea_orm::Value;
use sea_orm::sea_query::ArrayType;
use uuid::Uuid;

/// A column by name and kind.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

/// What a column holds. These are all there are: see the head of [`schema`](crate::schema).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `i16`.
    SmallInt,
    /// `i32`.
    Integer,
    /// `i64`.
    BigInt,
    /// `bool`.
    Bool,
    /// `Uuid`.
    Uuid,
    /// `String`.
    Text,
    /// `Vec<u8>`.
    Bytes,
}

impl Column {
    /// A column of `i16`.
    pub const fn small_int(name: &'static str) -> Self {
        Self::of(name, Kind::SmallInt)
    }

    /// A column of `i32`.
    pub const fn integer(name: &'static str) -> Self {
        Self::of(name, Kind::Integer)
    }

    /// A column of `i64`.
    pub const fn big_int(name: &'static str) -> Self {
        Self::of(name, Kind::BigInt)
    }

    /// A column of `bool`.
    pub const fn bool(name: &'static str) -> Self {
        Self::of(name, Kind::Bool)
    }

    /// A column of `Uuid`.
    pub const fn uuid(name: &'static str) -> Self {
        Self::of(name, Kind::Uuid)
    }

    /// A column of `String`.
    pub const fn text(name: &'static str) -> Self {
        Self::of(name, Kind::Text)
    }

    /// A column of `Vec<u8>`.
    pub const fn bytes(name: &'static str) -> Self {
        Self::of(name, Kind::Bytes)
    }

    /// The same column, in which `None` may stand.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self {
            nullable: true,
            ..self
        }
    }

    const fn of(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            nullable: false,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether `value` is null; `None` when it does not belong in this column.
    pub(super) fn takes(&self, value: &Value) -> Option<bool> {
        let is_null = match (self.kind, value) {
            (Kind::SmallInt, Value::SmallInt(value)) => value.is_none(),
            (Kind::Integer, Value::Int(value)) => value.is_none(),
            (Kind::BigInt, Value::BigInt(value)) => value.is_none(),
            (Kind::Bool, Value::Bool(value)) => value.is_none(),
            (Kind::Uuid, Value::Uuid(value)) => value.is_none(),
            (Kind::Text, Value::String(value)) => value.is_none(),
            (Kind::Bytes, Value::Bytes(value)) => value.is_none(),
            _ => return None,
        };
        (self.nullable || !is_null).then_some(is_null)
    }

    /// What stands for null within an array.
    pub(super) fn filler(&self) -> Value {
        match self.kind {
            Kind::SmallInt => 0_i16.into(),
            Kind::Integer => 0_i32.into(),
            Kind::BigInt => 0_i64.into(),
            Kind::Bool => false.into(),
            Kind::Uuid => Uuid::nil().into(),
            Kind::Text => String::new().into(),
            Kind::Bytes => Vec::<u8>::new().into(),
        }
    }

    pub(super) fn array(&self, values: Vec<Value>) -> Value {
        self.kind.array(values)
    }
}

impl Kind {
    pub(super) fn array(self, values: Vec<Value>) -> Value {
        let element = match self {
            Self::SmallInt => ArrayType::SmallInt,
            Self::Integer => ArrayType::Int,
            Self::BigInt => ArrayType::BigInt,
            Self::Bool => ArrayType::Bool,
            Self::Uuid => ArrayType::Uuid,
            Self::Text => ArrayType::String,
            Self::Bytes => ArrayType::Bytes,
        };
        Value::Array(element, Some(Box::new(values)))
    }

    /// PostgreSQL's name for an array of it.
    pub(super) const fn array_type(self) -> &'static str {
        match self {
            Self::SmallInt => "smallint[]",
            Self::Integer => "integer[]",
            Self::BigInt => "bigint[]",
            Self::Bool => "boolean[]",
            Self::Uuid => "uuid[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }
}
