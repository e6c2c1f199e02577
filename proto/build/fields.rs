//! Reads fields of messages by their names.

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

/// An option that the contracts themselves define.
pub fn option(
    options: &DynamicMessage,
    pool: &DescriptorPool,
    name: &str,
) -> Option<DynamicMessage> {
    let extension = pool
        .get_extension_by_name(name)
        .filter(|extension| options.has_extension(extension))?;
    options.get_extension(&extension).as_message().cloned()
}

/// The message in a field, when it is set.
pub fn message(parent: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    if !parent.has_field_by_name(field) {
        return None;
    }
    parent.get_field_by_name(field)?.as_message().cloned()
}

/// The number in a field, zero when it is not set.
pub fn number(parent: &DynamicMessage, field: &str) -> i32 {
    parent
        .get_field_by_name(field)
        .and_then(|value| value.as_i32())
        .unwrap_or_default()
}

/// The values of a repeated field.
pub fn list(parent: &DynamicMessage, field: &str) -> impl Iterator<Item = Value> + use<> {
    let value = parent
        .get_field_by_name(field)
        .map(|value| value.into_owned());
    match value {
        Some(Value::List(values)) => values.into_iter(),
        _ => Vec::new().into_iter(),
    }
}

/// The name of the value of an enum's field.
pub fn enum_name(parent: &DynamicMessage, field: &str) -> Option<String> {
    value_name(parent, field, &*parent.get_field_by_name(field)?)
}

/// The name of a value that a field of an enum holds.
pub fn value_name(parent: &DynamicMessage, field: &str, value: &Value) -> Option<String> {
    let kind = parent.descriptor().get_field_by_name(field)?.kind();
    let value = kind.as_enum()?.get_value(value.as_enum_number()?)?;
    Some(value.name().to_owned())
}
