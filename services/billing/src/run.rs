//! From settings to a running service.

use crate::app::App;
use crate::peers::Operations;
use crate::rpc;
use crate::settings::Settings;
use crate::tasks;
use crate::tasks::heard::Heard;
use crate::tasks::rater::Rater;
use anyhow::Context as _;
use billing_store::{Store, StoreOptions};
use cleave_contracts::billing::v1::account_service_server::AccountServiceServer;
use cleave_contracts::billing::v1::ledger_service_server::LedgerServiceServer;
use cleave_contracts::billing::v1::reservation_service_server::ReservationServiceServer;
use cleave_contracts::billing::v1::spend_service_server::SpendServiceServer;
use cleave_host::command::Program;
use cleave_host::config::{HostSettings, TelemetrySettings};
use cleave_host::{Drain, Host, Running, gzip};
use cleave_kernel::{Clock, SharedClock, SystemClock};
use cleave_mesh::Mesh;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use cleave_storage::backup::{self as copies, Contents, Restore, Restored};
use cleave_storage::{Database, Engine, Inspection, migrate as migrations};
use operations_client::OperationsClient;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A database that takes longer to be looked at is not there.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// The service, for the frame of its binary.
#[derive(Debug)]
pub struct Billing;

impl Program for Billing {
    const NAME: &'static str = "billing";
    const ABOUT: &'static str = "The billing data service: accounts, ledger, reservations, rating";
    const DEFAULTS: &'static str = include_str!("../config.default.toml");
    const DATABASES: &'static str = Engine::NAMES;
    type Settings = Settings;

    fn policies() -> PolicyTable {
        cleave_contracts::POLICIES
    }

    fn host(settings: &Settings) -> &HostSettings {
        &settings.host
    }

    fn telemetry(settings: &Settings) -> &TelemetrySettings {
        &settings.telemetry
    }

    async fn migrate(settings: Settings) -> anyhow::Result<()> {
        migrate(&settings).await
    }

    async fn backup(settings: Settings, file: PathBuf) -> anyhow::Result<String> {
        Ok(backup(&settings, &file).await?.to_string())
    }

    async fn restore(
        settings: Settings,
        file: Option<PathBuf>,
        force: bool,
    ) -> anyhow::Result<String> {
        let restored = restore(&settings, file.as_deref(), force).await?;
        Ok(restored.to_string())
    }

    async fn pending(settings: &Settings) -> anyhow::Result<Vec<String>> {
        let seen = inspect(settings, LOOK_TIMEOUT).await?;
        Ok(seen.pending)
    }

    async fn start(settings: Settings) -> anyhow::Result<Running> {
        start(settings).await
    }
}

/// Brings the database to the schema of this version.
///
/// # Errors
/// When the database cannot be reached or changed.
pub async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let database = connect(settings).await?;
    let applied = migrations::run(&database, &billing_store::migrations()).await?;
    tracing::info!(
        migrations.applied = applied.len(),
        "the schema is up to date"
    );
    Ok(database.close().await?)
}

/// Copies the embedded database to a new file, while the service may run.
///
/// # Errors
/// When there is such a file, the database is a server's, or the copy is not sound.
pub async fn backup(settings: &Settings, file: &Path) -> anyhow::Result<Contents> {
    let known = billing_store::migrations();
    Ok(copies::backup(&settings.database.url, file, &known).await?)
}

/// Puts a copy in the place of the embedded database, or takes over what a server's tools have restored.
///
/// # Errors
/// When the service runs, a database is there and may not be set aside, or the copy is not sound.
pub async fn restore(
    settings: &Settings,
    file: Option<&Path>,
    force: bool,
) -> anyhow::Result<Restored> {
    let order = Restore {
        url: &settings.database.url,
        from: file,
        force,
        migrations: &billing_store::migrations(),
    };
    let renew = |txn| async move { billing_store::mark_restored(&txn, SystemClock.now()).await };
    Ok(copies::restore(order, renew).await?)
}

/// Looks at the database from outside and changes nothing.
///
/// # Errors
/// When it cannot be reached or used within the time.
pub async fn inspect(settings: &Settings, timeout: Duration) -> anyhow::Result<Inspection> {
    let known = billing_store::migrations();
    let url = &settings.database.url;
    Ok(cleave_storage::inspect(url, &known, timeout).await?)
}

/// Starts the service by the machine's clock.
///
/// # Errors
/// When the settings do not allow it, or the database does not fit.
pub async fn start(settings: Settings) -> anyhow::Result<Running> {
    // On the heap, so that whoever embeds a start does not inherit the depth of its future's type.
    Box::pin(start_with(settings, Arc::new(SystemClock))).await
}

/// Starts the service by a clock of the caller's.
///
/// # Errors
/// When the settings do not allow it, or the database does not fit.
pub async fn start_with(settings: Settings, clock: SharedClock) -> anyhow::Result<Running> {
    let database = connect(&settings).await?;
    prepare(&settings, &database).await?;
    let zone = settings
        .ledger
        .zone()
        .context("ledger.time_zone is no IANA time zone")?;
    let options = StoreOptions {
        clock,
        zone,
        corrections: settings.rating.correction_window,
        poll: settings.watch.poll,
    };
    let store = Store::open(database.clone(), options);
    let app = App::new(store.clone());
    let drain = Drain::new();
    let watching = rpc::account::Watching {
        heartbeat: settings.watch.heartbeat,
        drain: drain.clone(),
    };
    let credentials = settings.host.tls.credentials().context("host.tls")?;
    let mut host = Host::builder(Billing::NAME, &settings.host)
        .credentials(credentials.clone())
        .policies(cleave_contracts::POLICIES)
        .descriptors(cleave_contracts::FILE_DESCRIPTOR_SET)
        .drain(drain)
        .service(gzip!(AccountServiceServer::new(
            rpc::account::Accounts::new(app.clone(), watching,)
        )))
        .service(gzip!(LedgerServiceServer::new(rpc::ledger::Ledger::new(
            app.clone(),
        ))))
        .service(gzip!(ReservationServiceServer::new(
            rpc::reservation::Reservations::new(app.clone()),
        )))
        .service(gzip!(SpendServiceServer::new(rpc::spend::Spends::new(
            app.clone(),
        ))))
        .task(tasks::expiry::task(
            app.clone(),
            settings.ledger.expiry_period,
        ))
        .task(tasks::settlement::task(
            app.clone(),
            settings.rating.settle_period,
            settings.rating.settle_after,
        ))
        .readiness("database", move || {
            let database = database.clone();
            async move { Ok(database.ping().await?) }
        })
        .on_stopped("store", async move { Ok(store.close().await?) });
    let figures = settings.telemetry.figures;
    if let Some(mesh) = mesh(&settings, credentials.as_ref())? {
        let heard = Heard::new(app.clock().now());
        let client = OperationsClient::new(mesh.to(operations_client::PEER)?);
        let rater = Rater::new(app.clone(), Operations::new(client));
        let period = settings.rating.retry_period;
        host = host
            .task(tasks::figures::task(app, Some(heard.clone()), figures))
            .task(tasks::delivery::task(rater.clone(), heard))
            .task(tasks::parked_rows::task(rater, period))
            .state("peers", move || serde_json::json!(mesh.state()));
    } else {
        host = host.task(tasks::figures::task(app, None, figures));
    }
    let running = host.start().await?;
    // After the start, which installs what records the figures.
    tasks::meter::describe();
    Ok(running)
}

/// The way to Operations for the tasks, unless this process takes in no delivery.
fn mesh(settings: &Settings, credentials: Option<&Credentials>) -> anyhow::Result<Option<Mesh>> {
    let address = settings.peers.operations.as_str();
    if address.is_empty() {
        return Ok(None);
    }
    let policies = cleave_contracts::POLICIES;
    let mesh = cleave_host::mesh(Billing::NAME, policies, &settings.host, credentials)
        .peer(operations_client::PEER, address)
        .build()
        .context("Operations (peers.operations) cannot be called")?;
    Ok(Some(mesh))
}

async fn connect(settings: &Settings) -> anyhow::Result<Database> {
    let database = &settings.database;
    Database::connect(&database.url, &database.options())
        .await
        .context("the database (database.url) cannot be used")
}

/// Brings the schema up to date where that is wanted, and refuses to run on one that does not serve this version.
async fn prepare(settings: &Settings, database: &Database) -> anyhow::Result<()> {
    let all = billing_store::migrations();
    let apply = settings.database.migrate || settings.database.is_embedded();
    Ok(migrations::prepare(database, &all, apply).await?)
}
