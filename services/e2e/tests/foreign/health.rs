//! Health as probes ask for it: Check, List, and Watch from the first answer to the end of the service.

use crate::services::pair;
use crate::tools::Tools;
use anyhow::Result;
use serde_json::{Value, json};

const BILLING: &str = "cleave.billing.v1.LedgerService";

fn order(target: &str, method: &str, service: &str) -> Value {
    let request = match method {
        "List" => json!({}),
        _ => json!({"service": service}),
    };
    json!({"target": target, "method": format!("/grpc.health.v1.Health/{method}"), "request": request})
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_foreign_probe_when_it_checks_then_every_service_is_known() -> Result<()> {
    let Some(tools) = Tools::find("health checked by foreign probes") else {
        return Ok(());
    };
    let pair = pair().await?;
    let target = pair.billing.addr().to_string();
    let mut python = tools.caller()?;
    for service in ["", BILLING, "grpc.health.v1.Health"] {
        let checked = python.ask(order(&target, "Check", service)).await?;
        assert_eq!(checked["replies"][0]["status"], "SERVING", "{service}");
        let data = json!({"service": service}).to_string();
        let probe = [
            "-plaintext",
            "-d",
            &data,
            &target,
            "grpc.health.v1.Health/Check",
        ];
        let (fine, answer) = tools.grpcurl(&probe).await?;
        assert!(fine && answer.contains("SERVING"), "{service}: {answer}");
    }
    let unknown = python.ask(order(&target, "Check", "nobody.Knows")).await?;
    assert_eq!(unknown["code"], "NOT_FOUND", "{unknown}");
    let listed = python.ask(order(&target, "List", "")).await?;
    assert_eq!(
        listed["replies"][0]["statuses"][BILLING]["status"], "SERVING",
        "{listed}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_foreign_watchers_when_the_service_ends_then_each_is_told_and_let_go() -> Result<()> {
    let Some(tools) = Tools::find("health watched by foreign probes") else {
        return Ok(());
    };
    let mut pair = pair().await?;
    let target = pair.billing.addr().to_string();
    let mut watchers = Vec::new();
    for service in ["", BILLING, "nobody.Knows"] {
        let mut python = tools.caller()?;
        let mut watch = order(&target, "Watch", service);
        watch["kind"] = json!("unary_stream");
        // Told once it is open: the first answer is read before the end begins.
        let mut first = watch.clone();
        first["replies"] = json!(1);
        let expected = match service {
            "nobody.Knows" => "SERVICE_UNKNOWN",
            _ => "SERVING",
        };
        let seen = python.ask(first).await?;
        assert_eq!(seen["replies"], json!([{"status": expected}]), "{seen}");
        watch["opened"] = json!(true);
        let opened = python.ask(watch).await?;
        assert_eq!(opened["opened"], json!({"status": expected}));
        watchers.push((service, python));
    }

    assert!(pair.billing.stop().await?.success());

    for (service, mut python) in watchers {
        let seen = python.answer().await?;
        let (code, replies) = (&seen["code"], &seen["replies"]);
        assert_eq!(code, "UNAVAILABLE", "{service}: {seen}");
        let expected = match service {
            "nobody.Knows" => json!([{"status": "SERVICE_UNKNOWN"}]),
            _ => json!([{"status": "SERVING"}, {"status": "NOT_SERVING"}]),
        };
        assert_eq!(*replies, expected, "{service}");
    }
    Ok(())
}
