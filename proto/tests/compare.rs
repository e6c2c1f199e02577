//! Compares two descriptor sets by what is on the wire and by name (binary and JSON readers both keep working),
//! and lists every break.
//!
//! Adding is free. Removing a field or an enum value is allowed when its number *and* its name stay reserved;
//! services, methods, messages and enums stay for the life of the package's version.

use std::fmt::Display;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};

/// Every way in which a peer that was built against `old` would misread or lose one built against `new`.
pub fn breaks(old: &DescriptorPool, new: &DescriptorPool) -> Vec<String> {
    let mut found = Breaks(Vec::new());
    for message in old
        .all_messages()
        .filter(|m| ours(m.package_name()) && !m.is_map_entry())
    {
        match new.get_message_by_name(message.full_name()) {
            Some(now) => found.message(&message, &now),
            None => found.add(format_args!("message {}", message.full_name()), "removed"),
        }
    }
    for enumeration in old.all_enums().filter(|e| ours(e.package_name())) {
        match new.get_enum_by_name(enumeration.full_name()) {
            Some(now) => found.enumeration(&enumeration, &now),
            None => found.add(format_args!("enum {}", enumeration.full_name()), "removed"),
        }
    }
    for service in old.services().filter(|s| ours(s.package_name())) {
        match new.get_service_by_name(service.full_name()) {
            Some(now) => found.service(&service, &now),
            None => found.add(format_args!("service {}", service.full_name()), "removed"),
        }
    }
    found.0
}

/// Whether a package is this project's to keep; Google's own are not.
fn ours(package: &str) -> bool {
    !package.starts_with("google.")
}

struct Breaks(Vec<String>);

impl Breaks {
    fn add(&mut self, element: impl Display, what: impl Display) {
        self.0.push(format!("{element}: {what}"));
    }

    /// Notes a change of `aspect`, when there is one.
    fn same<T: PartialEq + Display>(&mut self, element: &str, aspect: &str, was: T, is: T) {
        if was != is {
            self.add(element, format_args!("{aspect} changed from {was} to {is}"));
        }
    }

    fn message(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        for field in old.fields() {
            self.field(&field, new);
        }
        for field in new.fields() {
            let element = format!("field {}", field.full_name());
            let number = field.number();
            if old.reserved_ranges().any(|range| range.contains(&number)) {
                self.add(
                    &element,
                    format_args!("takes number {number}, which was reserved"),
                );
            }
            if old.reserved_names().any(|name| name == field.name()) {
                self.add(&element, "takes a name that was reserved");
            }
        }
    }

    fn field(&mut self, old: &FieldDescriptor, message: &MessageDescriptor) {
        let element = format!("field {}", old.full_name());
        let Some(new) = message.get_field(old.number()) else {
            self.missing_field(&element, old, message);
            return;
        };
        self.same(&element, "name", old.name(), new.name());
        if old.name() == new.name() {
            self.same(&element, "JSON name", old.json_name(), new.json_name());
        }
        self.same(&element, "type", type_name(old), type_name(&new));
        self.same(&element, "cardinality", cardinality(old), cardinality(&new));
        self.same(&element, "oneof", oneof(old), oneof(&new));
    }

    fn missing_field(&mut self, element: &str, old: &FieldDescriptor, message: &MessageDescriptor) {
        if let Some(moved) = message.get_field_by_name(old.name()) {
            self.same(element, "number", old.number(), moved.number());
            return;
        }
        let number = message
            .reserved_ranges()
            .any(|range| range.contains(&old.number()));
        let name = message.reserved_names().any(|name| name == old.name());
        if !(number && name) {
            self.add(element, "removed without reserving its number and its name");
        }
    }

    fn enumeration(&mut self, old: &EnumDescriptor, new: &EnumDescriptor) {
        for value in old.values() {
            let element = format!("enum value {}.{}", old.full_name(), value.name());
            let by_name = new.get_value_by_name(value.name());
            if let Some(moved) = by_name {
                self.same(&element, "number", value.number(), moved.number());
            } else if let Some(renamed) = new.get_value(value.number()) {
                self.same(&element, "name", value.name(), renamed.name());
            } else {
                let number = new
                    .reserved_ranges()
                    .any(|range| range.contains(&value.number()));
                let name = new.reserved_names().any(|name| name == value.name());
                if !(number && name) {
                    self.add(
                        &element,
                        "removed without reserving its number and its name",
                    );
                }
            }
        }
        for value in new.values() {
            let element = format!("enum value {}.{}", new.full_name(), value.name());
            let number = value.number();
            if old.reserved_ranges().any(|range| range.contains(&number)) {
                self.add(
                    &element,
                    format_args!("takes number {number}, which was reserved"),
                );
            }
            if old.reserved_names().any(|name| name == value.name()) {
                self.add(&element, "takes a name that was reserved");
            }
        }
    }

    fn service(&mut self, old: &ServiceDescriptor, new: &ServiceDescriptor) {
        for method in old.methods() {
            let element = format!("method {}", method.full_name());
            match new
                .methods()
                .find(|candidate| candidate.name() == method.name())
            {
                Some(now) => self.method(&element, &method, &now),
                None => self.add(&element, "removed"),
            }
        }
    }

    fn method(&mut self, element: &str, old: &MethodDescriptor, new: &MethodDescriptor) {
        self.same(
            element,
            "request",
            old.input().full_name(),
            new.input().full_name(),
        );
        self.same(
            element,
            "response",
            old.output().full_name(),
            new.output().full_name(),
        );
        self.same(element, "streaming", streaming(old), streaming(new));
        // A caller built before repeats a call on the strength of this promise.
        if idempotency(new) < idempotency(old) {
            self.add(
                element,
                "no longer promises the idempotency that callers rely on to repeat it",
            );
        }
    }
}

fn type_name(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            format!("map<{}, {}>", type_name(&key), type_name(&value))
        }
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(enumeration) => enumeration.full_name().to_owned(),
        scalar => format!("{scalar:?}"),
    }
}

fn cardinality(field: &FieldDescriptor) -> &'static str {
    // `optional` on a scalar tells absent from zero, and readers rely on it.
    let scalar = field.kind().as_message().is_none();
    match field.cardinality() {
        Cardinality::Repeated => "repeated",
        Cardinality::Required => "required",
        Cardinality::Optional if scalar && in_synthetic_oneof(field) => "optional",
        Cardinality::Optional => "singular",
    }
}

fn in_synthetic_oneof(field: &FieldDescriptor) -> bool {
    field
        .containing_oneof()
        .is_some_and(|oneof| oneof.is_synthetic())
}

fn oneof(field: &FieldDescriptor) -> String {
    match field.containing_oneof() {
        Some(oneof) if !oneof.is_synthetic() => oneof.name().to_owned(),
        _ => "none".to_owned(),
    }
}

fn streaming(method: &MethodDescriptor) -> &'static str {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "unary",
        (true, false) => "client stream",
        (false, true) => "server stream",
        (true, true) => "both ways",
    }
}

/// The promise of a method as a rank: none, IDEMPOTENT, NO_SIDE_EFFECTS.
fn idempotency(method: &MethodDescriptor) -> u8 {
    use prost_reflect::prost_types::method_options::IdempotencyLevel;
    let options = method.method_descriptor_proto().options.as_ref();
    match options.map_or(IdempotencyLevel::IdempotencyUnknown, |options| {
        options.idempotency_level()
    }) {
        IdempotencyLevel::IdempotencyUnknown => 0,
        IdempotencyLevel::Idempotent => 1,
        IdempotencyLevel::NoSideEffects => 2,
    }
}
