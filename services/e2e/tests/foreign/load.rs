//! Many calls, and many streams at one time, by clients that are not ours and by the mesh beside them.

use crate::calls::ACCOUNTS;
use crate::services::pair;
use crate::tools::{Tools, output};
use anyhow::Result;
use billing_client::{BillingClient, pb};
use cleave_e2e::network::request_id;
use futures::StreamExt as _;
use prost::Message as _;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tonic::Code;

/// Streams that each client holds at one time.
const STREAMS: usize = 3_000;
/// Calls that h2load makes.
const CALLS: u64 = 5_000;

fn opening(ops_ref: &str) -> pb::OpenAccountRequest {
    pb::OpenAccountRequest {
        request_id: request_id(),
        ops_ref: ops_ref.to_owned(),
        party: billing_client::types::PartyKind::Advertiser.into(),
        display_name: "Sunrise Games".to_owned(),
        currency_code: "INR".to_owned(),
        mode: billing_client::types::AccountMode::Prepaid.into(),
        ..Default::default()
    }
}

/// The metrics of the process at this admin port.
async fn metrics(admin: SocketAddr) -> Result<String> {
    let mut stream = tokio::net::TcpStream::connect(admin).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    Ok(page)
}

/// The calls of a method that ended with this status.
fn ended(page: &str, method: &str, status: &str) -> u64 {
    let (method, status) = (format!("\"{method}\""), format!("\"{status}\""));
    let wanted = |line: &&str| {
        line.starts_with("grpc_server_call_duration_count")
            && line.contains(&method)
            && line.contains(&status)
    };
    let count = |line: &str| line.rsplit_once(' ')?.1.parse::<u64>().ok();
    page.lines().filter(wanted).filter_map(count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_h2load_when_it_calls_as_fast_as_it_can_then_every_call_is_answered() -> Result<()> {
    let Some(tools) = Tools::find("load by h2load") else {
        return Ok(());
    };
    let pair = pair().await?;
    let billing = pair.billing_client()?;
    let ops_ref = "adv_01h455vb4pex5vsknk084sn02q";
    billing.open_account(opening(ops_ref)).await?;

    // The request as it goes over the wire.
    let key = pb::get_account_request::Key::OpsRef(ops_ref.to_owned());
    let message = pb::GetAccountRequest { key: Some(key) }.encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(message.len())?.to_be_bytes());
    body.extend(message);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("request");
    std::fs::write(&file, body)?;

    let url = format!("http://{}{ACCOUNTS}/GetAccount", pair.billing.addr());
    let (calls, data) = (CALLS.to_string(), file.display().to_string());
    let arguments = [
        "-n",
        &calls,
        "-c",
        "8",
        "-m",
        "16",
        "-d",
        &data,
        "-H",
        "content-type: application/grpc",
        "-H",
        "te: trailers",
        &url,
    ];
    let (fine, told) = output(tools.h2load(), &arguments).await?;
    assert!(fine, "{told}");
    let all = format!("{CALLS} done, {CALLS} succeeded, 0 failed, 0 errored, 0 timeout");
    assert!(told.contains(&all), "{told}");
    // To h2load every answer is a success; the service knows better.
    let page = metrics(pair.billing.admin()).await?;
    let method = format!("{}/GetAccount", &ACCOUNTS[1..]);
    let answered = ended(&page, &method, "OK");
    let shed = ended(&page, &method, "RESOURCE_EXHAUSTED");
    assert_eq!(answered + shed, CALLS, "{page}");
    assert!(answered > CALLS / 2, "{answered} answered, {shed} shed");
    Ok(())
}

/// The mesh's own streams, beside the foreign ones.
struct Followers {
    opened: Arc<AtomicUsize>,
    seen: Arc<AtomicUsize>,
    streams: JoinSet<Code>,
}

impl Followers {
    /// Opens the streams; each looks for this account.
    fn start(billing: &BillingClient, sought: &'static str) -> Self {
        let (opened, seen) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut streams = JoinSet::new();
        for _ in 0..STREAMS {
            let (billing, opened, seen) = (billing.clone(), opened.clone(), seen.clone());
            streams.spawn(async move {
                let watch = billing.watch_accounts(pb::WatchAccountsRequest::default());
                let mut stream = match watch.await {
                    Ok(stream) => stream,
                    Err(error) => return error.code,
                };
                let mut first = true;
                loop {
                    let message = match stream.next().await {
                        Some(Ok(message)) => message,
                        Some(Err(error)) => return error.code,
                        None => return Code::Ok,
                    };
                    if std::mem::take(&mut first) {
                        opened.fetch_add(1, Ordering::SeqCst);
                    }
                    if message.accounts.iter().any(|one| one.ops_ref == sought) {
                        seen.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        Self {
            opened,
            seen,
            streams,
        }
    }

    async fn reach(count: &AtomicUsize, what: &str) {
        cleave_e2e::until::holds(what, || async { count.load(Ordering::SeqCst) >= STREAMS }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_3000_streams_of_each_client_when_something_changes_then_all_see_it() -> Result<()> {
    const SECOND: &str = "adv_01h455vb4pex5vsknk084sn02r";
    let Some(tools) = Tools::find("3,000 concurrent streams") else {
        return Ok(());
    };
    let mut pair = pair().await?;
    let billing = pair.billing_client()?;
    billing
        .open_account(opening("adv_01h455vb4pex5vsknk084sn02q"))
        .await?;
    let target = pair.billing.addr().to_string();

    // given
    let watch = format!("{ACCOUNTS}/WatchAccounts");
    let mut python = tools.streams(&[&target, &watch, SECOND, &STREAMS.to_string(), "3"])?;
    let followers = Followers::start(&billing, SECOND);
    assert_eq!(python.answer().await?, json!({"opened": STREAMS}));
    Followers::reach(&followers.opened, "every stream of the mesh is open").await;

    // when
    billing.open_account(opening(SECOND)).await?;

    // then
    assert_eq!(python.answer().await?, json!({"seen": STREAMS}));
    Followers::reach(&followers.seen, "every stream of the mesh has seen it").await;

    // and: the end of the service ends them all, and is not held up
    assert!(pair.billing.stop().await?.success());
    assert_eq!(
        python.answer().await?,
        json!({"ended": {"UNAVAILABLE": STREAMS}})
    );
    let codes = followers.streams.join_all().await;
    assert!(
        codes.iter().all(|code| *code == Code::Unavailable),
        "{codes:?}"
    );
    Ok(())
}
