//! What a callee says of its contract, once it is asked to describe the methods that it knows differently.

use crate::contract::messages::{DescribeMethodsResponse, MethodContract, ServiceContract};
use crate::contract::shape::{
    Cardinality, EnumShape, EnumValueShape, FieldShape, Kind, MessageShape, MethodShape, Shape,
};
use crate::contract::{Level, Outline, Prospect};
use crate::policy::{MethodPolicy, PolicyTable};
use prost::Message as _;

const PATH: &str = "/test.Script/Call";
/// The most that a judgement may keep of one method, in bytes.
const MAX_KEPT: usize = 50_000;

fn field(number: u32, name: &str, kind: Kind, cardinality: Cardinality, oneof: u32) -> FieldShape {
    FieldShape {
        number,
        name: name.to_owned(),
        kind: kind.into(),
        cardinality: cardinality.into(),
        type_index: 0,
        oneof,
    }
}

fn value(number: i32, name: &str) -> EnumValueShape {
    let name = name.to_owned();
    EnumValueShape { number, name }
}

/// A method with something of everything that is compared.
fn own() -> Shape {
    let method = MethodShape {
        path: PATH.to_owned(),
        ..MethodShape::default()
    };
    let fields = vec![
        field(1, "text", Kind::String, Cardinality::Singular, 0),
        field(2, "counts", Kind::Int64, Cardinality::Packed, 0),
        field(3, "kinds", Kind::Enum, Cardinality::Repeated, 0),
        field(4, "again", Kind::Message, Cardinality::Singular, 0),
        field(5, "one", Kind::Bytes, Cardinality::Singular, 5),
        field(6, "other", Kind::Bool, Cardinality::Singular, 5),
        field(7, "always", Kind::Fixed32, Cardinality::Required, 0),
    ];
    Shape {
        methods: vec![method],
        messages: vec![MessageShape {
            name: "test.Text".to_owned(),
            fields,
        }],
        enums: vec![EnumShape {
            name: "test.Kind".to_owned(),
            closed: true,
            values: vec![value(0, "A"), value(1, "B"), value(2, "C")],
        }],
    }
}

/// Of which a callee says that its method is another one.
fn outline(policies: PolicyTable) -> Outline {
    let method = MethodContract {
        name: "Call".to_owned(),
        fingerprint: 2,
    };
    let service = ServiceContract {
        name: "test.Script".to_owned(),
        methods: vec![method],
    };
    Outline::of(policies, &[service])
}

#[test]
fn contract_is_judged_in_few_words() {
    static METHODS: [MethodPolicy; 1] = [MethodPolicy {
        fingerprint: 1,
        ..MethodPolicy::new(PATH)
    }];
    let shape = own().encode_to_vec().leak();
    let policies = PolicyTable::new(&METHODS).with_shape(shape);
    bolero::check!().for_each(|bytes: &[u8]| {
        let told = DescribeMethodsResponse::decode(bytes).unwrap_or_default();
        let judgement = outline(policies).judge(&told.shape.unwrap_or_default());
        let skews = &judgement.state().skews;
        assert!(skews.len() <= 1, "there is one method");
        let differences = skews.iter().flat_map(|skew| &skew.differences);
        assert!(differences.map(String::len).sum::<usize>() <= MAX_KEPT);
        let refused = judgement.prospect(Some(0)) == Prospect::Refused;
        let level = skews.first().map(|skew| skew.level);
        assert_eq!(refused, level == Some(Level::Unsafe));
        assert_eq!(refused, judgement.refusal(&METHODS[0]).is_some());
    });
}
