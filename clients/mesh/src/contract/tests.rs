//! Descriptions that make no sense, of which no peer may make us suffer.

use super::messages::{GetContractResponse, MethodContract, ServiceContract};
use super::shape::{EnumShape, EnumValueShape, FieldShape, MessageShape, MethodShape, Shape};
use super::{Level, Outline, Prospect, Side, compare};
use crate::policy::{MethodPolicy, PolicyTable};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use std::collections::HashSet;

fn name() -> impl Strategy<Value = String> {
    "[a-c]"
}

fn field() -> impl Strategy<Value = FieldShape> {
    (0..5_u32, name(), -1..20_i32, -1..6_i32, 0..5_u32, 0..4_u32).prop_map(
        |(number, name, kind, cardinality, type_index, oneof)| FieldShape {
            number,
            name,
            kind,
            cardinality,
            type_index,
            oneof,
        },
    )
}

fn message() -> impl Strategy<Value = MessageShape> {
    (name(), vec(field(), 0..6)).prop_map(|(name, fields)| MessageShape { name, fields })
}

fn enumeration() -> impl Strategy<Value = EnumShape> {
    let value = (-1..3_i32, name()).prop_map(|(number, name)| EnumValueShape { number, name });
    (name(), any::<bool>(), vec(value, 0..4)).prop_map(|(name, closed, values)| EnumShape {
        name,
        closed,
        values,
    })
}

fn method() -> impl Strategy<Value = MethodShape> {
    (0..5_u32, 0..5_u32, any::<bool>(), any::<bool>()).prop_map(
        |(request, response, client_streaming, server_streaming)| MethodShape {
            path: "/test.Script/Call".to_owned(),
            request,
            response,
            client_streaming,
            server_streaming,
        },
    )
}

/// Shapes that may or may not make sense.
fn shape() -> impl Strategy<Value = Shape> {
    let (messages, enums) = (vec(message(), 0..5), vec(enumeration(), 0..3));
    (vec(method(), 1..2), messages, enums).prop_map(|(methods, messages, enums)| Shape {
        methods,
        messages,
        enums,
    })
}

fn side(shape: &Shape) -> Side<'_> {
    let method = &shape.methods[0];
    Side { shape, method }
}

proptest! {
    #[test]
    fn any_two_shapes_are_compared_or_found_to_make_no_sense(ours in shape(), theirs in shape()) {
        let _ = compare(side(&ours), side(&theirs));
    }

    #[test]
    fn whatever_makes_sense_agrees_with_itself(shape in shape()) {
        if let Some(part) = shape.extract(shape.methods.iter()) {
            let Ok(found) = compare(side(&part), side(&part)) else {
                prop_assert!(has_a_number_twice(&part));
                return Ok(());
            };
            // Without two fields of one name, that is.
            let mut unique = part.messages.iter().all(|message| {
                let names: HashSet<_> =
                    message.fields.iter().map(|field| &field.name).collect();
                names.len() == message.fields.len()
            });
            unique &= part.enums.iter().all(|one| {
                let names: HashSet<_> =
                    one.values.iter().map(|value| &value.name).collect();
                names.len() == one.values.len()
            });
            if unique {
                let worst = found.first().map(|finding| finding.level);
                prop_assert!(worst < Some(Level::Unsafe), "{found:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_caller_stumble(contract in vec(any::<u8>(), 0..200), shape in vec(any::<u8>(), 0..200)) {
        let policies = table();
        let told = GetContractResponse::decode(&*contract).unwrap_or_default();
        let shape = Shape::decode(&*shape).unwrap_or_default();
        let _ = Outline::of(policies, &told.services).judge(&shape);
    }
}

fn has_a_number_twice(shape: &Shape) -> bool {
    shape.messages.iter().any(|message| {
        let numbers = message.fields.iter().map(|field| field.number);
        numbers.collect::<HashSet<_>>().len() < message.fields.len()
    })
}

/// A table of one method, of which the callee says that it is another one.
fn table() -> PolicyTable {
    static METHODS: [MethodPolicy; 1] = [MethodPolicy {
        fingerprint: 1,
        ..MethodPolicy::new("/test.Script/Call")
    }];
    PolicyTable::new(&METHODS)
}

#[test]
fn a_shape_that_nests_without_end_is_given_up() {
    let message = |index: u32| MessageShape {
        name: String::new(),
        fields: vec![FieldShape {
            number: 1,
            name: "next".to_owned(),
            kind: super::shape::Kind::Message.into(),
            type_index: index,
            ..FieldShape::default()
        }],
    };
    let of = |messages| Shape {
        methods: vec![MethodShape::default()],
        messages,
        enums: Vec::new(),
    };
    let ours = of(vec![message(0)]);
    let count = 50_000;
    let theirs = of((0..count)
        .map(|index| message((index + 1) % count))
        .collect());
    compare(side(&ours), side(&theirs)).expect_err("too deep");
    let same = of(vec![message(1), message(0)]);
    assert_eq!(compare(side(&ours), side(&same)), Ok(Vec::new()));
}

/// A method whose message has these fields, and the enums that they are of.
fn of_enums(fields: Vec<FieldShape>, enums: Vec<EnumShape>) -> Shape {
    Shape {
        methods: vec![MethodShape::default()],
        messages: vec![MessageShape {
            name: "test.Text".to_owned(),
            fields,
        }],
        enums,
    }
}

fn enum_field(number: u32) -> FieldShape {
    FieldShape {
        number,
        name: format!("field_{number}"),
        kind: super::shape::Kind::Enum.into(),
        cardinality: super::shape::Cardinality::Singular.into(),
        ..FieldShape::default()
    }
}

/// An enum of so many values, which begin at this number.
fn values(count: i32, first: i32) -> EnumShape {
    let value = |value: i32| EnumValueShape {
        number: first + value,
        name: format!("VALUE_{value}"),
    };
    EnumShape {
        name: "test.Kind".to_owned(),
        closed: true,
        values: (0..count).map(value).collect(),
    }
}

#[test]
fn a_number_that_stands_for_two_fields_makes_no_sense() {
    let ours = of_enums(vec![enum_field(1)], vec![values(10, 0)]);
    let theirs = of_enums(vec![enum_field(1); 2], vec![values(10, 0)]);
    compare(side(&ours), side(&theirs)).expect_err("as the callee reads it");
    compare(side(&theirs), side(&ours)).expect_err("as the callee writes it");
}

#[test]
fn a_name_without_end_makes_no_sense() {
    let ours = of_enums(vec![enum_field(1)], vec![values(10, 0)]);
    let mut theirs = ours.clone();
    theirs.messages[0].fields[0].name = "x".repeat(100_000);
    compare(side(&ours), side(&theirs)).expect_err("no name");
}

#[test]
fn the_values_of_enums_are_looked_at_no_longer_than_fields_are() {
    let ours = of_enums(vec![enum_field(1)], vec![values(10, 0)]);
    let theirs = of_enums(vec![enum_field(1)], vec![values(50_000, 0)]);
    compare(side(&ours), side(&theirs)).expect_err("too many");
}

#[test]
fn however_much_differs_the_worst_of_it_is_told_and_no_more() {
    let fields: Vec<_> = (1..=100).map(enum_field).collect();
    let ours = of_enums(fields.clone(), vec![values(20, 0)]);
    let theirs = of_enums(fields, vec![values(20, 1)]);

    let found = compare(side(&ours), side(&theirs)).expect("it makes sense");

    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|one| one.level == Level::Unsafe));
}

#[test]
fn what_a_callee_does_not_have_is_told_from_what_it_does_not_tell() {
    let policies = table();
    let prospect = |services: &[ServiceContract]| {
        let judgement = Outline::of(policies, services).judge(&Shape::default());
        (judgement.prospect(Some(0)), judgement.prospect(None))
    };
    let service = |name: &str, methods: &[(&str, u64)]| ServiceContract {
        name: name.to_owned(),
        methods: (methods.iter())
            .map(|(name, fingerprint)| MethodContract {
                name: (*name).to_owned(),
                fingerprint: *fingerprint,
            })
            .collect(),
    };
    let good = (Prospect::Good, Prospect::Good);
    assert_eq!(prospect(&[]).0, Prospect::Absent);
    assert_eq!(prospect(&[service("test.Other", &[])]).0, Prospect::Absent);
    assert_eq!(prospect(&[service("test.Script", &[])]), good);
    assert_eq!(prospect(&[service("test.Script", &[("Call", 1)])]), good);
    assert_eq!(prospect(&[service("test.Script", &[("Call", 0)])]), good);
    let lacking = prospect(&[service("test.Script", &[("Other", 1)])]);
    assert_eq!(lacking, (Prospect::Refused, Prospect::Good));
}
