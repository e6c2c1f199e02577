//! The services to check, by their settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use billing::{Billing, Inspection};
use cleave_host::command::Program;
use cleave_host::config::{HostSettings, Rejected};
use futures::future::BoxFuture;
use operations::Operations;

use super::CheckArgs;
use crate::admin::AdminPort;
use crate::up;

/// Looks at a service's database.
type Inspect = dyn Fn(Duration) -> BoxFuture<'static, Result<Inspection>> + Send + Sync;

/// A service to check.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Where its settings come from, for people.
    pub(super) source: String,
    pub(super) host: HostSettings,
    pub(super) database: String,
    /// Whether it migrates its database when it starts.
    pub(super) migrates: bool,
    /// Whom it calls, and where it looks for them.
    pub(super) peer: (&'static str, String),
    pub(super) inspect: Arc<Inspect>,
    pub(super) admin: AdminPort,
}

/// Settings that could not be loaded.
pub(super) struct Faulty {
    pub(super) name: &'static str,
    pub(super) source: String,
    pub(super) rejected: Rejected,
}

/// A service whose settings tell what there is to check.
trait Checked: Program<Settings: Sync> {
    const PEER: (&'static str, &'static str);
    fn database(settings: &Self::Settings) -> (&str, bool);
    fn peer(settings: &Self::Settings) -> &str;
    fn inspect(
        settings: Arc<Self::Settings>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Inspection>>;
}

impl Checked for Operations {
    const PEER: (&'static str, &'static str) = (Billing::NAME, "peers.billing");

    fn database(settings: &Self::Settings) -> (&str, bool) {
        let database = &settings.database;
        (&database.url, database.migrate || database.is_embedded())
    }

    fn peer(settings: &Self::Settings) -> &str {
        &settings.peers.billing
    }

    fn inspect(
        settings: Arc<Self::Settings>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Inspection>> {
        Box::pin(async move { operations::inspect(&settings, timeout).await })
    }
}

impl Checked for Billing {
    const PEER: (&'static str, &'static str) = (Operations::NAME, "peers.operations");

    fn database(settings: &Self::Settings) -> (&str, bool) {
        let database = &settings.database;
        (&database.url, database.migrate || database.is_embedded())
    }

    fn peer(settings: &Self::Settings) -> &str {
        &settings.peers.operations
    }

    fn inspect(
        settings: Arc<Self::Settings>,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Inspection>> {
        Box::pin(async move { billing::inspect(&settings, timeout).await })
    }
}

/// The services of these arguments: those whose files are given, or else the pair of `cleave up`.
pub(super) fn load(args: &CheckArgs) -> Result<Vec<Result<Subject, Faulty>>> {
    let mut found = Vec::new();
    for file in &args.operations_config {
        found.push(from_file::<Operations>(file, args.timeout));
    }
    for file in &args.billing_config {
        found.push(from_file::<Billing>(file, args.timeout));
    }
    if found.is_empty() {
        let ready = args.ready_file.as_deref().map(up::Ready::read);
        let ready = ready.transpose()?;
        found.push(of_pair::<Operations>(args, ready.as_ref()));
        found.push(of_pair::<Billing>(args, ready.as_ref()));
    }
    Ok(found)
}

fn from_file<P: Checked>(file: &Path, timeout: Duration) -> Result<Subject, Faulty> {
    let loaded = P::loader().file(file).env().load();
    subject::<P>(loaded, file.display().to_string(), timeout)
}

/// A service as `cleave up` starts it.
fn of_pair<P: Checked>(args: &CheckArgs, ready: Option<&up::Ready>) -> Result<Subject, Faulty> {
    let operations = (up::OPERATIONS, up::OPERATIONS_ADMIN);
    let billing = (up::BILLING, up::BILLING_ADMIN);
    let (operations, billing) = ready.map_or((operations, billing), |ready| {
        let admin = &ready.admin;
        (
            (ready.operations.as_str(), admin.operations.as_str()),
            (ready.billing.as_str(), admin.billing.as_str()),
        )
    });
    let ((listen, admin), (peer, _), named) = if P::NAME == Operations::NAME {
        (operations, billing, args.operations_db.as_ref())
    } else {
        (billing, operations, args.billing_db.as_ref())
    };
    let file = PathBuf::from(&args.data_dir).join(format!("{}.db", P::NAME));
    let database = named.map_or_else(|| format!("sqlite://{}", file.display()), String::clone);
    let peer = (P::PEER.1, format!("http://{peer}"));
    let loaded = up::settings::<P>(listen, admin, &database, (peer.0, &peer.1));
    subject::<P>(loaded, "as `cleave up` starts it".to_owned(), args.timeout)
}

fn subject<P: Checked>(
    loaded: Result<P::Settings, Rejected>,
    source: String,
    timeout: Duration,
) -> Result<Subject, Faulty> {
    let settings = match loaded {
        Ok(settings) => Arc::new(settings),
        Err(rejected) => {
            return Err(Faulty {
                name: P::NAME,
                source,
                rejected,
            });
        }
    };
    let host = P::host(&settings).clone();
    let (database, migrates) = P::database(&settings);
    Ok(Subject {
        name: P::NAME,
        source,
        admin: AdminPort::new(&host.admin, timeout),
        database: database.to_owned(),
        migrates,
        peer: (P::PEER.0, P::peer(&settings).to_owned()),
        inspect: Arc::new(move |timeout| P::inspect(Arc::clone(&settings), timeout)),
        host,
    })
}
