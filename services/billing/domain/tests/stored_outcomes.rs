//! Outcomes are stored as text and replayed for ever: what an older release wrote must read the same. A test that fails here means
//! that the format changed; extend it so that old texts still read, and add the new text as another case.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use billing_domain::{Outcome, Refusal};

/// One text of each kind, as release 0.1 writes it.
const STORED: [&str; 13] = [
    r#"{"Ok":{"changed":{"account":{"id":"acct_00000000000000000000000001","ops_ref":{"advertiser":"adv_00000000000000000000000002"},"display_name":"Acme","currency":"INR","mode":"prepaid_with_credit","credit_limit":500,"net_days":30,"state":"open","standing_override":{"standing":"blocked","reason":"returned","actor":"finance","ends_at":7,"created_at":6},"version":2,"revision":9,"created_at":1,"updated_at":2,"closed_at":null},"standing":"blocked"}}}"#,
    r#"{"Ok":{"recorded":{"payment":{"id":"pay_00000000000000000000000003","account":"acct_00000000000000000000000001","amount":{"currency":"INR","micros":100},"external_ref":"bank-1","method":"upi","received_at":3,"created_at":4},"available":600}}}"#,
    r#"{"Ok":{"adjusted":{"id":"adj_00000000000000000000000004","account":"acct_00000000000000000000000001","kind":"goodwill","direction":"credit","amount":{"currency":"INR","micros":5},"reason":"favour","actor":"finance","created_at":5}}}"#,
    r#"{"Ok":{"reserved":{"reservation":{"id":"rsv_00000000000000000000000005","account":"acct_00000000000000000000000001","advertiser":"adv_00000000000000000000000002","line_item":"line_00000000000000000000000006","terms_version":1,"currency":"INR","granted":10,"posted":0,"freed":0,"state":"held","serve_until":60,"settle_until":120,"created_at":0,"closed_at":null},"standing":"on_hold","revision":3}}}"#,
    r#"{"Ok":{"released":{"reservation":{"id":"rsv_00000000000000000000000005","account":"acct_00000000000000000000000001","advertiser":"adv_00000000000000000000000002","line_item":"line_00000000000000000000000006","terms_version":1,"currency":"INR","granted":10,"posted":0,"freed":10,"state":{"closed":"voided"},"serve_until":60,"settle_until":120,"created_at":0,"closed_at":9},"kept":0,"freed":10}}}"#,
    r#"{"Err":{"insufficient_funds":{"account":"acct_00000000000000000000000001","available":-1,"requested":10,"currency":"INR"}}}"#,
    r#"{"Err":{"account_not_found":{"account":"adv_00000000000000000000000002"}}}"#,
    r#"{"Err":{"stale_etag":{"account":"acct_00000000000000000000000001","etag":"v2"}}}"#,
    r#"{"Err":{"reservation_closed":{"reservation":"rsv_00000000000000000000000005","state":{"closed":"expired"}}}}"#,
    r#"{"Ok":{"written_off":{"rows":[{"id":"00000000-0000-0000-0000-000000000007","revision":2,"source":"own","line_item":"line_00000000000000000000000006","terms_version":1,"ad_unit":"unit_00000000000000000000000008","hour":3,"content":"clicks=1","obstacle":"account_closed","detail":"adv_00000000000000000000000002","rated":true,"reason":"late","actor":"finance","created_at":9}],"adjustments":[{"id":"adj_00000000000000000000000004","account":"acct_00000000000000000000000001","kind":"write_off","direction":"debit","amount":{"currency":"INR","micros":5},"reason":"late","actor":"finance","created_at":9}]}}}"#,
    r#"{"Err":{"delivery_open":{"account":"acct_00000000000000000000000001","until":7,"parked":1}}}"#,
    r#"{"Err":{"parked_row_not_found":{"row":"00000000-0000-0000-0000-000000000007"}}}"#,
    r#"{"Err":{"parked_row_changed":{"row":"00000000-0000-0000-0000-000000000007","revision":3}}}"#,
];

#[test]
fn given_what_was_stored_when_read_and_written_then_it_is_the_same() {
    for stored in STORED {
        let decision: Result<Outcome, Refusal> = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&decision).unwrap(), stored);
    }
}
