//! The rest of the orchestrator: as many replicas as asked for, of the revision asked for, found by their name; and
//! nodes that can be drained.

use crate::names::NameServer;
use crate::pod::{Life, Phase, Pod, Template};
use crate::spec::Spec;
use anyhow::Result;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often it is looked what is to be done.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Deployment, and what is around it.
pub(crate) struct Cluster {
    pub(crate) spec: Arc<Spec>,
    pub(crate) names: NameServer,
    pub(crate) pods: Vec<Pod>,
    /// The fewest that were ready at one time since this was last set.
    pub(crate) least_ready: usize,
    /// The most that there were at one time, those that were told to end left out.
    pub(crate) most: usize,
    /// Pods that outlived their grace period.
    pub(crate) killed: u32,
    template: Template,
    nodes: usize,
    cordoned: BTreeSet<usize>,
    /// The second and third byte of every pod's address, and the last one that was given.
    net: [u8; 2],
    last: u8,
    folder: TempDir,
}

impl Cluster {
    /// Nothing runs yet.
    pub(crate) async fn new(spec: Spec, nodes: usize, template: Template) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("config.toml"), &spec.config)?;
        Ok(Self {
            least_ready: spec.replicas,
            most: 0,
            killed: 0,
            spec: Arc::new(spec),
            names: NameServer::start().await?,
            pods: Vec::new(),
            template,
            nodes,
            cordoned: BTreeSet::new(),
            // Of this run alone: others may run on the same machine.
            net: [fastrand::u8(1..255), fastrand::u8(1..255)],
            last: 0,
            folder,
        })
    }

    /// From now on replicas are of this template.
    pub(crate) fn apply(&mut self, template: Template) {
        self.template = template;
    }

    /// No new pods there.
    pub(crate) fn cordon(&mut self, node: usize) {
        self.cordoned.insert(node);
    }

    /// The pods on a node.
    pub(crate) fn on(&self, node: usize) -> usize {
        self.pods.iter().filter(|pod| pod.node == node).count()
    }

    /// Evicts from a node what the budget allows.
    pub(crate) fn evict(&mut self, node: usize) {
        let ready = self.pods.iter().filter(|pod| pod.is_ready()).count();
        let wanted = self.spec.replicas - self.spec.disruptable;
        let next = self
            .pods
            .iter()
            .find(|pod| pod.node == node && !pod.is_deleted());
        if let Some(pod) = next
            && ready > wanted
        {
            pod.delete();
        }
    }

    /// Does what is to be done until something is so.
    ///
    /// # Panics
    /// When it is not so in time.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        self.work_until(what, |_| {}, is_so).await
    }

    /// The same, with `work` done each time.
    pub(crate) async fn work_until(
        &mut self,
        what: &str,
        work: impl Fn(&mut Self),
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.reconcile()?;
            if is_so(self) {
                return Ok(());
            }
            work(self);
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}: {}",
                self.describe()
            );
            sleep(LOOK).await;
        }
    }

    /// Whether the revision asked for has taken over.
    pub(crate) fn is_rolled_out(&self) -> bool {
        let revision = self.template.revision;
        self.pods.len() == self.spec.replicas
            && self
                .pods
                .iter()
                .all(|pod| pod.revision() == revision && pod.is_available())
    }

    /// The pods of a revision.
    pub(crate) fn of(&self, revision: u32) -> impl Iterator<Item = &Pod> {
        self.pods
            .iter()
            .filter(move |pod| pod.revision() == revision)
    }

    /// The pods as people see them.
    pub(crate) fn describe(&self) -> String {
        let each = self.pods.iter().map(|pod| {
            let (state, node) = (pod.state(), pod.node);
            format!(
                "\n{} node {node} revision {}: {state:?}\n{}",
                pod.life.ip,
                pod.revision(),
                pod.log()
            )
        });
        each.collect()
    }

    fn reconcile(&mut self) -> Result<()> {
        let gone = |pod: &Pod| pod.state().phase == Phase::Gone;
        self.killed += u32::try_from(
            self.pods
                .iter()
                .filter(|pod| gone(pod) && pod.state().killed)
                .count(),
        )?;
        self.pods.retain(|pod| !gone(pod));
        self.scale_down();
        let kept = self.pods.iter().filter(|pod| !pod.is_deleted());
        let (all, new) = kept.fold((0, 0), |(all, new), pod| {
            (
                all + 1,
                new + usize::from(pod.revision() == self.template.revision),
            )
        });
        self.most = self.most.max(all);
        if new < self.spec.replicas && all < self.spec.replicas + self.spec.surge {
            self.create()?;
        }
        let ready = self.pods.iter().filter(|pod| pod.is_ready()).count();
        self.least_ready = self.least_ready.min(ready);
        let named = self
            .pods
            .iter()
            .filter(|pod| self.spec.publishes_all || pod.is_ready());
        self.names.set(named.map(|pod| pod.life.ip).collect());
        Ok(())
    }

    /// Deletes pods of older revisions, as many as may go; first those that are of no use.
    fn scale_down(&self) {
        let kept: Vec<_> = self.pods.iter().filter(|pod| !pod.is_deleted()).collect();
        let is_new = |pod: &&&Pod| pod.revision() == self.template.revision;
        let useless = kept
            .iter()
            .filter(is_new)
            .filter(|pod| !pod.is_available())
            .count();
        let least = self.spec.replicas - self.spec.unavailable;
        let room = kept.len().saturating_sub(least + useless);
        let mut old: Vec<_> = kept.iter().filter(|pod| !is_new(pod)).collect();
        old.sort_by_key(|pod| pod.is_available());
        for pod in old.into_iter().take(room) {
            pod.delete();
        }
    }

    /// Starts a pod on the node that has the fewest.
    fn create(&mut self) -> Result<()> {
        self.last += 1;
        let ip = Ipv4Addr::new(127, self.net[0], self.net[1], self.last);
        let open = (0..self.nodes).filter(|node| !self.cordoned.contains(node));
        let node = open.min_by_key(|node| self.on(*node));
        let life = Life {
            ip,
            spec: Arc::clone(&self.spec),
            template: self.template.clone(),
            log: self.folder.path().join(format!("{}.log", self.last)),
            config: self.folder.path().join("config.toml"),
            state: watch::Sender::default(),
            deleted: CancellationToken::new(),
        };
        let node = node.ok_or_else(|| anyhow::anyhow!("all nodes are cordoned"))?;
        self.pods.push(Pod::start(node, life));
        Ok(())
    }
}
