//! The contracts against the baseline: the descriptor set of the last release, checked in beside the protos.
//!
//! Additions need nothing. A release moves the baseline on: `CLEAVE_BLESS=1 cargo test -p cleave-contracts --test
//! compatibility` writes it anew and prints the breaks that are thereby accepted.

mod compare;
mod compile;

use std::path::PathBuf;

use compare::breaks;
use compile::compile;
use prost::Message;
use prost_reflect::DescriptorPool;

fn baseline_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proto/baseline.binpb")
}

/// The embedded set without comments and without the options of our own, which no rule compares.
fn bare_set() -> Vec<u8> {
    let mut set = prost_types::FileDescriptorSet::decode(cleave_contracts::FILE_DESCRIPTOR_SET)
        .expect("the embedded set is a descriptor set");
    for file in &mut set.file {
        file.source_code_info = None;
    }
    set.encode_to_vec()
}

#[test]
fn the_contracts_keep_every_promise_of_the_baseline() {
    let current = DescriptorPool::decode(cleave_contracts::FILE_DESCRIPTOR_SET)
        .expect("the embedded set is whole");
    let baseline = std::fs::read(baseline_path());
    let found = baseline.as_deref().map_or_else(
        |_| Vec::new(),
        |bytes| {
            breaks(
                &DescriptorPool::decode(bytes).expect("the baseline is whole"),
                &current,
            )
        },
    );
    if std::env::var_os("CLEAVE_BLESS").is_some() {
        std::fs::write(baseline_path(), bare_set()).expect("the baseline can be written");
        println!("baseline written; breaks accepted: {found:#?}");
        return;
    }
    assert!(
        baseline.is_ok(),
        "no baseline at {}: write it with CLEAVE_BLESS=1",
        baseline_path().display()
    );
    assert!(
        found.is_empty(),
        "{} breaks of the contracts:\n  {}",
        found.len(),
        found.join("\n  ")
    );
}

/// A contract with one of everything that can break.
const BEFORE: &str = r#"
syntax = "proto3";
package shop.v1;
message Order {
  string id = 1;
  int64 total_micros = 2;
  repeated string notes = 3;
  optional int64 cap_micros = 4;
  oneof payer { string card = 5; string voucher = 6; }
  State state = 7;
  Line first = 8;
  map<string, int64> counts = 9;
  reserved 20;
  reserved "secret";
}
message Line { string sku = 1; }
enum State { STATE_UNSPECIFIED = 0; STATE_OPEN = 1; STATE_PAID = 2; reserved 9; }
message GetOrderRequest { string id = 1; }
message GetOrderResponse { Order order = 1; }
service OrderService {
  rpc GetOrder(GetOrderRequest) returns (GetOrderResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc WatchOrder(GetOrderRequest) returns (stream GetOrderResponse);
}
"#;

/// The breaks of [`BEFORE`] once `from` reads `to`.
fn breaks_of(from: &str, to: &str) -> Vec<String> {
    assert!(BEFORE.contains(from), "the contract has no {from:?}");
    let after = BEFORE.replace(from, to);
    breaks(
        &compile(&[("shop.proto", BEFORE)]),
        &compile(&[("shop.proto", &after)]),
    )
}

#[track_caller]
fn assert_breaks(from: &str, to: &str, expected: &[&str]) {
    assert_eq!(
        breaks_of(from, to),
        expected,
        "after {from:?} became {to:?}"
    );
}

#[test]
fn given_no_change_or_only_additions_then_nothing_breaks() {
    assert_breaks("string id = 1;\n", "string id = 1;\n", &[]);
    assert_breaks(
        "string id = 1;\n",
        "string id = 1; string buyer = 10;\n",
        &[],
    );
    assert_breaks(
        "string voucher = 6;",
        "string voucher = 6; string invoice = 11;",
        &[],
    );
    assert_breaks("STATE_PAID = 2;", "STATE_PAID = 2; STATE_SENT = 3;", &[]);
    assert_breaks(
        "service OrderService {",
        "message A {} service OrderService { rpc Add(A) returns (A);",
        &[],
    );
    assert_breaks(
        "message Line",
        "enum Size { SIZE_UNSPECIFIED = 0; } message Line",
        &[],
    );
}

#[test]
fn given_a_field_removed_with_number_and_name_reserved_then_nothing_breaks() {
    assert_breaks(
        "int64 total_micros = 2;",
        "reserved 2; reserved \"total_micros\";",
        &[],
    );
    assert_breaks(
        "STATE_PAID = 2;",
        "reserved 2; reserved \"STATE_PAID\";",
        &[],
    );
}

#[test]
fn given_a_field_removed_then_the_missing_reservation_is_named() {
    let removed =
        "field shop.v1.Order.total_micros: removed without reserving its number and its name";
    assert_breaks("int64 total_micros = 2;", "", &[removed]);
    assert_breaks("int64 total_micros = 2;", "reserved 2;", &[removed]);
    assert_breaks(
        "int64 total_micros = 2;",
        "reserved \"total_micros\";",
        &[removed],
    );
}

#[test]
fn given_a_field_renamed_renumbered_or_retyped_then_each_is_named() {
    assert_breaks(
        "int64 total_micros",
        "int64 sum_micros",
        &["field shop.v1.Order.total_micros: name changed from total_micros to sum_micros"],
    );
    assert_breaks(
        "total_micros = 2",
        "total_micros = 12",
        &["field shop.v1.Order.total_micros: number changed from 2 to 12"],
    );
    assert_breaks(
        "int64 total_micros",
        "int32 total_micros",
        &["field shop.v1.Order.total_micros: type changed from int64 to int32"],
    );
    assert_breaks(
        "Line first",
        "GetOrderRequest first",
        &["field shop.v1.Order.first: type changed from shop.v1.Line to shop.v1.GetOrderRequest"],
    );
    assert_breaks(
        "map<string, int64>",
        "map<string, string>",
        &[
            "field shop.v1.Order.counts: type changed from map<string, int64> to map<string, string>",
        ],
    );
    assert_breaks(
        "string id = 1;\n  int64",
        "string id = 1 [json_name = \"key\"];\n  int64",
        &["field shop.v1.Order.id: JSON name changed from id to key"],
    );
}

#[test]
fn given_another_cardinality_or_oneof_then_each_is_named() {
    assert_breaks(
        "repeated string notes",
        "string notes",
        &["field shop.v1.Order.notes: cardinality changed from repeated to singular"],
    );
    assert_breaks(
        "optional int64 cap_micros",
        "int64 cap_micros",
        &["field shop.v1.Order.cap_micros: cardinality changed from optional to singular"],
    );
    assert_breaks(
        "oneof payer { string card = 5; string voucher = 6; }",
        "string card = 5; oneof payer { string voucher = 6; }",
        &["field shop.v1.Order.card: oneof changed from payer to none"],
    );
    assert_breaks(
        "string voucher = 6; }\n  State state = 7;",
        "string voucher = 6; State state = 7; }",
        &["field shop.v1.Order.state: oneof changed from none to payer"],
    );
}

#[test]
fn given_an_enum_value_removed_renamed_or_renumbered_then_each_is_named() {
    assert_breaks(
        "STATE_PAID = 2;",
        "",
        &["enum value shop.v1.State.STATE_PAID: removed without reserving its number and its name"],
    );
    assert_breaks(
        "STATE_PAID",
        "STATE_SETTLED",
        &["enum value shop.v1.State.STATE_PAID: name changed from STATE_PAID to STATE_SETTLED"],
    );
    assert_breaks(
        "STATE_PAID = 2",
        "STATE_PAID = 3",
        &["enum value shop.v1.State.STATE_PAID: number changed from 2 to 3"],
    );
}

#[test]
fn given_a_reservation_taken_up_again_then_it_is_named() {
    assert_breaks(
        "reserved 20;",
        "string late = 20;",
        &["field shop.v1.Order.late: takes number 20, which was reserved"],
    );
    assert_breaks(
        "reserved \"secret\";",
        "string secret = 21;",
        &["field shop.v1.Order.secret: takes a name that was reserved"],
    );
    assert_breaks(
        "reserved 9;",
        "STATE_LOST = 9;",
        &["enum value shop.v1.State.STATE_LOST: takes number 9, which was reserved"],
    );
}

#[test]
fn given_a_method_changed_then_each_way_is_named() {
    assert_breaks(
        "rpc WatchOrder(GetOrderRequest) returns (stream GetOrderResponse);",
        "",
        &["method shop.v1.OrderService.WatchOrder: removed"],
    );
    assert_breaks(
        "returns (stream GetOrderResponse)",
        "returns (GetOrderResponse)",
        &["method shop.v1.OrderService.WatchOrder: streaming changed from server stream to unary"],
    );
    assert_breaks(
        "WatchOrder(GetOrderRequest)",
        "WatchOrder(stream GetOrderRequest)",
        &[
            "method shop.v1.OrderService.WatchOrder: streaming changed from server stream to both ways",
        ],
    );
    assert_breaks(
        "WatchOrder(GetOrderRequest)",
        "WatchOrder(Line)",
        &[
            "method shop.v1.OrderService.WatchOrder: request changed from shop.v1.GetOrderRequest to shop.v1.Line",
        ],
    );
    assert_breaks(
        "stream GetOrderResponse",
        "stream Order",
        &[
            "method shop.v1.OrderService.WatchOrder: response changed from shop.v1.GetOrderResponse to shop.v1.Order",
        ],
    );
    assert_breaks(
        "option idempotency_level = NO_SIDE_EFFECTS;",
        "option idempotency_level = IDEMPOTENT;",
        &[
            "method shop.v1.OrderService.GetOrder: no longer promises the idempotency that callers rely on to repeat it",
        ],
    );
}

#[test]
fn given_another_package_then_every_element_is_named_at_once() {
    let found = breaks_of("package shop.v1;", "package store.v1;");
    let expected = [
        "message shop.v1.Order: removed",
        "message shop.v1.Line: removed",
        "message shop.v1.GetOrderRequest: removed",
        "message shop.v1.GetOrderResponse: removed",
        "enum shop.v1.State: removed",
        "service shop.v1.OrderService: removed",
    ];
    assert_eq!(found, expected);
}

#[test]
fn given_several_breaks_then_all_are_listed() {
    let after = BEFORE
        .replace("int64 total_micros = 2;", "")
        .replace("STATE_OPEN", "STATE_NEW")
        .replace("rpc WatchOrder", "rpc FollowOrder");
    let found = breaks(
        &compile(&[("shop.proto", BEFORE)]),
        &compile(&[("shop.proto", &after)]),
    );
    assert_eq!(found.len(), 3, "{found:#?}");
}
