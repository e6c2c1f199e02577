//! What every scenario begins with: a migrated database, a Deployment on it, and callers.

use crate::cluster::Cluster;
use crate::kubelet;
use crate::pod::Template;
use crate::side::Side;
use crate::spec::Spec;
use anyhow::{Context as _, Result, ensure};
use billing_client::BillingClient;
use cleave_e2e::FaultProxy;
use cleave_e2e::advertisers::{self, Advertiser};
use cleave_e2e::steady::{Failure, Steady};
use cleave_e2e::tools;
use cleave_mesh::{Mesh, MeshChannel};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use operations_client::OperationsClient;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use tempfile::TempDir;

/// Calls per second.
const RATE: u64 = 30;
/// Whom the callers know.
const KNOWN: usize = 4;

/// A scenario's world. The callers come first, so that they are gone before what they call.
pub(crate) struct Rig {
    pub(crate) cluster: Cluster,
    pub(crate) database: TestDatabase,
    /// Between every pod and the database.
    pub(crate) proxy: FaultProxy,
    channel: MeshChannel,
    folder: TempDir,
}

impl Rig {
    /// Replicas on so many nodes, all available, with periods divided by `scale`; `None` where something is missing
    /// that is told on stderr.
    pub(crate) async fn start(side: Side, nodes: usize, scale: u32) -> Result<Option<Self>> {
        let Some(spec) = Spec::read(side, scale)? else {
            return Ok(None);
        };
        let Some(database) = TestDatabase::on(Engine::Postgres).await else {
            return Ok(None);
        };
        let proxy = FaultProxy::start(server(database.url())?).await?;
        let template = template(1, &through(database.url(), proxy.addr())?, scale);
        let folder = tempfile::tempdir()?;
        let mut cluster = Cluster::new(spec, nodes, template).await?;
        let (done, words) = migrate(&cluster, &folder, database.url()).await?;
        ensure!(done, "the migration failed: {words}");
        cluster
            .until("the first rollout is done", Cluster::is_rolled_out)
            .await?;
        cluster.least_ready = cluster.spec.replicas;
        Ok(Some(Self {
            // Only now: a caller that looked the name up before would take its time to look again.
            channel: channel(&cluster)?,
            cluster,
            database,
            proxy,
            folder,
        }))
    }

    /// What the pods of a later revision are made of, before a scenario changes it.
    pub(crate) fn template(&self, revision: u32) -> Result<Template> {
        let url = through(self.database.url(), self.proxy.addr())?;
        Ok(template(revision, &url, self.cluster.spec.scale))
    }

    /// Runs the Job once; whether it succeeded, and what it said.
    pub(crate) async fn migrate(&self, database: &str) -> Result<(bool, String)> {
        migrate(&self.cluster, &self.folder, database).await
    }

    /// Calls as the other side and its people make them, from now on.
    pub(crate) async fn load(&self) -> Result<Steady> {
        Ok(match self.cluster.spec.side {
            Side::Operations => {
                let client = OperationsClient::new(self.channel.clone());
                Steady::start(RATE, move |number| {
                    let client = client.clone();
                    async move { Ok::<_, Failure>(tools::call(&client, number).await?) }
                })
            }
            Side::Billing => {
                let client = BillingClient::new(self.channel.clone());
                let known: Arc<[Advertiser]> = advertisers::open_by(&client, KNOWN).await?.into();
                Steady::start(RATE, move |number| {
                    let (client, known) = (client.clone(), Arc::clone(&known));
                    async move { Ok::<_, Failure>(advertisers::call(&client, &known, number).await?) }
                })
            }
        })
    }
}

/// Calls the service by its name, as the cluster's name server knows it.
fn channel(cluster: &Cluster) -> Result<MeshChannel> {
    let name = cluster.spec.side.name();
    let target = format!(
        "dns://{}/{name}.cleave.svc.cluster.local.:{}",
        cluster.names.address, cluster.spec.port
    );
    let mesh = Mesh::builder(cleave_contracts::POLICIES)
        .caller(cluster.spec.side.peer())
        .peer(name, &target)
        .build()?;
    Ok(mesh.to(name)?)
}

async fn migrate(cluster: &Cluster, folder: &TempDir, database: &str) -> Result<(bool, String)> {
    let log = folder.path().join("job.log");
    let mut job = kubelet::spawn(cluster.spec.side, &cluster.spec.job, database, &log)?;
    let ended = job.wait().await?;
    Ok((ended.success(), std::fs::read_to_string(&log)?))
}

/// The service's own probing, by default of this period and this timeout, is divided as the kubelet's is; the timeout
/// down to what a busy machine may take for an answer.
const OWN_PROBING: [(&str, u32, u32); 2] = [
    ("host.probe_period", 2_000, 0),
    ("host.probe_timeout", 2_000, 500),
];

fn template(revision: u32, database: &str, scale: u32) -> Template {
    let own = OWN_PROBING.map(|(key, millis, least)| {
        let scaled = least.max(millis / scale);
        (key.to_owned(), format!("{scaled}ms"))
    });
    Template {
        revision,
        schema: database.to_owned(),
        database: database.to_owned(),
        settings: own.into(),
    }
}

/// Where the server of a database is.
pub(crate) fn server(url: &str) -> Result<SocketAddr> {
    let place = authority(url)?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let mut found = place.to_socket_addrs().with_context(|| place.to_owned())?;
    found.next().context("an address of the database server")
}

/// The same database by way of this address.
pub(crate) fn through(url: &str, address: SocketAddr) -> Result<String> {
    let place = authority(url)?;
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    Ok(url.replacen(place, &format!("{user}@{address}"), 1))
}

fn authority(url: &str) -> Result<&str> {
    let (_, rest) = url.split_once("://").context("a URL")?;
    rest.split('/').next().context("a server")
}
