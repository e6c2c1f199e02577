//! What a caller with one contract makes of a callee with another: a catalogue of edits, breaking and not, and
//! what the comparison of shapes says of each, for the old caller of a new callee and the other way round.

mod compile;
mod oracle;
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the build's own module, read here for its fingerprints"
)]
#[path = "../build/shape.rs"]
mod shape;

use cleave_mesh::contract::shape::Shape;
use cleave_mesh::contract::{Finding, Level, Side, compare};
use compile::compile;
use prost::Message as _;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A contract with one of everything that can be edited.
const BEFORE: &str = r#"
syntax = "proto3";
package shop.v1;
service OrderService {
  rpc GetOrder(GetOrderRequest) returns (GetOrderResponse);
  rpc WatchOrder(GetOrderRequest) returns (stream GetOrderResponse);
}
message GetOrderRequest { string id = 1; Filter filter = 2; }
message GetOrderResponse { Order order = 1; }
message Filter {
  State state = 1;
  repeated int64 years = 2;
  int32 limit = 3;
  string key = 4; string mark = 5;
}
message Order {
  string id = 1; int64 total_micros = 2;
  repeated string notes = 3;
  optional int64 cap_micros = 4; oneof payer { string card = 5; string voucher = 6; } State state = 7;
  Line first = 8;
  map<string, int64> counts = 9;
  repeated int32 sizes = 10;
  sint64 offset = 11;
  fixed32 checksum = 12;
  bytes blob = 13;
  uint32 count = 14;
  bool open = 15;
  double ratio = 16;
  string shop = 17; string city = 18;
  oneof lone { string code = 19; }
  Order parent = 20; Order heir = 25;
  repeated State history = 21;
  int32 size = 22;
  fixed64 digest = 23;
  repeated int32 loose = 24 [packed = false];
}
message Line { string sku = 1; string maker = 2; int32 count = 3; }
enum State { STATE_UNSPECIFIED = 0; STATE_OPEN = 1; STATE_PAID = 2; }
"#;

const METHOD: &str = "/shop.v1.OrderService/GetOrder";

/// An edit of the contract.
struct Edit {
    from: &'static str,
    to: &'static str,
    /// How well an old caller is understood by a new callee, and a new caller by an old callee.
    levels: [Level; 2],
}

/// The catalogue.
fn edits() -> Vec<Edit> {
    let lines = include_str!("edits.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<_> = line.split('|').map(str::trim).collect();
            let [new_callee, new_caller, from, to] = parts[..] else {
                panic!("not an edit: {line}");
            };
            Edit {
                from,
                to,
                levels: [new_callee, new_caller].map(level_named),
            }
        })
        .collect()
}

fn level_named(name: &str) -> Level {
    let levels = [Level::Same, Level::Safe, Level::Conditional, Level::Unsafe];
    let level = levels.into_iter().find(|level| level.name() == name);
    level.unwrap_or_else(|| panic!("no level is named {name:?}"))
}

/// A contract as its build knows it.
struct Contract {
    pool: DescriptorPool,
    shape: Shape,
    fingerprints: BTreeMap<String, u64>,
}

impl Contract {
    fn of(source: &str) -> Self {
        Self::in_pool(compile(&[("shop.proto", source)]))
    }

    fn in_pool(pool: DescriptorPool) -> Self {
        let shape = shape::read(&pool);
        Self {
            fingerprints: shape::fingerprints(&shape),
            // The build's own copy of the types and the mesh's meet on the wire.
            shape: Shape::decode(shape.encode_to_vec().as_slice()).expect("a shape"),
            pool,
        }
    }

    fn side(&self, path: &str) -> Side<'_> {
        let mut methods = self.shape.methods.iter();
        let method = methods.find(|method| method.path == path);
        Side {
            shape: &self.shape,
            method: method.unwrap_or_else(|| panic!("there is no {path}")),
        }
    }

    fn method(&self, path: &str) -> MethodDescriptor {
        let (service, name) = path[1..].split_once('/').expect("a path");
        let service = self.pool.get_service_by_name(service).expect("a service");
        let mut methods = service.methods();
        methods
            .find(|method| method.name() == name)
            .expect("a method")
    }
}

/// How well a caller with one contract is understood by a callee with another, and what was found.
fn judge(caller: &Contract, callee: &Contract) -> (Level, Vec<Finding>) {
    judge_method(METHOD, caller, callee)
}

fn judge_method(path: &str, caller: &Contract, callee: &Contract) -> (Level, Vec<Finding>) {
    let found = compare(caller.side(path), callee.side(path)).expect("both make sense");
    let alike = caller.fingerprints[path] == callee.fingerprints[path];
    assert!(!alike || found.is_empty(), "the same, and yet {found:?}");
    let level = match found.first() {
        Some(worst) => worst.level,
        None if alike => Level::Same,
        None => Level::Safe,
    };
    (level, found)
}

/// Whether a call of harmless values goes wrong in fact.
fn goes_wrong(caller: &Contract, callee: &Contract) -> bool {
    let (ours, theirs) = (caller.method(METHOD), callee.method(METHOD));
    ours.is_client_streaming() != theirs.is_client_streaming()
        || ours.is_server_streaming() != theirs.is_server_streaming()
        || oracle::misread(&ours.input(), &theirs.input())
        || oracle::misread(&theirs.output(), &ours.output())
}

/// The contract before any edit.
static FIRST: LazyLock<Contract> = LazyLock::new(|| Contract::of(BEFORE));

/// The contract after an edit.
fn edited(edit: &Edit) -> Contract {
    assert!(BEFORE.contains(edit.from), "no {:?} in it", edit.from);
    Contract::of(&BEFORE.replacen(edit.from, edit.to, 1))
}

/// Both callers of an edit, with the callee of each and what is expected of it.
fn roles<'a>(
    edit: &Edit,
    after: &'a Contract,
) -> [(&'static str, &'a Contract, &'a Contract, Level); 2] {
    let [new_callee, new_caller] = edit.levels;
    [
        ("old caller", &FIRST, after, new_callee),
        ("new caller", after, &FIRST, new_caller),
    ]
}

#[test]
fn given_any_edit_of_the_catalogue_then_it_is_judged_as_protobuf_says() {
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::new();
    for edit in edits() {
        for (role, caller, callee, expected) in roles(&edit, &edited(&edit)) {
            let (level, found) = judge(caller, callee);
            *counts.entry(expected.name()).or_insert(0) += 1;
            if level != expected {
                let (from, to) = (edit.from, edit.to);
                wrong.push(format!(
                    "{role}, {from:?} -> {to:?}: {level:?}, not {expected:?} {found:?}"
                ));
            }
        }
    }
    println!("judged: {counts:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn given_any_edit_of_the_catalogue_then_exactly_the_calls_that_go_wrong_are_refused() {
    let mut wrong = Vec::new();
    let (mut caught, mut passed) = (0, 0);
    for edit in edits() {
        for (role, caller, callee, _) in roles(&edit, &edited(&edit)) {
            let refused = judge(caller, callee).0 == Level::Unsafe;
            match (goes_wrong(caller, callee), refused) {
                (true, true) => caught += 1,
                (false, false) => passed += 1,
                (true, false) => {
                    wrong.push(format!("missed: {role}, {:?} -> {:?}", edit.from, edit.to))
                }
                (false, true) => wrong.push(format!(
                    "false alarm: {role}, {:?} -> {:?}",
                    edit.from, edit.to
                )),
            }
        }
    }
    println!("{caught} calls that go wrong are refused, {passed} that do not are not");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A contract of proto2, which knows what proto3 does not.
const OLDER: &str = r#"
syntax = "proto2";
package shop.v1;
service OrderService { rpc GetOrder(GetOrderRequest) returns (GetOrderResponse); }
message GetOrderRequest { required string id = 1; }
message GetOrderResponse {
  optional State state = 1;
  repeated int32 sizes = 2;
  optional group Line = 3 { optional string sku = 1; }
}
enum State { STATE_OPEN = 0; STATE_PAID = 1; }
"#;

#[test]
fn given_the_contract_of_the_last_release_then_it_and_this_one_make_every_call_of_each_other() {
    let pool = |bytes: &[u8]| DescriptorPool::decode(bytes).expect("the set is whole");
    let released = Contract::in_pool(pool(include_bytes!("../baseline.binpb")));
    let current = Contract::in_pool(pool(cleave_contracts::FILE_DESCRIPTOR_SET));
    assert!(
        !released.shape.methods.is_empty(),
        "the last release served something"
    );
    for method in &released.shape.methods {
        for (caller, callee) in [(&released, &current), (&current, &released)] {
            let (level, found) = judge_method(&method.path, caller, callee);
            assert_ne!(level, Level::Unsafe, "{}: {found:?}", method.path);
        }
    }
}

#[test]
fn given_proto2_then_its_own_rules_hold() {
    let first = Contract::of(OLDER);
    for (from, to, new_callee, new_caller) in [
        // "You must not add or delete any required fields."
        ("required string id = 1;", "", Level::Safe, Level::Unsafe),
        (
            "required string id",
            "optional string id",
            Level::Safe,
            Level::Unsafe,
        ),
        (
            "required string id = 1;",
            "required string id = 1; required string key = 2;",
            Level::Unsafe,
            Level::Safe,
        ),
        // A closed enum drops what it does not know.
        (
            "STATE_PAID = 1;",
            "STATE_PAID = 1; STATE_SENT = 2;",
            Level::Conditional,
            Level::Safe,
        ),
        (
            "optional State state",
            "optional int32 state",
            Level::Conditional,
            Level::Safe,
        ),
        // Nothing is packed unless it says so.
        (
            "repeated int32 sizes = 2;",
            "optional int32 sizes = 2;",
            Level::Conditional,
            Level::Conditional,
        ),
        (
            "repeated int32 sizes = 2;",
            "repeated int32 sizes = 2 [packed = true];",
            Level::Safe,
            Level::Safe,
        ),
        // A group stands between two tags.
        (
            "optional group Line = 3 { optional string sku = 1; }",
            "optional Line line = 3; message Line { optional string sku = 1; }",
            Level::Unsafe,
            Level::Unsafe,
        ),
        (
            "optional string sku = 1;",
            "optional int32 sku = 1;",
            Level::Unsafe,
            Level::Unsafe,
        ),
    ] {
        assert!(OLDER.contains(from), "no {from:?} in it");
        let after = Contract::of(&OLDER.replacen(from, to, 1));
        let (level, found) = judge(&first, &after);
        assert_eq!(
            level, new_callee,
            "old caller, {from:?} -> {to:?}: {found:?}"
        );
        let (level, found) = judge(&after, &first);
        assert_eq!(
            level, new_caller,
            "new caller, {from:?} -> {to:?}: {found:?}"
        );
    }
}

#[test]
fn the_fingerprint_of_the_whole_tells_methods_and_their_paths_apart_and_nothing_else() {
    let whole = |source: &str| shape::whole(&Contract::of(source).fingerprints);
    let before = whole(BEFORE);

    assert_eq!(whole(&format!("{BEFORE}\n// A word more.\n")), before);
    let renamed = BEFORE.replace("rpc WatchOrder(", "rpc FollowOrder(");
    assert_ne!(renamed, BEFORE);
    assert_ne!(whole(&renamed), before, "a method of another name");
    for edit in &edits() {
        let after = edited(edit);
        let alike = after.fingerprints == FIRST.fingerprints;
        assert_eq!(
            shape::whole(&after.fingerprints) == before,
            alike,
            "{}",
            edit.from
        );
    }
}
