//! What the services say of themselves: grpcurl needs no proto files, and both versions of reflection agree.

use crate::calls::{ACCOUNTS, account};
use crate::services::pair;
use crate::tools::Tools;
use anyhow::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn given_grpcurl_when_it_explores_then_contract_answers_and_errors_are_shown() -> Result<()> {
    let Some(tools) = Tools::find("grpcurl") else {
        return Ok(());
    };
    let pair = pair().await?;
    let target = pair.billing.addr().to_string();

    let (_, listed) = tools.grpcurl(&["-plaintext", &target, "list"]).await?;
    for service in [
        "cleave.billing.v1.AccountService",
        "cleave.billing.v1.LedgerService",
        "cleave.billing.v1.ReservationService",
        "cleave.billing.v1.SpendService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ] {
        assert!(listed.lines().any(|line| line == service), "{listed}");
    }

    let method = "cleave.billing.v1.ReservationService.ReserveBudget";
    let (_, described) = tools
        .grpcurl(&["-plaintext", &target, "describe", method])
        .await?;
    for part in [
        "// Holds a part of the free balance",
        "returns ( .cleave.billing.v1.ReserveBudgetResponse )",
        "option idempotency_level = IDEMPOTENT",
        "option (.cleave.mesh.v1.policy) = { timeout:<seconds:2",
    ] {
        assert!(described.contains(part), "no {part:?} in:\n{described}");
    }

    let open = format!("{}/OpenAccount", &ACCOUNTS[1..]);
    let data = account().to_string();
    let (fine, answer) = tools
        .grpcurl(&["-plaintext", "-d", &data, &target, &open])
        .await?;
    assert!(fine, "{answer}");
    let answer: Value = serde_json::from_str(&answer)?;
    assert_eq!(answer["account"]["displayName"], "Sunrise Games");

    let get = format!("{}/GetAccount", &ACCOUNTS[1..]);
    let data = json!({"account_id": "acct_01h455vb4pex5vsknk084sn02q"}).to_string();
    let (fine, error) = tools
        .grpcurl(&["-plaintext", "-format-error", "-d", &data, &target, &get])
        .await?;
    assert!(!fine);
    let error: Value = serde_json::from_str(&error)?;
    assert_eq!(error["code"], 5, "{error}");
    assert_eq!(
        error["details"][0]["reason"], "ACCOUNT_NOT_FOUND",
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_either_version_of_reflection_when_asked_then_the_answers_are_the_same() -> Result<()>
{
    let Some(tools) = Tools::find("reflection v1 and v1alpha") else {
        return Ok(());
    };
    let pair = pair().await?;
    let target = pair.operations.addr().to_string();
    let mut python = tools.caller()?;
    let known = json!([
        {"list_services": "*"},
        {"file_containing_symbol": "cleave.operations.v1.CampaignService"},
        {"file_containing_symbol": "cleave.operations.v1.Campaign.state"},
        {"file_containing_symbol": "cleave.operations.v1.CampaignService.GetCampaign"},
        {"file_by_filename": "cleave/mesh/v1/policy.proto"},
        {"file_containing_symbol": "google.rpc.ErrorInfo"},
    ]);
    let mut ask = async |version: &str, questions: &Value| {
        let method = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let order = json!({"target": target, "method": method, "kind": "stream_stream", "requests": questions});
        python.ask(order).await
    };
    let (today, older) = (ask("v1", &known).await?, ask("v1alpha", &known).await?);
    assert_eq!(today, older);
    let answers = today["replies"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(answers.len(), 6, "{today}");
    let services = answers[0]["list_services_response"]["service"].to_string();
    assert!(services.contains("cleave.operations.v1.DeliveryService"));
    for (answer, question) in answers[1..].iter().zip(1..) {
        let files = &answer["file_descriptor_response"]["file_descriptor_proto"];
        let first = files[0].as_str().unwrap_or_default();
        assert!(first.len() > 100, "question {question}: {answer}");
    }

    for unknown in [
        json!([{"file_containing_symbol": "nobody.Knows"}]),
        json!([{"file_by_filename": "nobody/knows.proto"}]),
    ] {
        for version in ["v1", "v1alpha"] {
            assert_eq!(ask(version, &unknown).await?["code"], "NOT_FOUND");
        }
    }
    Ok(())
}
