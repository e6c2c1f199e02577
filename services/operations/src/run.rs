//! From settings to a running service.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use billing_client::BillingClient;
use cleave_contracts::operations::v1::ad_unit_service_server::AdUnitServiceServer;
use cleave_contracts::operations::v1::advertiser_service_server::AdvertiserServiceServer;
use cleave_contracts::operations::v1::campaign_service_server::CampaignServiceServer;
use cleave_contracts::operations::v1::catalog_service_server::CatalogServiceServer;
use cleave_contracts::operations::v1::delivery_service_server::DeliveryServiceServer;
use cleave_contracts::operations::v1::game_service_server::GameServiceServer;
use cleave_contracts::operations::v1::line_item_service_server::LineItemServiceServer;
use cleave_contracts::operations::v1::publisher_service_server::PublisherServiceServer;
use cleave_contracts::operations::v1::rev_share_service_server::RevShareServiceServer;
use cleave_host::command::Program;
use cleave_host::config::{HostSettings, TelemetrySettings};
use cleave_host::{Drain, Host, HostBuilder, Running, gzip};
use cleave_kernel::{Clock, SharedClock, SystemClock};
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use cleave_storage::backup::{self as copies, Contents, Restore, Restored};
use cleave_storage::{Database, Engine, Inspection, migrate as migrations};
use operations_store::Store;

use crate::app::{App, DeliveryIntake};
use crate::peers::billing::Billing;
use crate::rpc::{
    AdUnits, Advertisers, Campaigns, Catalog, Delivery, Games, LineItems, Publishers, RevShares,
    Watching,
};
use crate::settings::Settings;
use crate::tasks;

/// A database that takes longer to be looked at is not there.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// The service, for the frame of its binary.
#[derive(Debug)]
pub struct Operations;

impl Program for Operations {
    const NAME: &'static str = "operations";
    const ABOUT: &'static str = "The operations data service: catalogue, delivery, leases";
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
    let applied = migrations::run(&database, &operations_store::migrations()).await?;
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
    let known = operations_store::migrations();
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
        migrations: &operations_store::migrations(),
    };
    let renew = |txn| async move { operations_store::end_leases(&txn, SystemClock.now()).await };
    Ok(copies::restore(order, renew).await?)
}

/// Looks at the database from outside and changes nothing.
///
/// # Errors
/// When it cannot be reached or used within the time.
pub async fn inspect(settings: &Settings, timeout: Duration) -> anyhow::Result<Inspection> {
    let known = operations_store::migrations();
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
        .delivery
        .zone()
        .context("delivery.time_zone is no IANA time zone")?;
    let store = Store::new(database.clone(), settings.watch.poll);
    let app = App::new(store, clock, zone);
    let drain = Drain::new();
    let watching = Watching {
        heartbeat: settings.watch.heartbeat,
        drain: drain.clone(),
    };
    let credentials = settings.host.tls.credentials().context("host.tls")?;
    let host = Host::builder(Operations::NAME, &settings.host)
        .credentials(credentials.clone())
        .policies(cleave_contracts::POLICIES)
        .descriptors(cleave_contracts::FILE_DESCRIPTOR_SET)
        .drain(drain);
    let intake = DeliveryIntake::spawn(app.clone());
    let host = with_services(host, &app, &watching).service(gzip!(DeliveryServiceServer::new(
        Delivery::new(app.clone(), intake.clone(), watching),
    )));
    let host = with_tasks(host, &app, &settings, credentials.as_ref())?;
    let probed = database.clone();
    let running = host
        .readiness("database", move || {
            let database = probed.clone();
            async move { Ok(database.ping().await?) }
        })
        .on_stopped("database", async move {
            intake.close().await;
            Ok(database.close().await?)
        })
        .start()
        .await?;
    // After the start, which installs what records the figures.
    tasks::meter::describe();
    Ok(running)
}

/// Serves the contract.
fn with_services(host: HostBuilder, app: &App, watching: &Watching) -> HostBuilder {
    host.service(gzip!(AdvertiserServiceServer::new(Advertisers::new(
        app.clone()
    ))))
    .service(gzip!(PublisherServiceServer::new(Publishers::new(
        app.clone()
    ))))
    .service(gzip!(GameServiceServer::new(Games::new(app.clone()))))
    .service(gzip!(AdUnitServiceServer::new(AdUnits::new(app.clone()))))
    .service(gzip!(RevShareServiceServer::new(RevShares::new(
        app.clone()
    ))))
    .service(gzip!(CampaignServiceServer::new(Campaigns::new(
        app.clone()
    ))))
    .service(gzip!(LineItemServiceServer::new(LineItems::new(
        app.clone()
    ))))
    .service(gzip!(CatalogServiceServer::new(Catalog::new(
        app.clone(),
        watching.clone(),
    ))))
}

/// Does what nobody asks for. Billing is called from here only; without an address of it nothing is.
fn with_tasks(
    host: HostBuilder,
    app: &App,
    settings: &Settings,
    credentials: Option<&Credentials>,
) -> anyhow::Result<HostBuilder> {
    let host = host.task(tasks::figures::task(
        app.clone(),
        settings.telemetry.figures,
    ));
    if settings.peers.billing.is_empty() {
        return Ok(host);
    }
    let policies = cleave_contracts::POLICIES;
    let mesh = cleave_host::mesh(Operations::NAME, policies, &settings.host, credentials)
        .peer(billing_client::PEER, &settings.peers.billing)
        .build()
        .context("the address of Billing (peers.billing) cannot be used")?;
    let billing = Billing::new(BillingClient::new(mesh.to(billing_client::PEER)?));
    let leases = Arc::clone(app.lease_bell());
    let outbox = Arc::clone(app.outbox_bell());
    let accounts = tasks::accounts::task(app.clone(), billing.clone(), Arc::clone(&leases));
    let keeper = tasks::leases::task(
        app.clone(),
        billing.clone(),
        settings.leases.policy(),
        settings.leases.period,
        leases,
    );
    let relay = tasks::outbox::task(app.clone(), billing, settings.peers.outbox_period, outbox);
    Ok(host
        .task(accounts)
        .task(keeper)
        .task(relay)
        .state("peers", move || serde_json::json!(mesh.state())))
}

async fn connect(settings: &Settings) -> anyhow::Result<Database> {
    let database = &settings.database;
    Database::connect(&database.url, &database.options())
        .await
        .context("the database (database.url) cannot be used")
}

/// Brings the schema up to date where that is wanted, and refuses to run on one that does not serve this version.
async fn prepare(settings: &Settings, database: &Database) -> anyhow::Result<()> {
    let all = operations_store::migrations();
    let apply = settings.database.migrate || settings.database.is_embedded();
    Ok(migrations::prepare(database, &all, apply).await?)
}
