//! `cleave check`: whether everything is as it should be, line by line, with what to do where it is not.
//!
//! Nothing is changed, and nothing is waited for without a bound: what cannot be reached is a line.

mod certificates;
mod clock;
mod configuration;
mod contract;
mod database;
mod finding;
mod peers;
mod subject;
mod tasks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use billing::Inspection;
use clap::Args;
use cleave_host::config::duration;
use cleave_kernel::ClockReading;
use futures::future::join_all;

use self::finding::{Report, Section};
use self::subject::Subject;
use crate::admin::State;
use crate::cli::OutputArgs;
use crate::metrics::Exposition;
use crate::{output, up};

/// The pause before everything is checked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Options of `cleave check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Settings of an Operations to check, as given to it; may be given again for further replicas. Its
    /// environment variables count too. Without any file, the pair of `cleave up` is checked.
    #[arg(long, value_name = "FILE")]
    operations_config: Vec<PathBuf>,
    /// Settings of a Billing to check.
    #[arg(long, value_name = "FILE")]
    billing_config: Vec<PathBuf>,
    /// Where `cleave up` has its embedded databases.
    #[arg(long, value_name = "DIR", default_value = up::DATA_DIR)]
    data_dir: PathBuf,
    /// Where `cleave up --ready-file` wrote its addresses, when they are not the usual ones.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Database of the Operations of `cleave up`, instead of the embedded one.
    #[arg(long, value_name = "URL")]
    operations_db: Option<String>,
    /// Database of the Billing of `cleave up`, instead of the embedded one.
    #[arg(long, value_name = "URL")]
    billing_db: Option<String>,
    /// How long anything may take to answer.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    timeout: Duration,
    /// Check again until nothing fails, for so long.
    #[arg(long, value_name = "TIME", value_parser = time)]
    wait: Option<Duration>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "give a time such as 500ms or 30s".to_owned())
}

/// What was seen of one service.
struct Seen {
    state: Result<State>,
    metrics: Option<Exposition>,
    clock: Option<ClockReading>,
    database: Result<Inspection>,
    serving: finding::Finding,
}

/// Checks, and fails when something does.
pub(crate) async fn check(args: CheckArgs) -> Result<ExitCode> {
    let until = args.wait.map(|wait| Instant::now() + wait);
    let mut report = once(&args).await?;
    while !report.passes(args.strict) && until.is_some_and(|until| Instant::now() < until) {
        tokio::time::sleep(PAUSE).await;
        report = once(&args).await?;
    }
    if args.output.is_json() {
        output::print_json(&report)?;
    } else {
        report.print()?;
    }
    Ok(if report.passes(args.strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn once(args: &CheckArgs) -> Result<Report> {
    let (mut subjects, mut faults) = (Vec::new(), Vec::new());
    for loaded in subject::load(args)? {
        match loaded {
            Ok(subject) => subjects.push(subject),
            Err(faulty) => faults.extend(configuration::faults(&faulty)),
        }
    }
    let seen = join_all(subjects.iter().map(|subject| look(subject, args.timeout))).await;
    let all = || subjects.iter().zip(&seen);
    let section = |name, findings| Section { name, findings };
    faults.extend(configuration::check(&subjects));
    let databases = all().map(|(subject, seen)| database::judge(subject, &seen.database));
    let mut peers = Vec::new();
    for (subject, seen) in all() {
        peers.extend(peers::admin(subject, &seen.state));
        peers.push(seen.serving.clone());
    }
    let answering =
        || all().filter_map(|(subject, seen)| Some((subject, seen, seen.state.as_ref().ok()?)));
    peers.extend(answering().flat_map(|(subject, _, state)| peers::edges(subject, state)));
    let contracts = answering().flat_map(|(subject, _, state)| contract::check(subject, state));
    let contracts = contracts.collect();
    let certificates =
        all().flat_map(|(subject, seen)| certificates::check(subject, seen.state.as_ref().ok()));
    let clocks =
        all().flat_map(|(subject, seen)| clock::judge(subject, seen.clock, &seen.database));
    let tasks = answering()
        .flat_map(|(subject, seen, state)| tasks::check(subject, state, seen.metrics.as_ref()));
    Ok(Report::new(vec![
        section("configuration", faults),
        section("database", databases.collect()),
        section("peers", peers),
        section("contract", contracts),
        section("certificates", certificates.collect()),
        section("clock", clocks.collect()),
        section("tasks", tasks.collect()),
    ]))
}

/// Looks at one service from all sides.
async fn look(subject: &Subject, timeout: Duration) -> Seen {
    let (database, serving, state) = tokio::join!(
        database::inspect(subject, timeout),
        peers::serving(subject, timeout),
        subject.admin.state(),
    );
    let (metrics, clock) = match &state {
        Err(_) => (None, None),
        Ok(_) => (
            subject.admin.metrics().await.ok(),
            clock::read(&subject.admin).await,
        ),
    };
    Seen {
        state,
        metrics,
        clock,
        database,
        serving,
    }
}
