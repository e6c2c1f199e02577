//! The messages by which contracts are told, which the mesh has by hand because it stands below the contracts,
//! against the contracts themselves; and what the table says of the methods.

use cleave_contracts::mesh::v1 as pb;
use cleave_contracts::{FILE_DESCRIPTOR_SET, POLICIES};
use cleave_mesh::contract::messages;
use cleave_mesh::contract::shape::{self, Cardinality, Kind, Shape};
use prost::Message;
use prost_reflect::{DescriptorPool, EnumDescriptor};

fn told() -> pb::GetContractResponse {
    let method = pb::MethodContract {
        name: "GetAccount".to_owned(),
        fingerprint: u64::MAX - 1,
    };
    let service = pb::ServiceContract {
        name: "cleave.billing.v1.AccountService".to_owned(),
        methods: vec![method],
    };
    pb::GetContractResponse {
        fingerprint: 0x0102_0304_0506_0708,
        services: vec![service],
    }
}

fn described() -> pb::Shape {
    let method = pb::MethodShape {
        path: "/a.B/C".to_owned(),
        request: 1,
        response: 2,
        client_streaming: true,
        server_streaming: true,
    };
    let field = pb::FieldShape {
        number: 3,
        name: "field".to_owned(),
        kind: pb::FieldKind::Enum.into(),
        cardinality: pb::FieldCardinality::Packed.into(),
        type_index: 4,
        oneof: 5,
    };
    let message = pb::MessageShape {
        name: "a.Message".to_owned(),
        fields: vec![field],
    };
    let value = pb::EnumValueShape {
        number: -6,
        name: "VALUE".to_owned(),
    };
    let enumeration = pb::EnumShape {
        name: "a.Enum".to_owned(),
        closed: true,
        values: vec![value],
    };
    pb::Shape {
        methods: vec![method],
        messages: vec![message],
        enums: vec![enumeration],
    }
}

/// Asserts that the mesh's message keeps everything of the contract's.
#[track_caller]
fn assert_kept<Ours: Message + Default>(message: &impl Message) {
    let bytes = message.encode_to_vec();
    assert!(!bytes.is_empty());
    let ours = Ours::decode(&*bytes).expect("it can be read");
    assert_eq!(ours.encode_to_vec(), bytes);
}

#[test]
fn the_mesh_s_own_messages_are_those_of_the_contract() {
    assert_kept::<messages::GetContractResponse>(&told());
    assert_kept::<messages::GetContractRequest>(&pb::GetContractRequest {
        known_fingerprint: 1 << 63,
    });
    assert_kept::<messages::DescribeMethodsRequest>(&pb::DescribeMethodsRequest {
        paths: vec!["/a.B/C".to_owned(), "/a.B/D".to_owned()],
    });
    assert_kept::<messages::DescribeMethodsResponse>(&pb::DescribeMethodsResponse {
        shape: Some(described()),
    });
    assert_kept::<Shape>(&described());
}

#[test]
fn every_field_of_the_contract_is_in_the_messages_above() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the embedded set is whole");
    let fields = |name: &str| {
        let message = pool.get_message_by_name(&format!("cleave.mesh.v1.{name}"));
        message.expect("a message of the contract").fields().len()
    };
    // A field that is added must be added to the mesh's messages, and above.
    for (name, count) in [
        ("GetContractRequest", 1),
        ("GetContractResponse", 2),
        ("ServiceContract", 2),
        ("MethodContract", 2),
        ("DescribeMethodsRequest", 1),
        ("DescribeMethodsResponse", 1),
        ("Shape", 3),
        ("MethodShape", 5),
        ("MessageShape", 2),
        ("FieldShape", 6),
        ("EnumShape", 3),
        ("EnumValueShape", 2),
    ] {
        assert_eq!(fields(name), count, "{name}");
    }
}

#[test]
fn the_mesh_s_own_enums_are_those_of_the_contract() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the embedded set is whole");
    let find = |name: &str| pool.get_enum_by_name(name).expect("an enum");
    let names = |values: EnumDescriptor, prefix: &str| -> Vec<(i32, String)> {
        let name = |name: &str| name.trim_start_matches(prefix).to_ascii_lowercase();
        let values = values.values();
        values.map(|one| (one.number(), name(one.name()))).collect()
    };
    let kinds = names(find("cleave.mesh.v1.FieldKind"), "FIELD_KIND_");
    for (number, name) in &kinds {
        let ours = Kind::try_from(*number).expect("a kind");
        assert_eq!(&format!("{ours:?}").to_ascii_lowercase(), name);
    }
    // Protobuf has no name for "none".
    let protobuf = find("google.protobuf.FieldDescriptorProto.Type");
    assert_eq!(kinds[1..], names(protobuf, "TYPE_"));
    let cardinalities = find("cleave.mesh.v1.FieldCardinality");
    for (number, name) in names(cardinalities, "FIELD_CARDINALITY_") {
        let ours = Cardinality::try_from(number).expect("a cardinality");
        assert_eq!(format!("{ours:?}").to_ascii_lowercase(), name);
    }
    assert!(Kind::try_from(19).is_err() && Cardinality::try_from(5).is_err());
}

#[test]
fn every_method_has_a_fingerprint_and_a_shape() {
    let shape = Shape::decode(POLICIES.shape()).expect("the shape is whole");
    let described: Vec<_> = shape.methods.iter().map(|method| &*method.path).collect();
    let listed: Vec<_> = POLICIES.iter().map(|method| method.path).collect();
    assert_eq!(described, listed);
    assert!(POLICIES.iter().all(|method| method.fingerprint != 0));
    assert_ne!(POLICIES.fingerprint(), 0);
    let paths = [messages::GET_CONTRACT, messages::DESCRIBE_METHODS];
    for path in paths {
        assert!(path.starts_with(messages::PREFIX));
        assert!(POLICIES.get(path).is_some(), "{path}");
    }
    assert_eq!(format!("/{}/", messages::SERVICE), messages::PREFIX);
    let whole = shape
        .extract(shape.methods.iter())
        .expect("nothing is missing");
    let count = |shape: &shape::Shape| (shape.messages.len(), shape.enums.len());
    assert_eq!(count(&whole), count(&shape));
    println!(
        "{} methods, {:?} messages and enums, {} bytes",
        described.len(),
        count(&shape),
        POLICIES.shape().len()
    );
}
