//! The frame of a service's binary, run as a process: this test binary, started again with the arguments
//! of a service, is one.

use cleave_host::command::{self, Program};
use cleave_host::config::{Faults, HostSettings, TelemetrySettings, Validate};
use cleave_host::{Host, Running};
use cleave_mesh::policy::PolicyTable;
use serde::Deserialize;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Holds the arguments for the service when this binary is to be one.
const ARGUMENTS: &str = "DEMO_ARGUMENTS";
const PATIENCE: Duration = Duration::from_secs(20);

struct Demo;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    host: HostSettings,
    telemetry: TelemetrySettings,
    demo: Section,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    ready: bool,
    schema: String,
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.host.validate(faults);
        self.telemetry.validate(faults);
    }
}

impl Program for Demo {
    const NAME: &'static str = "demo";
    const ABOUT: &'static str = "A service for tests";
    const DEFAULTS: &'static str = "[host]\nprobe_period = \"1s\"\n# Of the demo.\n[demo]\n# Whether it becomes ready.\nready = true\n# A file that is there once the schema is.\nschema = \"\"\n";
    const DATABASES: &'static str = "none";
    type Settings = Settings;

    fn policies() -> PolicyTable {
        PolicyTable::new(&[]).with_fingerprint(0xc1ea)
    }

    fn host(settings: &Settings) -> &HostSettings {
        &settings.host
    }

    fn telemetry(settings: &Settings) -> &TelemetrySettings {
        &settings.telemetry
    }

    async fn migrate(_: Settings) -> anyhow::Result<()> {
        Ok(())
    }

    async fn pending(settings: &Settings) -> anyhow::Result<Vec<String>> {
        let file = Path::new(&settings.demo.schema);
        let steps = if file.exists() {
            &[][..]
        } else {
            &["m0001_demo"]
        };
        Ok(steps.iter().map(|&step| step.to_owned()).collect())
    }

    async fn start(settings: Settings) -> anyhow::Result<Running> {
        let ready = settings.demo.ready;
        Host::builder(Self::NAME, &settings.host)
            .readiness("demo", move || async move {
                anyhow::ensure!(ready, "never ready");
                Ok(())
            })
            .start()
            .await
    }
}

/// Not a test: the service, when the variable is set.
#[test]
fn service() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        let arguments = std::iter::once("demo").chain(arguments.split_whitespace());
        let code = command::run::<Demo>(arguments.map(std::ffi::OsString::from));
        std::process::exit(code.into());
    }
}

fn demo(arguments: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args(["--exact", "service", "--nocapture"])
        .env(ARGUMENTS, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &str) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = demo(arguments).output().expect("run");
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (status.code(), text.concat())
}

/// A service that runs; killed with the test.
struct Service {
    child: Child,
    address: String,
    admin: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts a service and waits until it has written its ready file.
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("ready.json");
        let arguments = format!(
            "serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --set telemetry.level=access=debug \
             --ready-file {} {more}",
            file.display()
        );
        let child = demo(&arguments).spawn().expect("spawned");
        let [address, admin] = addresses_in(&file);
        Self {
            child,
            address,
            admin,
        }
    }

    /// Asks for the end; gives the exit code and everything that was logged.
    fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill");
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut log).expect("text");
        (self.child.wait().expect("ended").code(), log)
    }
}

fn addresses_in(file: &Path) -> [String; 2] {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Ok(text) = std::fs::read_to_string(file) {
            let ready: serde_json::Value = serde_json::from_str(&text).expect("json");
            return ["listen", "admin"]
                .map(|port| ready[port].as_str().expect("an address").to_owned());
        }
        std::thread::yield_now();
    }
    panic!("the service was not ready within {PATIENCE:?}");
}

#[test]
fn a_service_serves_until_sigterm_and_exits_with_zero() {
    let service = Service::start("");
    let address = service.address.clone();

    let (code, text) = run(&format!("health --address {address}"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("SERVING"), "{text}");
    assert_eq!(
        run(&format!("health --address {address} --service no.such")).0,
        Some(3)
    );

    let (code, log) = service.terminate();
    assert_eq!(code, Some(0), "{log}");
    let line = log
        .lines()
        .find(|line| line.contains("grpc.health.v1.Health/Check"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line")).expect("json");
    assert_eq!(line["rpc.status"], "OK");
    assert!(
        line["duration_us"].is_u64() && line["trace.id"].is_string(),
        "{line}"
    );
    assert_eq!(run(&format!("health --address {address}")).0, Some(2));
}

/// Flags that give a service a certificate of a new authority.
fn credentials(folder: &Path) -> String {
    use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key"));
    let authority = authority.expect("authority");
    let mut params = CertificateParams::default();
    let id = "spiffe://cleave.local/demo".try_into().expect("ascii");
    params.subject_alt_names = vec![SanType::URI(id)];
    let key = KeyPair::generate().expect("key");
    let certificate = params.signed_by(&key, &authority).expect("signed");
    let texts = [
        ("certificate", certificate.pem()),
        ("key", key.serialize_pem()),
        ("authority", authority.pem()),
    ];
    texts
        .map(|(name, pem)| {
            let file = folder.join(name);
            std::fs::write(&file, pem).expect("written");
            format!("--set host.tls.{name}={}", file.display())
        })
        .join(" ")
}

#[test]
fn a_service_with_a_certificate_is_asked_for_its_health_with_it() {
    let folder = tempfile::tempdir().expect("folder");
    let tls = credentials(folder.path());
    let service = Service::start(&tls);
    let address = service.address.clone();

    let (code, text) = run(&format!("health --address {address} {tls}"));
    assert_eq!(code, Some(0), "{text}");
    // Another authority's word is not enough to be believed by the one who asks.
    let other = tempfile::tempdir().expect("folder");
    let other = credentials(other.path());
    assert_eq!(
        run(&format!("health --address {address} {other}")).0,
        Some(2)
    );
}

#[test]
fn wrong_settings_are_refused_with_every_fault() {
    let arguments = "serve --set host.workerss=2 --set demo.ready=perhaps --listen nowhere";

    let (code, text) = run(arguments);

    assert_eq!(code, Some(64), "{text}");
    for part in [
        "3 faults",
        "did you mean workers?",
        "demo.ready",
        "host.listen",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_printed_defaults_are_a_file_that_can_be_used() {
    let (code, text) = run("config");
    assert_eq!(code, Some(0));
    let file = tempfile::NamedTempFile::new().expect("file");
    // The test harness prints a line or two of its own before.
    let start = text.find("# Where and how").expect("the defaults");
    std::fs::write(file.path(), &text[start..]).expect("written");

    let (code, text) = run(&format!("migrate --config {}", file.path().display()));

    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_schema_is_awaited_until_somebody_else_has_brought_it_up_to_date() {
    let folder = tempfile::tempdir().expect("folder");
    let schema = folder.path().join("schema");
    let look = format!("migrate --check --set demo.schema={}", schema.display());
    let (code, text) = run(&look);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("older than this version"), "{text}");
    assert!(text.contains("m0001_demo"), "{text}");

    let waiting = demo(&format!("{look} --wait 20s"))
        .spawn()
        .expect("spawned");
    std::fs::write(&schema, "").expect("written");

    let waited = waiting.wait_with_output().expect("ended");
    assert_eq!(waited.status.code(), Some(0));
    assert_eq!(run(&look).0, Some(0));
    assert_eq!(run("migrate --wait 1s").0, Some(64), "nothing to wait for");
}

/// Asks the admin port as an orchestrator does, which knows no TLS.
#[test]
fn a_service_with_a_certificate_is_asked_for_its_health_in_plaintext_at_its_admin_port() {
    let folder = tempfile::tempdir().expect("folder");
    let service = Service::start(&credentials(folder.path()));

    for name in ["", "--service liveness"] {
        let (code, text) = run(&format!("health --address {} {name}", service.admin));
        assert_eq!(code, Some(0), "{name}: {text}");
    }
    let (code, text) = run(&format!("health --address {}", service.address));
    assert_eq!(code, Some(2), "in plaintext: {text}");
    for part in ["the peer speaks TLS", "hint: ", "host.tls.certificate"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let tls = credentials(folder.path());
    let (code, text) = run(&format!("health --address {} {tls}", service.admin));
    assert_eq!(code, Some(2), "over TLS: {text}");
    assert!(text.contains("the peer does not speak TLS"), "{text}");
}

/// An image sets the address for whatever is run of it.
#[test]
fn who_does_not_listen_needs_no_certificate_for_the_address() {
    let open = "--set host.listen=0.0.0.0:50051";

    let (code, text) = run(&format!("serve {open}"));
    assert_eq!(code, Some(64), "{text}");
    let (code, text) = run(&format!("migrate {open}"));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn wrong_arguments_are_refused() {
    assert_eq!(run("serve --no-such-flag").0, Some(64));
}

#[test]
fn the_version_is_told_shortly_and_at_length() {
    let version = env!("CARGO_PKG_VERSION");
    let (code, text) = run("-V");
    assert_eq!(code, Some(0), "{text}");
    let short = format!("demo {version} (unknown)");
    assert!(text.lines().any(|line| line == short), "{text}");

    let (code, text) = run("--version");

    assert_eq!(code, Some(0), "{text}");
    let long =
        format!("demo {version}\ncommit: unknown\ncontract: 000000000000c1ea\ndatabases: none\n");
    assert!(text.contains(&long), "{text}");
}

#[test]
fn a_file_named_by_the_environment_is_read() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "[host]\nworkerss = 2\n").expect("written");

    let output = demo("migrate").env("CLEAVE_CONFIG", file.path()).output();

    let output = output.expect("run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("did you mean workers?"), "{text}");
}
