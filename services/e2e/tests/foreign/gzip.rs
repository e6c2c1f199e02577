//! Compressed requests are read, and answers to those who compress are compressed.

use crate::calls::{ACCOUNTS, account};
use crate::services::pair;
use crate::tools::Tools;
use anyhow::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn given_gzip_when_called_then_requests_and_answers_are_compressed() -> Result<()> {
    let Some(tools) = Tools::find("gzip by a Python client") else {
        return Ok(());
    };
    let pair = pair().await?;
    let target = pair.billing.addr().to_string();
    let mut python = tools.caller()?;
    // Reflection and health travel on the same compressing channel.
    let mut open = account();
    open["display_name"] = json!("Sunrise ".repeat(12));
    let order = json!({"target": target, "gzip": true, "method": format!("{ACCOUNTS}/OpenAccount"), "request": open});
    let opened = python.ask(order).await?;
    assert_eq!(opened["code"], "OK", "{opened}");
    assert_eq!(
        opened["replies"][0]["account"]["display_name"],
        open["display_name"]
    );
    let order = json!({"target": target, "gzip": true, "method": format!("{ACCOUNTS}/WatchAccounts"),
        "kind": "unary_stream", "replies": 1});
    let watched = python.ask(order).await?;
    assert_eq!(
        watched["replies"][0]["accounts"][0]["ops_ref"],
        open["ops_ref"]
    );
    let order = json!({"target": target, "gzip": true, "method": "/grpc.health.v1.Health/Check",
        "request": {"service": ""}});
    assert_eq!(python.ask(order).await?["replies"][0]["status"], "SERVING");
    Ok(())
}
