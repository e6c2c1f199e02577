//! Descriptions that make no sense, of which no peer may make us suffer.

use super::messages::{GetContractResponse, MethodContract, ServiceContract};
use super::shape::{EnumShape, EnumValueShape, FieldShape, MessageShape, MethodShape, Shape};
use super::{Level, Outline, Prospect, Side, compare};
use crate::policy::{MethodPolicy, PolicyTable};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

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
            let found = compare(side(&part), side(&part)).expect("it makes sense");
            // Without two fields of one number or name, that is.
            let mut unique = part.messages.iter().all(|message| {
                let numbers: std::collections::HashSet<_> =
                    message.fields.iter().map(|field| field.number).collect();
                let names: std::collections::HashSet<_> =
                    message.fields.iter().map(|field| &field.name).collect();
                numbers.len() == message.fields.len() && names.len() == message.fields.len()
            });
            unique &= part.enums.iter().all(|one| {
                let names: std::collections::HashSet<_> =
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
