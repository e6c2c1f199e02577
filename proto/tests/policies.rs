//! Small broken contracts, and what the build says about each: the file, the method and the mend.

mod compile;
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the build's own module, read here for its checks"
)]
#[path = "../build/policy.rs"]
mod policy;

use compile::compile;

const OPTIONS: &str = include_str!("../cleave/mesh/v1/policy.proto");

/// A policy that stands, to be broken one word at a time.
const SOUND: &str = r"
    option idempotency_level = NO_SIDE_EFFECTS;
    option (cleave.mesh.v1.policy) = {
      timeout: {seconds: 2}
      retry: {max_attempts: 3 codes: [CODE_UNAVAILABLE] initial_backoff: {nanos: 20000000} max_backoff: {seconds: 1}}
      on_unavailable: ON_UNAVAILABLE_CACHE
      max_age: {seconds: 60}
      criticality: CRITICALITY_DEFAULT
      callers: ['operations', 'cleave']
    };";

/// What the service itself says, for methods that say nothing of their own.
const SERVICE_RETRY: &str = "option (cleave.mesh.v1.retry) = {max_attempts: 5 codes: [CODE_UNAVAILABLE] initial_backoff: {nanos: 20000000} max_backoff: {seconds: 1}};";

/// The contract of one service with one method, each with its options.
fn contract(service: &str, method: &str, options: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage shop.v1;\nimport \"cleave/mesh/v1/policy.proto\";\n\
         message GetOrderRequest {{}}\nmessage GetOrderResponse {{}}\n\
         service OrderService {{{service}\n  rpc {method} {{{options}\n  }}\n}}\n"
    )
}

const UNARY: &str = "GetOrder(GetOrderRequest) returns (GetOrderResponse)";

fn read(method: &str, options: &str) -> Result<Vec<policy::Policy>, Vec<String>> {
    read_service("", method, options)
}

fn read_service(
    service: &str,
    method: &str,
    options: &str,
) -> Result<Vec<policy::Policy>, Vec<String>> {
    let source = contract(service, method, options);
    let pool = compile(&[
        ("cleave/mesh/v1/policy.proto", OPTIONS),
        ("shop/v1/order.proto", &source),
    ]);
    policy::read(&pool).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// Changes one word of the sound policy and asserts the only fault, which must name file, line, method, `problem` and `mend`.
#[track_caller]
fn assert_refused(from: &str, to: &str, problem: &str, mend: &str) {
    assert!(SOUND.contains(from), "the sound policy has no {from:?}");
    let faults = read(UNARY, &SOUND.replace(from, to)).expect_err("a broken policy is refused");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let expected =
        format!("shop/v1/order.proto:7: shop.v1.OrderService.GetOrder: {problem}; {mend}");
    assert!(
        faults[0].starts_with(&expected),
        "expected {expected:?}, got {:?}",
        faults[0]
    );
}

#[test]
fn given_a_sound_policy_then_it_is_read() {
    let policies = read(UNARY, SOUND).expect("a sound policy");
    assert_eq!(policies.len(), 1);
    let policy = &policies[0];
    assert_eq!(policy.path, "/shop.v1.OrderService/GetOrder");
    assert_eq!(policy.timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!(
        policy.on_unavailable,
        policy::OnUnavailable::Cache(std::time::Duration::from_secs(60))
    );
    assert_eq!(policy.idempotency, "NO_SIDE_EFFECTS");
    assert_eq!(policy.criticality, "DEFAULT");
    assert_eq!(policy.callers, ["operations", "cleave"]);
    let retry = policy.retry.as_ref().expect("the retry policy");
    assert_eq!((retry.max_attempts, retry.multiplier_percent), (3, 200));
    assert_eq!(retry.codes, ["UNAVAILABLE"]);
}

/// The attempts that a method of these options is given in a service that says how its methods are repeated.
fn attempts_in_service(method: &str, options: &str) -> Option<i32> {
    let policies = read_service(SERVICE_RETRY, method, options).expect("a sound policy");
    policies[0].retry.as_ref().map(|retry| retry.max_attempts)
}

#[test]
fn given_a_service_wide_retry_then_methods_that_may_be_repeated_have_it_unless_they_say_otherwise()
{
    let (before, rest) = SOUND.split_once("retry: {").expect("a retry");
    let (_, after) = rest.split_once("}}").expect("its end");
    let silent = format!("{before}{after}");
    let once = format!("{before}retry: {{max_attempts: 1}}{after}");
    assert_eq!(attempts_in_service(UNARY, &silent), Some(5));
    assert_eq!(attempts_in_service(UNARY, SOUND), Some(3));
    assert_eq!(attempts_in_service(UNARY, &once), None);

    let stream = "WatchOrder(GetOrderRequest) returns (stream GetOrderResponse)";
    assert_eq!(attempts_in_service(stream, &silent), None);
    let unrepeatable = silent
        .replace("option idempotency_level = NO_SIDE_EFFECTS;", "")
        .replace("ON_UNAVAILABLE_CACHE", "ON_UNAVAILABLE_REFUSE")
        .replace("max_age: {seconds: 60}", "");
    assert_eq!(attempts_in_service(UNARY, &unrepeatable), None);
}

#[test]
fn given_a_method_without_a_policy_then_it_is_refused() {
    let faults = read(UNARY, "").expect_err("a method without a policy is refused");
    assert_eq!(
        faults,
        [
            "shop/v1/order.proto:7: shop.v1.OrderService.GetOrder: has no policy; \
          add `option (cleave.mesh.v1.policy) = {...};` to the method"
        ]
    );
}

#[test]
fn given_retry_on_a_method_that_may_not_be_repeated_then_it_is_refused() {
    let mend = "set `option idempotency_level = NO_SIDE_EFFECTS;` or `IDEMPOTENT`, or drop `retry`";
    let unrepeatable = SOUND
        .replace("option idempotency_level = NO_SIDE_EFFECTS;", "")
        .replace("ON_UNAVAILABLE_CACHE", "ON_UNAVAILABLE_REFUSE")
        .replace("max_age: {seconds: 60}", "");
    let faults = read(UNARY, &unrepeatable).expect_err("retry on a mutation is refused");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0]
            .starts_with("shop/v1/order.proto:7: shop.v1.OrderService.GetOrder: asks for retry")
    );
    assert!(faults[0].ends_with(mend), "{faults:?}");
}

#[test]
fn given_hedging_on_a_method_that_may_not_be_repeated_then_it_is_refused() {
    let hedged = r"
    option (cleave.mesh.v1.policy) = {
      timeout: {seconds: 2}
      hedging: {max_attempts: 2 delay: {nanos: 5000000}}
      on_unavailable: ON_UNAVAILABLE_REFUSE
      criticality: CRITICALITY_DEFAULT
      callers: ['operations']
    };";
    let faults = read(UNARY, hedged).expect_err("hedging on a mutation is refused");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0].contains("shop.v1.OrderService.GetOrder: asks for hedging"),
        "{faults:?}"
    );
    assert!(faults[0].ends_with("or drop `hedging`"), "{faults:?}");
    for promise in ["NO_SIDE_EFFECTS", "IDEMPOTENT"] {
        let repeatable = format!("option idempotency_level = {promise};{hedged}");
        assert!(read(UNARY, &repeatable).is_ok(), "{promise} may be hedged");
    }
}

#[test]
fn given_cache_on_a_mutation_then_it_is_refused() {
    assert_refused(
        "NO_SIDE_EFFECTS",
        "IDEMPOTENT",
        "serves a mutation from the cache",
        "use ON_UNAVAILABLE_REFUSE or ON_UNAVAILABLE_QUEUE",
    );
}

#[test]
fn given_an_age_limit_missing_or_without_cache_then_it_is_refused() {
    assert_refused(
        "max_age: {seconds: 60}",
        "",
        "caches without an age limit",
        "set `max_age`",
    );
    assert_refused(
        "ON_UNAVAILABLE_CACHE",
        "ON_UNAVAILABLE_REFUSE",
        "sets max_age without CACHE",
        "drop `max_age`",
    );
}

#[test]
fn given_a_unary_method_without_a_timeout_then_it_is_refused_and_a_stream_is_not() {
    assert_refused(
        "timeout: {seconds: 2}",
        "",
        "is unary and has no timeout",
        "set `timeout`",
    );
    let stream = "WatchOrder(GetOrderRequest) returns (stream GetOrderResponse)";
    assert!(read(stream, &SOUND.replace("timeout: {seconds: 2}", "")).is_ok());
}

#[test]
fn given_a_span_that_is_not_positive_then_it_is_refused() {
    let faults = read(
        UNARY,
        &SOUND.replace("max_age: {seconds: 60}", "max_age: {seconds: -1}"),
    )
    .expect_err("a negative age is refused");
    let expected = "shop/v1/order.proto:7: shop.v1.OrderService.GetOrder: has a max_age that is not positive; mend `max_age`";
    assert_eq!(faults[0], expected);
}

#[test]
fn given_what_every_policy_states_left_out_then_it_is_refused() {
    assert_refused(
        "criticality: CRITICALITY_DEFAULT",
        "",
        "does not state criticality",
        "set `criticality`",
    );
    assert_refused(
        "['operations', 'cleave']",
        "[]",
        "may be called by nobody",
        "name its `callers`",
    );
    assert_refused(
        "'operations'",
        "'finance'",
        "names the unknown caller \"finance\"",
        "use one of operations",
    );
}

#[test]
fn given_a_retry_that_cannot_work_then_it_is_refused() {
    assert_refused(
        "max_attempts: 3",
        "max_attempts: 9",
        "asks for 9 attempts",
        "set `max_attempts` from 2 to 5",
    );
    assert_refused(
        "codes: [CODE_UNAVAILABLE]",
        "",
        "retries on no code",
        "name them",
    );
    assert_refused(
        "max_backoff: {seconds: 1}",
        "max_backoff: {nanos: 1}",
        "has max_backoff below initial_backoff",
        "raise `max_backoff`",
    );
    assert_refused(
        "max_backoff: {seconds: 1}",
        "max_backoff: {seconds: 1} backoff_multiplier_percent: 50",
        "shrinks its backoff",
        "set `backoff_multiplier_percent`",
    );
}

#[test]
fn given_several_faults_then_all_are_listed() {
    let broken = SOUND
        .replace("timeout: {seconds: 2}", "")
        .replace("NO_SIDE_EFFECTS", "IDEMPOTENT")
        .replace("criticality: CRITICALITY_DEFAULT", "");
    let faults = read(UNARY, &broken).expect_err("every fault is found");
    assert_eq!(faults.len(), 3, "{faults:#?}");
}
