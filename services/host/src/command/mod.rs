//! The frame of a service's binary: `serve`, `migrate`, `backup`, `restore`, `health`, `config`.
//!
//! A service says what is its own in [`Program`]; its `main` is one line.

mod health;
mod migrate;
mod serve;

use crate::config::{HostSettings, Loader, Rejected, TelemetrySettings, Validate};
use crate::release;
use crate::running::Running;
use clap::{Args, Parser, Subcommand};
use cleave_mesh::policy::PolicyTable;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Wrong settings or arguments (`EX_USAGE`).
const EXIT_USAGE: u8 = 64;
/// Anything else that went wrong.
const EXIT_FAILURE: u8 = 1;

/// The address of a command that does not listen.
const NOWHERE: &str = "127.0.0.1:0";

/// What is left at the very end gets this long; the drain has had its own time before.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// What a service's binary consists of.
pub trait Program {
    /// The name of the service; in capitals, the prefix of its environment variables.
    const NAME: &'static str;
    /// One sentence on what it is.
    const ABOUT: &'static str;
    /// The documented defaults of its own sections.
    const DEFAULTS: &'static str;
    /// The databases it runs on, for people.
    const DATABASES: &'static str;
    /// Its settings.
    type Settings: DeserializeOwned + Validate + Send + Sync + 'static;

    /// The policies of its contracts.
    fn policies() -> PolicyTable;

    /// The section on listening.
    fn host(settings: &Self::Settings) -> &HostSettings;

    /// The section on telemetry.
    fn telemetry(settings: &Self::Settings) -> &TelemetrySettings;

    /// Brings the database to the schema of this version.
    fn migrate(settings: Self::Settings) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Copies the embedded database to a new file, while the service may run; says what was copied.
    fn backup(
        _settings: Self::Settings,
        _file: PathBuf,
    ) -> impl Future<Output = anyhow::Result<String>> + Send {
        async { anyhow::bail!("{} keeps nothing that could be copied", Self::NAME) }
    }

    /// Puts a copy in the place of the embedded database, or takes over what a server's tools have restored; says what
    /// there is now.
    fn restore(
        _settings: Self::Settings,
        _file: Option<PathBuf>,
        _force: bool,
    ) -> impl Future<Output = anyhow::Result<String>> + Send {
        async { anyhow::bail!("{} keeps nothing that could be restored", Self::NAME) }
    }

    /// The steps that the schema of the database lacks, by name; changes nothing.
    fn pending(
        settings: &Self::Settings,
    ) -> impl Future<Output = anyhow::Result<Vec<String>>> + Send;

    /// Starts the service.
    fn start(settings: Self::Settings) -> impl Future<Output = anyhow::Result<Running>> + Send;

    /// The settings before any file, variable or flag.
    #[must_use]
    fn loader() -> Loader {
        Loader::new(Self::NAME).defaults(Self::DEFAULTS)
    }
}

#[derive(Debug, Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct CommandLine {
    #[command(flatten)]
    sources: Sources,
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from, besides defaults and environment.
#[derive(Debug, Args)]
struct Sources {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE", env = "CLEAVE_CONFIG")]
    config: Option<PathBuf>,
    /// Set one key, such as --set host.workers=2; goes before file and environment
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Listen on this address (host.listen)
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
    /// Serve the admin port on this address (host.admin)
    #[arg(long, global = true, value_name = "ADDR")]
    admin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C, then drain
    Serve {
        /// Once ready, write {"listen": ADDR, "admin": ADDR} to this file
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Bring the database to the schema of this version
    Migrate(migrate::Schema),
    /// Copy the embedded database to a new file, as it is at one moment; the service may run meanwhile. The database of a
    /// server is copied by the server's own tools
    Backup {
        /// Where the copy goes; a file that is there is not overwritten
        file: PathBuf,
    },
    /// Put a copy in the place of the embedded database; or, without a file, take over a database that a server's own
    /// tools have restored. The service must not run. Everybody who follows it starts over
    Restore {
        /// The copy, as `backup` made it
        file: Option<PathBuf>,
        /// Set a database that is there aside, under another name; on a server, go on although others are connected
        #[arg(long)]
        force: bool,
    },
    /// Ask a running service for its health; exits with 0 when it serves, 2 when it cannot be reached,
    /// 3 when the check fails, 4 when it does not serve
    Health(health::Check),
    /// Print every key with its default and meaning, as a file to edit
    Config,
}

impl Command {
    /// Whether it matters where the service listens: where it does not, an address that would need a certificate is no
    /// fault, such as the one that an image brings.
    const fn needs_address(&self) -> bool {
        matches!(self, Self::Serve { .. } | Self::Health(_))
    }
}

impl Sources {
    /// All sources, in the order of their weight.
    fn load<P: Program>(&self, needs_address: bool) -> Result<P::Settings, Rejected> {
        let mut loader = P::loader();
        if let Some(file) = &self.config {
            loader = loader.file(file);
        }
        loader = loader.env();
        for pair in &self.set {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            loader = loader.set(key, value);
        }
        for (key, value) in [("host.listen", &self.listen), ("host.admin", &self.admin)] {
            if let Some(value) = value {
                loader = loader.set(key, value);
            }
        }
        if !needs_address {
            loader = loader.set("host.listen", NOWHERE);
        }
        loader.load()
    }
}

/// Runs the binary of a service; the whole of its `main`. The commit is [`commit!`](crate::commit).
#[must_use]
pub fn main<P: Program>(commit: Option<&'static str>) -> ExitCode {
    release::built_from(commit);
    ExitCode::from(run::<P>(std::env::args_os()))
}

/// Runs the binary of a service with these arguments, the first being its name; gives its exit code.
pub fn run<P: Program>(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let line = match parse::<P>(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Nobody is left to tell when this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE } else { 0 };
        }
    };
    if let Command::Config = line.command {
        // A reader that went away has seen enough.
        let _ = write!(std::io::stdout(), "{}", P::loader().documentation());
        return 0;
    }
    let settings = match line.sources.load::<P>(line.command.needs_address()) {
        Ok(settings) => settings,
        Err(rejected) => {
            eprintln!("{}: {rejected}", P::NAME);
            return EXIT_USAGE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(obey::<P>(line.command, settings));
        runtime.shutdown_timeout(LAST_GRACE);
        outcome
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", P::NAME);
        EXIT_FAILURE
    })
}

fn parse<P: Program>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<CommandLine, clap::Error> {
    use clap::{CommandFactory as _, FromArgMatches as _};
    let command = CommandLine::command()
        .name(P::NAME)
        .about(P::ABOUT)
        .version(release::short())
        .long_version(release::long(P::policies(), P::DATABASES));
    CommandLine::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Each command is boxed: their futures are large, only one of them runs, and nested in one another they grow
/// too deep for the compiler to lay out.
async fn obey<P: Program>(command: Command, settings: P::Settings) -> anyhow::Result<u8> {
    match command {
        Command::Serve { ready_file } => {
            crate::telemetry::init(P::telemetry(&settings));
            crate::telemetry::export(P::NAME, P::telemetry(&settings))?;
            Box::pin(serve::serve::<P>(settings, ready_file)).await
        }
        Command::Migrate(schema) => {
            crate::telemetry::init(P::telemetry(&settings));
            Box::pin(schema.run::<P>(settings)).await
        }
        Command::Backup { file } => {
            crate::telemetry::init(P::telemetry(&settings));
            said(Box::pin(P::backup(settings, file)).await)
        }
        Command::Restore { file, force } => {
            crate::telemetry::init(P::telemetry(&settings));
            said(Box::pin(P::restore(settings, file, force)).await)
        }
        Command::Health(check) => Ok(check.run(P::host(&settings)).await),
        Command::Config => Ok(0),
    }
}

fn said(outcome: anyhow::Result<String>) -> anyhow::Result<u8> {
    let said = outcome?;
    // A reader that went away wants to hear no more; what was done is done.
    let _ = writeln!(std::io::stdout(), "{said}");
    Ok(0)
}
