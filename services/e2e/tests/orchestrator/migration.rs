//! A migration that fails: the release before serves on, the new one does not begin, and both say why.

use crate::cluster::Cluster;
use crate::pod::Phase;
use crate::rig::Rig;
use crate::side::Side;
use crate::turn;
use anyhow::Result;
use cleave_e2e::until;
use sea_orm::ConnectionTrait as _;

const SCALE: u32 = 10;
/// A step that can be done again; the database is made to have forgotten it, as if this release were the first to have it.
const STEP: &str = "storage_m0002_sequences";
/// The database lets itself be read only, as a standby does.
const READ_ONLY: &str = "options=-c%20default_transaction_read_only%3Don";

#[tokio::test(flavor = "multi_thread")]
async fn given_load_when_a_migration_fails_then_the_release_before_serves_on_until_it_is_mended()
-> Result<()> {
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(Side::Billing, 3, SCALE).await? else {
        return Ok(());
    };
    let load = rig.load().await?;
    load.more(30).await;
    let forget = format!("DELETE FROM schema_migrations WHERE name = '{STEP}'");
    rig.database
        .db()
        .reader()
        .execute_unprepared(&forget)
        .await?;

    // when: the release and its Job are applied together, and the Job fails
    let next = rig.template(2)?;
    rig.cluster.apply(next);
    let url = rig.database.url().to_owned();
    let mark = if url.contains('?') { '&' } else { '?' };
    let (done, words) = rig.migrate(&format!("{url}{mark}{READ_ONLY}")).await?;

    // then
    assert!(!done && words.contains("read-only"), "{words}");
    rig.cluster
        .until("a new replica waits", |cluster| {
            cluster.of(2).next().is_some()
        })
        .await?;
    let told = || async { rig.cluster.of(2).any(|pod| pod.log().contains(STEP)) };
    until::holds("the new replica says what it waits for", told).await;
    load.more(60).await;
    rig.cluster.until("it goes on as before", |_| true).await?;
    assert!(
        rig.cluster
            .of(2)
            .all(|pod| pod.state().phase == Phase::Waiting),
        "{}",
        rig.cluster.describe()
    );
    assert_eq!(
        rig.cluster.of(1).filter(|pod| pod.is_available()).count(),
        rig.cluster.spec.replicas
    );

    // and when it is mended, nothing more is to be done
    let (done, words) = rig.migrate(&url).await?;
    assert!(done, "{words}");
    rig.cluster
        .until("the release is rolled out", Cluster::is_rolled_out)
        .await?;
    let calls = load.stop().await;
    println!(
        "failed migration       | {} of {} calls failed",
        calls.failed(),
        calls.calls()
    );
    assert_eq!(
        calls.failed(),
        0,
        "{}\n{}",
        calls.why(),
        rig.cluster.describe()
    );
    Ok(())
}
