//! A call by a foreign client: the message, the metadata and the status that the contract promises.

use crate::services::pair;
use crate::tools::Tools;
use anyhow::Result;
use cleave_e2e::network::request_id;
use serde_json::{Value, json};

pub(crate) const ACCOUNTS: &str = "/cleave.billing.v1.AccountService";

/// An account to open.
pub(crate) fn account() -> Value {
    json!({
        "request_id": request_id(),
        "ops_ref": "adv_01h455vb4pex5vsknk084sn02q",
        "party": "PARTY_KIND_ADVERTISER",
        "display_name": "Sunrise Games",
        "currency_code": "INR",
        "mode": "ACCOUNT_MODE_PREPAID",
    })
}

/// The detail of this type in the status of an outcome.
pub(crate) fn detail<'a>(outcome: &'a Value, kind: &str) -> &'a Value {
    let details = outcome["details"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |detail: &&Value| {
        detail["@type"]
            .as_str()
            .is_some_and(|name| name.ends_with(kind))
    };
    details.iter().find(named).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn given_python_when_it_calls_then_it_reads_answers_and_refusals() -> Result<()> {
    let Some(tools) = Tools::find("a Python client's calls") else {
        return Ok(());
    };
    let pair = pair().await?;
    let target = pair.billing.addr().to_string();
    let mut python = tools.caller()?;

    // A mutation, and the same once more.
    let open = json!({"target": target, "method": format!("{ACCOUNTS}/OpenAccount"), "request": account()});
    let opened = python.ask(open.clone()).await?;
    assert_eq!(opened["code"], "OK", "{opened}");
    let found = &opened["replies"][0]["account"];
    assert!(
        found["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("acct_"))
    );
    assert_eq!(found["display_name"], "Sunrise Games");
    assert_eq!(python.ask(open).await?["replies"], opened["replies"]);

    // Refusals, with their details.
    let get = |id: &str| json!({"target": target, "method": format!("{ACCOUNTS}/GetAccount"), "request": {"account_id": id}});
    let unknown = python.ask(get("acct_01h455vb4pex5vsknk084sn02q")).await?;
    assert_eq!(unknown["code"], "NOT_FOUND", "{unknown}");
    let info = detail(&unknown, "google.rpc.ErrorInfo");
    assert_eq!(
        (&info["reason"], &info["domain"]),
        (&json!("ACCOUNT_NOT_FOUND"), &json!("billing.cleave")),
        "{unknown}"
    );
    let wrong = python.ask(get("account number four")).await?;
    assert_eq!(wrong["code"], "INVALID_ARGUMENT", "{wrong}");
    let fields = &detail(&wrong, "google.rpc.BadRequest")["field_violations"];
    assert_eq!(fields[0]["field"], "account_id", "{wrong}");

    // A stream of answers, left by the caller; and one of requests.
    let watch = json!({"target": target, "method": format!("{ACCOUNTS}/WatchAccounts"),
        "kind": "unary_stream", "replies": 1});
    let watched = python.ask(watch).await?;
    assert_eq!(watched["code"], "CANCELLED", "{watched}");
    assert_eq!(
        watched["replies"][0]["accounts"][0]["account_id"],
        found["id"]
    );
    let report = json!({"target": pair.operations.addr().to_string(), "kind": "stream_unary",
        "method": "/cleave.operations.v1.DeliveryService/ReportDelivery",
        "requests": [{"source": "python", "rows": [{"revision": "1"}]}, {"source": "python"}]});
    let reported = python.ask(report).await?;
    assert_eq!(reported["code"], "OK", "{reported}");
    assert_eq!(reported["replies"][0]["rejected_count"], "1", "{reported}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_python_when_a_call_is_malformed_then_the_status_is_exact() -> Result<()> {
    let Some(tools) = Tools::find("a Python client's mistakes") else {
        return Ok(());
    };
    let host =
        crate::services::host(|request| Ok(tonic::Response::new(request.into_inner()))).await?;
    let mut python = tools.caller()?;
    let order = |method: &str, text: &str, metadata: Value| {
        json!({"target": host.addr().to_string(), "plain": true, "request": text,
            "method": format!("/test.Script/{method}"), "metadata": metadata,
            "options": [["grpc.max_metadata_size", 65536]]})
    };

    let same = python.ask(order("Call", "hello", json!([]))).await?;
    assert_eq!(same["replies"][0], "hello", "{same}");
    let large = "x".repeat(4 * 1024 * 1024);
    let cases = [
        (
            order("Call", &large, json!([])),
            "RESOURCE_EXHAUSTED",
            "4194304",
        ),
        (
            order("Call", "", json!([["note", "y".repeat(20_000)]])),
            "RESOURCE_EXHAUSTED",
            "16384",
        ),
    ];
    for (order, code, part) in cases {
        let refused = python.ask(order).await?;
        assert_eq!(refused["code"], code, "{refused}");
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(message.contains(part), "{refused}");
    }
    let unknown = json!({"target": host.addr().to_string(), "plain": true, "request": "",
        "method": "/test.Nobody/Call"});
    assert_eq!(python.ask(unknown).await?["code"], "UNIMPLEMENTED");
    host.shutdown().await;
    Ok(())
}
