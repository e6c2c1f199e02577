//! The last answer is used while the peer is away, and says so.

use crate::peer::{Peer, call, refuse, reply, text_of};
use cleave_mesh::{FromCache, Origin, Reading};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tonic::{Code, Response};

/// A peer that echoes, or refuses while `away` holds.
async fn echo(away: Arc<AtomicBool>, code: Code) -> Peer {
    Peer::start(move |_, request| {
        let away = Arc::clone(&away);
        async move {
            match away.load(Ordering::SeqCst) {
                true => refuse(code),
                false => reply(&[&text_of(request).await], Code::Ok),
            }
        }
    })
    .await
}

async fn ask(peer: &Peer, method: &str, text: &str) -> Result<Response<String>, tonic::Status> {
    crate::peer::full(&peer.channel, method, tonic::Request::new(text.to_owned())).await
}

#[tokio::test]
async fn the_last_answer_to_the_same_request_stands_in() {
    let away = Arc::new(AtomicBool::new(false));
    let peer = echo(Arc::clone(&away), Code::Unavailable).await;
    let live = ask(&peer, "Kept", "one").await.expect("answer");
    assert!(live.extensions().get::<FromCache>().is_none());
    assert_eq!(
        Reading::of(live, SystemTime::UNIX_EPOCH, |_| 1).origin,
        Origin::Live
    );

    away.store(true, Ordering::SeqCst);
    let kept = ask(&peer, "Kept", "one").await.expect("kept");
    assert!(kept.extensions().get::<FromCache>().is_some());
    let reading = Reading::of(kept, SystemTime::UNIX_EPOCH, |_| 1);
    assert_eq!(
        (reading.value.as_str(), reading.origin),
        ("one", Origin::Cache)
    );

    let other = ask(&peer, "Kept", "two").await.expect_err("never asked");
    assert_eq!(other.code(), Code::Unavailable);
    ask(&peer, "Read", "one").await.expect_err("keeps nothing");
}

#[tokio::test]
async fn an_answer_grows_too_old() {
    let away = Arc::new(AtomicBool::new(false));
    let peer = echo(Arc::clone(&away), Code::Unavailable).await;
    ask(&peer, "Fleeting", "one").await.expect("answer");
    away.store(true, Ordering::SeqCst);

    let gone = async {
        while ask(&peer, "Fleeting", "one").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("it ends");
}

#[tokio::test]
async fn a_refusal_is_not_covered_up() {
    let away = Arc::new(AtomicBool::new(false));
    let peer = echo(Arc::clone(&away), Code::NotFound).await;
    call(&peer.channel, "Kept", tonic::Request::new("one".to_owned()))
        .await
        .expect("answer");
    away.store(true, Ordering::SeqCst);

    let status = ask(&peer, "Kept", "one").await.expect_err("refused");

    assert_eq!(status.code(), Code::NotFound);
}
