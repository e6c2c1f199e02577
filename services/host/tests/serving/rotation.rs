//! New certificates and a new authority while calls go on.

use crate::pki::{self, Authority, Files, identified};
use crate::rig::{host, page, reply, rest, unary};
use cleave_host::Running;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::tls::Credentials;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    callers: &["operations"],
    ..MethodPolicy::new("/test.Script/Call")
}]);

async fn start(files: &Files) -> Running {
    let own = files.settings();
    let own: Vec<_> = own
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let running = host(&own, |_| async { reply("fine") })
        .policies(POLICIES)
        .start()
        .await
        .expect("started");
    running.ready().await;
    running
}

/// Waits until the service has taken `generation` of its credentials or a later one.
async fn taken(running: &Running, generation: u64) {
    loop {
        let (_, body) = page(running.admin_addr(), "/mesh").await;
        let state: serde_json::Value = serde_json::from_str(&body).expect("json");
        if state["tls"]["generation"].as_u64() >= Some(generation) {
            return;
        }
        rest().await;
    }
}

/// Connects and calls, again and again, until told to stop; counts the calls.
async fn load(
    running: Running,
    credentials: Credentials,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
) {
    while !stop.load(Ordering::SeqCst) {
        let channel = pki::connect(running.addr(), identified(&credentials))
            .await
            .expect("connected");
        for _ in 0..3 {
            let answer = unary(&channel, "Call", String::new()).await;
            assert_eq!(answer.expect("answer"), "fine");
            calls.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Waits until so many more calls were made.
async fn more(calls: &AtomicU64) {
    let goal = calls.load(Ordering::SeqCst) + 20;
    while calls.load(Ordering::SeqCst) < goal {
        rest().await;
    }
}

#[tokio::test]
async fn a_change_of_authority_under_load_loses_no_call() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = old.files(pki::SERVER);
    let client = old.files("operations");
    let running = start(&server).await;
    let credentials = client.credentials();
    let (stop, calls) = (Arc::default(), Arc::<AtomicU64>::default());
    let load = load(
        running.clone(),
        credentials.clone(),
        Arc::clone(&stop),
        Arc::clone(&calls),
    );
    let load = tokio::spawn(load);
    more(&calls).await;

    // Both ends first believe both authorities.
    let both = old.pem() + &new.pem();
    server.trust(&both);
    client.trust(&both);
    assert!(credentials.reload().expect("reloaded"));
    taken(&running, 2).await;
    more(&calls).await;
    // Then they get certificates of the new one, one end after the other.
    server.own(new.issue(pki::SERVER));
    taken(&running, 3).await;
    more(&calls).await;
    client.own(new.issue("operations"));
    assert!(credentials.reload().expect("reloaded"));
    more(&calls).await;
    // Then the old authority is forgotten.
    server.trust(&new.pem());
    client.trust(&new.pem());
    assert!(credentials.reload().expect("reloaded"));
    taken(&running, 4).await;
    more(&calls).await;

    stop.store(true, Ordering::SeqCst);
    load.await.expect("every call was answered");
    // Who still comes with the old authority's word is not believed.
    let late = old.files("operations");
    late.trust(&new.pem());
    let config = identified(&late.credentials());
    if let Ok(channel) = pki::connect(running.addr(), config).await {
        let refused = unary(&channel, "Call", String::new()).await;
        refused.expect_err("the old authority is forgotten");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_last_good_ones_in_force() {
    let authority = Authority::new();
    let server = authority.files(pki::SERVER);
    let running = start(&server).await;
    let credentials = authority.files("operations").credentials();

    server.own(("no certificate".to_owned(), "no key".to_owned()));
    let failures = "cleave_tls_reloads{outcome=\"error\"}";
    while !page(running.admin_addr(), "/metrics")
        .await
        .1
        .contains(failures)
    {
        rest().await;
    }

    let channel = pki::connect(running.addr(), identified(&credentials))
        .await
        .expect("connected");
    let answer = unary(&channel, "Call", String::new()).await;
    assert_eq!(answer.expect("answer"), "fine");
    let (_, metrics) = page(running.admin_addr(), "/metrics").await;
    assert!(metrics.contains("cleave_tls_certificate_expiry_timestamp_seconds"));
}
