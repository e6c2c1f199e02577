use super::*;
use bytes::BufMut as _;
use proptest::prelude::*;
use prost::Message as _;
use std::collections::HashMap;

/// What no viewer may ever see, as text, as bytes and as a number.
const SECRET: &str = "SECRETSECRETSECRET";
const SECRET_BASE64: &str = "U0VDUkVU";
const SECRET_NUMBER: i32 = 1_666_777_888;

/// Every shape that a mark can have.
const SHAPES: &str = r#"
syntax = "proto3";
package shapes;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
message Shapes {
  string open_text = 1;
  string text = 2 [debug_redact = true];
  bytes data = 3 [debug_redact = true];
  int32 number = 4 [debug_redact = true];
  repeated string texts = 5 [debug_redact = true];
  map<string, string> by_name = 6 [debug_redact = true];
  map<string, Shapes> open_by_name = 7;
  Shapes inside = 8;
  repeated Shapes many = 9;
  Shapes hidden = 10 [debug_redact = true];
  oneof choice {
    string chosen = 11 [debug_redact = true];
    Shapes open_chosen = 12;
  }
  Color color = 13;
  bytes open_data = 14;
  uint64 open_number = 15;
  google.protobuf.Any any = 16;
  google.protobuf.Timestamp time = 17;
  double real = 18;
}
enum Color { NONE = 0; RED = 1; }
service Painter { rpc Paint(Shapes) returns (Shapes); }
"#;

fn shapes() -> &'static Contracts {
    static SHAPES_READ: OnceLock<Contracts> = OnceLock::new();
    SHAPES_READ.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("shapes.proto"), SHAPES).expect("a file");
        let mut compiler = protox::Compiler::new([folder.path()]).expect("a compiler");
        compiler.include_imports(true);
        compiler.open_file("shapes.proto").expect("sound contracts");
        Contracts::new(vec![compiler.encode_file_descriptor_set().leak()])
    })
}

fn house() -> &'static Contracts {
    static HOUSE: OnceLock<Contracts> = OnceLock::new();
    HOUSE.get_or_init(|| Contracts::new(vec![cleave_contracts::FILE_DESCRIPTOR_SET]))
}

/// A message with random fields set. `hidden` when all of it stands below a mark.
fn random(
    kind: &MessageDescriptor,
    chance: &mut impl FnMut() -> u32,
    hidden: bool,
    depth: usize,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    let any = kind.full_name() == "google.protobuf.Any";
    for field in kind.fields() {
        if chance().is_multiple_of(4) || depth > 2 {
            continue;
        }
        let hidden = hidden || any || is_redacted(&field);
        let mut one = || random_value(&field.kind(), chance, hidden, depth);
        let value = if field.is_map() {
            let entry = field.kind();
            let entry = entry
                .as_message()
                .expect("an entry")
                .map_entry_value_field();
            let value = random_value(&entry.kind(), chance, hidden, depth);
            let key = match field
                .kind()
                .as_message()
                .map(|e| e.map_entry_key_field().kind())
            {
                Some(prost_reflect::Kind::String) if hidden => MapKey::String(SECRET.to_owned()),
                Some(prost_reflect::Kind::String) => MapKey::String("open".to_owned()),
                _ => continue,
            };
            Field::Map(HashMap::from([(key, value)]))
        } else if field.is_list() {
            Field::List(vec![one(), one()])
        } else {
            one()
        };
        message.set_field(&field, value);
    }
    message
}

fn random_value(
    kind: &prost_reflect::Kind,
    chance: &mut impl FnMut() -> u32,
    hidden: bool,
    depth: usize,
) -> Field {
    use prost_reflect::Kind;
    let text = if hidden { SECRET } else { "open" };
    let number = if hidden { SECRET_NUMBER } else { 7 };
    match kind {
        Kind::String => Field::String(text.to_owned()),
        Kind::Bytes => Field::Bytes(text.as_bytes().to_vec().into()),
        Kind::Bool => Field::Bool(true),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Field::I32(number),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Field::I64(number.into()),
        Kind::Uint32 | Kind::Fixed32 => Field::U32(number.unsigned_abs()),
        Kind::Uint64 | Kind::Fixed64 => Field::U64(number.unsigned_abs().into()),
        Kind::Float => Field::F32(1.5),
        Kind::Double => Field::F64(f64::NAN),
        Kind::Enum(_) => Field::EnumNumber(1),
        Kind::Message(kind) => Field::Message(random(kind, chance, hidden, depth + 1)),
    }
}

/// As it comes over the wire, with a field at its end that the contract does not know.
fn framed(message: &DynamicMessage) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    // Field 9999, of the kind that has a length.
    prost::encoding::string::encode(9_999, &SECRET.to_owned(), &mut bytes);
    let mut framed = vec![0];
    framed.put_u32(u32::try_from(bytes.len()).expect("small"));
    framed.extend(bytes);
    framed
}

fn assert_nothing_leaks(shown: &[Value]) {
    let shown = Value::from(shown.to_vec()).to_string();
    for secret in [SECRET, SECRET_BASE64, &SECRET_NUMBER.to_string()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

proptest! {
    #[test]
    fn given_any_message_when_it_is_shown_then_no_value_of_a_marked_field_is(
        chances in proptest::collection::vec(any::<u32>(), 1..200),
        pick in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut at = 0;
        let mut chance = || {
            at += 1;
            chances[at % chances.len()]
        };
        let ours: Vec<MessageDescriptor> = house()
            .pool()
            .all_messages()
            .filter(|kind| kind.full_name().starts_with("cleave."))
            .collect();
        let shape = shapes().pool().get_message_by_name("shapes.Shapes").expect("shapes");
        for (contracts, kind) in [(shapes(), &shape), (house(), pick.get(&ours))] {
            let bytes = framed(&random(kind, &mut chance, false, 0));
            let shown = contracts.messages(Some(kind.clone()), &bytes);
            prop_assert_eq!(shown.len(), 1);
            prop_assert!(shown[0].get("unreadable").is_none(), "{:?}", shown);
            assert_nothing_leaks(&shown);
            // Wherever the tape ended, and whatever contract is taken for it.
            let cut = &bytes[..cut.index(bytes.len())];
            assert_nothing_leaks(&contracts.messages(Some(kind.clone()), cut));
            assert_nothing_leaks(&contracts.messages(None, &bytes));
        }
    }

    #[test]
    fn given_rubbish_when_it_is_shown_then_nothing_breaks(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let shape = shapes().method("/shapes.Painter/Paint").expect("a method").input();
        shapes().messages(Some(shape), &bytes);
    }
}

#[test]
fn given_a_message_when_it_is_shown_then_what_is_open_can_be_read() {
    let method = shapes().method("/shapes.Painter/Paint").expect("a method");
    let kind = method.input();
    let mut message = DynamicMessage::new(kind.clone());
    message.set_field_by_name("open_text", Field::String("hello".to_owned()));
    message.set_field_by_name("text", Field::String(SECRET.to_owned()));
    message.set_field_by_name("color", Field::EnumNumber(1));
    message.set_field_by_name("open_number", Field::U64(u64::MAX));
    let shown = shapes().messages(Some(kind), &framed(&message));
    assert_eq!(
        shown,
        [json!({
            "open_text": "hello",
            "text": REDACTED,
            "color": "RED",
            "open_number": u64::MAX.to_string(),
        })]
    );
}

#[test]
fn given_what_is_too_long_when_it_is_shown_then_it_is_cut_and_said_so() {
    let method = shapes().method("/shapes.Painter/Paint").expect("a method");
    let kind = method.input();
    let mut message = DynamicMessage::new(kind.clone());
    message.set_field_by_name("open_text", Field::String("x".repeat(CHARACTERS + 1)));
    let inside = Field::Message(DynamicMessage::new(kind.clone()));
    message.set_field_by_name("many", Field::List(vec![inside; ELEMENTS + 3]));
    let bytes = framed(&message);
    let shown = shapes().messages(Some(kind.clone()), &bytes);
    let text = shown[0]["open_text"].as_str().expect("a text");
    assert!(text.ends_with(CUT), "{text}");
    assert_eq!(
        shown[0]["many"][ELEMENTS],
        json!({ CUT: { "elements": 3 } })
    );
    // The tape ended before the message did.
    let shown = shapes().messages(Some(kind), &bytes[..bytes.len() - 1]);
    assert_eq!(shown, [json!({ CUT: { "bytes": bytes.len() - PREFIX } })]);
}

#[test]
fn given_the_contracts_of_the_house_then_people_and_payments_are_marked() {
    let marked = |message: &str, field: &str| {
        let message = house().pool().get_message_by_name(message).expect(message);
        is_redacted(&message.get_field_by_name(field).expect(field))
    };
    for (message, field) in [
        ("cleave.operations.v1.Publisher", "contact_emails"),
        ("cleave.operations.v1.Advertiser", "display_name"),
        ("cleave.operations.v1.ApproveCampaignRequest", "actor"),
        ("cleave.billing.v1.RecordPaymentRequest", "external_ref"),
        ("cleave.billing.v1.Payment", "method"),
    ] {
        assert!(marked(message, field), "{message}.{field}");
    }
    assert!(!marked("cleave.billing.v1.Payment", "amount"));
}
