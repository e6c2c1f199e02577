//! A service in the making: what it serves, what must answer, what it does on its own.

use crate::admin::{self, Admin, Section};
use crate::config::{Faults, HostSettings, Rejected, Validate as _};
use crate::contract::ContractService;
use crate::drain::Drain;
use crate::health::pb::health_server::HealthServer;
use crate::health::{HealthService, Readiness};
use crate::meter;
use crate::probe::{Probe, Probes};
use crate::reflection;
use crate::release;
use crate::running::{Hook, Parts, Running};
use crate::serve::{Handshake, Listen, Network, Port, Slots, Stack, Workers, accept};
use crate::tap::Contracts;
use crate::task::{Driver, Job};
use crate::telemetry;
use anyhow::Context as _;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;

/// Calls of methods that no contract knows get no policy.
static NO_POLICIES: PolicyTable = PolicyTable::new(&[]);

/// Collects what a service needs, then starts it.
#[derive(Debug)]
pub struct Host;

/// A service in the making.
pub struct HostBuilder {
    name: Arc<str>,
    settings: HostSettings,
    network: Network,
    policies: PolicyTable,
    drain: Drain,
    credentials: Option<Credentials>,
    routes: RoutesBuilder,
    names: Vec<String>,
    descriptors: Vec<&'static [u8]>,
    probes: Vec<Probe>,
    jobs: Vec<Job>,
    sections: Vec<Section>,
    hooks: Vec<Hook>,
}

impl std::fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// A service of this name with these settings.
    #[must_use]
    pub fn builder(name: &str, settings: &HostSettings) -> HostBuilder {
        HostBuilder {
            name: Arc::from(name),
            settings: settings.clone(),
            network: Network::default(),
            policies: NO_POLICIES,
            drain: Drain::new(),
            credentials: None,
            routes: RoutesBuilder::default(),
            names: Vec::new(),
            descriptors: Vec::new(),
            probes: Vec::new(),
            jobs: Vec::new(),
            sections: Vec::new(),
            hooks: Vec::new(),
        }
    }
}

impl HostBuilder {
    /// Another network than the machine's TCP, for both ports.
    #[must_use]
    pub fn network(mut self, network: Arc<dyn Listen>) -> Self {
        self.network = Network::Other(network);
        self
    }

    /// The policies of the contracts: deadlines and metrics go by them, and callers are told what their methods
    /// look like.
    #[must_use]
    pub fn policies(mut self, policies: PolicyTable) -> Self {
        self.policies = policies;
        self
    }

    /// An encoded descriptor set, for reflection.
    #[must_use]
    pub fn descriptors(mut self, set: &'static [u8]) -> Self {
        self.descriptors.push(set);
        self
    }

    /// The end of the service, when handlers need it before the service starts.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// The credentials of [`TlsSettings::credentials`](crate::config::TlsSettings::credentials), when the
    /// service's own calls stand on them too. Otherwise the host reads them itself.
    #[must_use]
    pub fn credentials(mut self, credentials: Option<Credentials>) -> Self {
        self.credentials = credentials;
        self
    }

    /// Serves a generated service, with an entry of its own in health and reflection.
    #[must_use]
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME.to_owned());
        self.routes.add_service(service);
        self
    }

    /// Something that must answer before calls are welcome, and keep answering.
    #[must_use]
    pub fn readiness<F, R>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.probes.push(Probe::new(name, check));
        self
    }

    /// Something that the service does on its own.
    #[must_use]
    pub fn task(mut self, task: impl Into<Job>) -> Self {
        self.jobs.push(task.into());
        self
    }

    /// A section of the admin port's `/mesh`.
    #[must_use]
    pub fn state(
        mut self,
        name: &'static str,
        show: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        let show = Box::new(show);
        self.sections.push(Section { name, show });
        self
    }

    /// Something to do once calls and tasks are over, in the order of these calls: closing pools.
    #[must_use]
    pub fn on_stopped(
        mut self,
        name: &'static str,
        hook: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        self.hooks.push(Hook {
            name,
            work: Box::pin(hook),
        });
        self
    }

    /// Starts the service. It listens when this returns, and serves once its probes pass.
    ///
    /// # Errors
    /// When the settings do not allow it or an address cannot be had.
    pub async fn start(mut self) -> anyhow::Result<Running> {
        let mut faults = Faults::default();
        self.settings.validate(&mut faults);
        anyhow::ensure!(faults.found.is_empty(), Rejected(faults.found));
        telemetry::metrics();
        meter::release(&self.name, self.policies);

        let credentials = match self.credentials.take() {
            None => self.settings.tls.credentials().context("host.tls")?,
            given => given,
        };
        let handshake = Handshake::new(&self.settings.tls, credentials).context("host.tls")?;
        let port = bind(&self.network, self.settings.listen_addr(), "host.listen").await?;
        let admin = bind(&self.network, self.settings.admin_addr(), "host.admin").await?;
        let (listen, admin_addr) = (port.local_addr()?, admin.local_addr()?);

        let readiness = Readiness::new(self.drain.clone(), meter::ready(&self.name));
        let health = self.health(&readiness);
        let stack = self.stack(&health)?;
        let (workers, threads) = self.workers(&handshake, &stack)?;
        let slots = Slots::new(&self.name, self.settings.max_connections);
        let census = slots.census().clone();
        let accepting = accept(port, workers.clone(), slots, self.drain.clone());
        let accepting = tokio::spawn(accepting);
        self.follow_credentials(&handshake);

        let tasks = Driver::start(
            &self.name,
            self.jobs,
            self.drain.tasks(),
            self.drain.killed(),
        );
        self.probes.push(tasks.probe(self.settings.task_patience));
        let probes = Probes::new(&self.name, self.probes, self.settings.probe_timeout);
        let period = self.settings.probe_period;
        tokio::spawn(
            probes
                .clone()
                .watch(readiness.clone(), self.drain.clone(), period),
        );

        let mut described = self.descriptors;
        described.push(crate::health::pb::DESCRIPTORS);
        let page = Admin {
            remote_control: self.settings.admin_remote_control,
            name: Arc::clone(&self.name),
            contract: release::contract(self.policies).into(),
            listen,
            readiness: readiness.clone(),
            probes,
            drain: self.drain.clone(),
            tasks: tasks.clone(),
            admission: stack.admission().clone(),
            credentials: handshake.credentials().cloned(),
            census,
            taps: stack.taps().clone(),
            contracts: Arc::new(Contracts::new(described)),
            sections: self.sections.into(),
            health,
        };
        let admin = admin::serve(admin, page, self.settings.handshake_timeout);
        let admin = tokio::spawn(admin);
        tracing::info!(
            service.name = &*self.name,
            %listen,
            admin = %admin_addr,
            tls = handshake.credentials().is_some(),
            identities = handshake.has_identities(),
            "listening"
        );
        Ok(Running::new(Parts {
            name: self.name,
            settings: self.settings,
            listen,
            admin_addr,
            readiness,
            drain: self.drain,
            workers,
            threads,
            accepting,
            tasks,
            admin,
            hooks: self.hooks,
        }))
    }

    /// Those who serve calls: on threads of their own where the network allows it.
    fn workers(
        &self,
        handshake: &Handshake,
        stack: &Stack,
    ) -> anyhow::Result<(Workers, Vec<JoinHandle<()>>)> {
        if !self.network.has_threads() {
            return Ok((Workers::here(handshake, stack, &self.drain), Vec::new()));
        }
        let count = self.settings.workers;
        Workers::start(&self.name, count, handshake, stack, &self.drain)
            .context("the threads that serve calls could not be started")
    }

    /// Reads changed credentials until the end.
    fn follow_credentials(&self, handshake: &Handshake) {
        if let Some(credentials) = handshake.credentials() {
            let follow = credentials.clone().follow(self.settings.tls.reload_period);
            let killed = self.drain.killed().clone();
            tokio::spawn(async move { killed.run_until_cancelled(follow).await });
        }
    }

    /// Health, of whatever reflection lists: of the services, and of those that the host adds.
    fn health(&mut self, readiness: &Readiness) -> HealthService {
        self.names
            .push(HealthServer::<HealthService>::NAME.to_owned());
        self.names.extend(reflection::NAMES.map(str::to_owned));
        if !self.policies.shape().is_empty() {
            self.names.push(ContractService::NAME.to_owned());
        }
        HealthService::new(self.names.iter().cloned(), readiness.clone())
    }

    /// The services, with health, reflection and the contract, behind everything that each call passes.
    fn stack(&mut self, health: &HealthService) -> anyhow::Result<Stack> {
        if let Some(contract) = ContractService::new(&self.names, self.policies) {
            self.routes.add_service(contract);
        }
        self.routes
            .add_service(crate::gzip!(HealthServer::new(health.clone())));
        reflection::add(&mut self.routes, &self.names, &self.descriptors)?;
        let routes = std::mem::take(&mut self.routes).routes();
        Ok(Stack::new(
            &self.name,
            self.settings.clone(),
            self.policies,
            self.drain.clone(),
            routes,
        ))
    }
}

async fn bind(network: &Network, address: Option<SocketAddr>, key: &str) -> anyhow::Result<Port> {
    let address = address.with_context(|| format!("{key} is not an address"))?;
    network
        .listen(address)
        .await
        .with_context(|| format!("cannot listen on {address} ({key}); is another process there?"))
}
