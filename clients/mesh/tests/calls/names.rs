//! A name that is looked up again and again.

use crate::peer::{POLICIES, unary};
use crate::replica::{Load, Replica, tuning, until};
use cleave_mesh::{Mesh, Resolve, ResolveError, Resolved, Tuning};
use futures::future::BoxFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// A name server that knows one name, and answers every question with its addresses.
struct NameServer {
    address: SocketAddr,
    known: Arc<Mutex<Vec<Ipv4Addr>>>,
    asked: Arc<AtomicUsize>,
    /// The questions for addresses of the family that it knows: one for each time that the name is looked up.
    lookups: Arc<AtomicUsize>,
}

/// Answers are valid for a second, unless a test says otherwise.
const SECOND: u32 = 1;
const HOUR: u32 = 3_600;

const HEADER: usize = 12;
const ADDRESS: u16 = 1;

impl NameServer {
    async fn start(known: Vec<Ipv4Addr>, valid_for: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
        let address = socket.local_addr().expect("address");
        let known = Arc::new(Mutex::new(known));
        let answers = Arc::clone(&known);
        let asked = Arc::<AtomicUsize>::default();
        let lookups = Arc::<AtomicUsize>::default();
        let (questions, counted) = (Arc::clone(&asked), Arc::clone(&lookups));
        tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                questions.fetch_add(1, Ordering::Relaxed);
                if kind(&question) == ADDRESS {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let known = answers.lock().expect("not poisoned").clone();
                let answer = answer(&question[..length], &known, valid_for);
                socket.send_to(&answer, from).await.expect("sent");
            }
        });
        Self {
            address,
            known,
            asked,
            lookups,
        }
    }

    /// Waits until it was asked so many more questions.
    async fn more(&self, questions: usize) {
        let goal = self.asked.load(Ordering::Relaxed) + questions;
        until(|| self.asked.load(Ordering::Relaxed) >= goal).await;
    }

    /// Waits until the name was looked up so often in all.
    async fn looked_up(&self, times: usize) {
        until(|| self.lookups.load(Ordering::Relaxed) >= times).await;
    }

    fn set(&self, known: Vec<Ipv4Addr>) {
        *self.known.lock().expect("not poisoned") = known;
    }
}

/// Where the name of a question ends, and what kind of address is asked for.
fn end_and_kind(question: &[u8]) -> (usize, u16) {
    let mut end = HEADER;
    while question[end] != 0 {
        end += 1 + usize::from(question[end]);
    }
    end += 5;
    (
        end,
        u16::from_be_bytes([question[end - 4], question[end - 3]]),
    )
}

fn kind(question: &[u8]) -> u16 {
    end_and_kind(question).1
}

/// The answer to a question: no error, these addresses, valid for so many seconds.
fn answer(question: &[u8], known: &[Ipv4Addr], valid_for: u32) -> Vec<u8> {
    let (end, kind) = end_and_kind(question);
    let known = if kind == ADDRESS { known } else { &[] };
    let mut out = question[..end].to_vec();
    out[2..4].copy_from_slice(&[0x81, 0x80]);
    let count = u16::try_from(known.len()).expect("few");
    out[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    out[6..8].copy_from_slice(&count.to_be_bytes());
    for address in known {
        out.extend([0xc0, 0x0c, 0, 1, 0, 1]);
        out.extend(valid_for.to_be_bytes());
        out.extend([0, 4]);
        out.extend(address.octets());
    }
    out
}

#[tokio::test]
async fn a_changed_name_is_followed() {
    let names = NameServer::start(vec![Ipv4Addr::new(127, 0, 0, 1)], SECOND).await;
    let one = Replica::start().await;
    let target = format!(
        "dns://{}/script.test.:{}",
        names.address,
        one.address.port()
    );
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &target)
        .tuning(Tuning {
            resolve_floor: Duration::from_millis(50),
            resolve_ceiling: Duration::from_millis(200),
            ..tuning()
        })
        .build()
        .expect("mesh");
    let addresses = || -> Vec<_> {
        let replicas = mesh.state().remove(0).replicas;
        replicas.into_iter().map(|one| one.address).collect()
    };
    let load = Load::start(&mesh.to("script").expect("peer"), "Read", 2);
    until(|| one.calls() > 20).await;

    names.set(vec![
        Ipv4Addr::new(127, 0, 0, 1),
        Ipv4Addr::new(127, 0, 0, 2),
    ]);
    until(|| addresses().len() == 2).await;
    names.set(Vec::new());
    load.more(100).await;
    assert_eq!(addresses().len(), 2, "an empty answer is none");
    names.set(vec![Ipv4Addr::new(127, 0, 0, 1)]);
    until(|| addresses().len() == 1).await;

    assert_eq!(load.stop().await.1.len(), 0);
}

#[tokio::test]
async fn a_failure_outweighs_what_a_name_was_said_to_be_valid_for() {
    let names = NameServer::start(vec![Ipv4Addr::new(127, 0, 0, 1)], HOUR).await;
    let one = Replica::start().await;
    let port = one.address.port();
    let target = format!("dns://{}/script.test.:{port}", names.address);
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &target)
        .tuning(Tuning {
            resolve_floor: Duration::from_millis(50),
            resolve_ceiling: Duration::from_secs(u64::from(HOUR)),
            ..tuning()
        })
        .build()
        .expect("mesh");
    let load = Load::start(&mesh.to("script").expect("peer"), "Read", 2);
    until(|| one.calls() > 20).await;

    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    let two = Replica::start_at((elsewhere, port).into()).await;
    names.set(vec![elsewhere]);
    one.kill();

    until(|| two.calls() > 20).await;
    load.stop().await;
}

/// A mesh whose only peer is a name, looked up within these bounds.
fn looked_up_within(names: &NameServer, floor: Duration, ceiling: Duration) -> Mesh {
    let target = format!("dns://{}/bounds.test.:1", names.address);
    let mesh = Mesh::builder(POLICIES)
        .peer("bounds", &target)
        .tuning(Tuning {
            resolve_floor: floor,
            resolve_ceiling: ceiling,
            ..tuning()
        });
    mesh.build().expect("mesh")
}

#[tokio::test]
async fn given_a_name_that_is_valid_for_no_time_when_it_is_followed_then_the_floor_holds() {
    let names = NameServer::start(vec![Ipv4Addr::LOCALHOST], 0).await;
    let floor = Duration::from_millis(100);
    let begun = Instant::now();
    let _mesh = looked_up_within(&names, floor, Duration::from_secs(60));

    names.looked_up(6).await;

    assert!(begun.elapsed() >= 5 * floor, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn given_a_name_that_is_valid_for_long_when_it_is_followed_then_the_ceiling_holds() {
    let names = NameServer::start(vec![Ipv4Addr::LOCALHOST], HOUR).await;
    let (floor, ceiling) = (Duration::from_millis(20), Duration::from_millis(100));
    let _mesh = looked_up_within(&names, floor, ceiling);

    names.looked_up(4).await;
}

#[tokio::test]
async fn given_a_floor_above_the_ceiling_when_a_name_is_followed_then_the_floor_holds() {
    let names = NameServer::start(vec![Ipv4Addr::LOCALHOST], SECOND).await;
    let floor = Duration::from_millis(50);
    let _mesh = looked_up_within(&names, floor, floor / 2);

    names.looked_up(3).await;
}

/// A resolver that never answers the first time.
struct Stuck {
    asked: AtomicUsize,
    address: String,
}

impl Resolve for Stuck {
    fn resolve(&self) -> BoxFuture<'static, Result<Resolved, ResolveError>> {
        if self.asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return Box::pin(std::future::pending());
        }
        let resolved = Resolved {
            addresses: vec![self.address.clone()],
            valid_for: None,
        };
        Box::pin(async { Ok(resolved) })
    }
}

#[tokio::test]
async fn given_a_resolver_that_never_answers_when_its_time_is_over_then_it_is_asked_again() {
    let one = Replica::start().await;
    let stuck = Arc::new(Stuck {
        asked: AtomicUsize::new(0),
        address: one.address.to_string(),
    });
    let mesh = Mesh::builder(POLICIES)
        .peer_at("script", stuck)
        .tuning(Tuning {
            resolve_timeout: Duration::from_millis(100),
            resolve_floor: Duration::from_millis(20),
            ..tuning()
        });
    let mesh = mesh.build().expect("mesh");

    until(|| !mesh.state()[0].replicas.is_empty()).await;

    let channel = mesh.to("script").expect("peer");
    unary(&channel, "Read", "x").await.expect("answer");
}

/// The lines that an operator reads, of all tests: a subscriber of one thread would miss what others met first.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    log
});

impl Log {
    /// The lines so far that hold both.
    fn lines(&self, level: &str, name: &str) -> Vec<String> {
        let bytes = self.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines();
        let lines = lines.filter(|line| line.contains(level) && line.contains(name));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn given_a_name_when_it_has_addresses_of_one_family_then_that_is_worth_no_line() {
    let log = &*LOG;
    let names = NameServer::start(vec![Ipv4Addr::LOCALHOST], SECOND).await;
    let mesh = looked_up_often(&names, "family");

    names.more(12).await;

    assert_eq!(mesh.state()[0].replicas.len(), 1);
    assert_eq!(log.lines("WARN", "family"), Vec::<String>::new());
}

#[tokio::test]
async fn given_a_name_when_it_is_lost_and_found_then_each_is_said_once() {
    let log = &*LOG;
    let names = NameServer::start(vec![Ipv4Addr::LOCALHOST], SECOND).await;
    let _mesh = looked_up_often(&names, "lost");
    names.more(4).await;

    names.set(Vec::new());
    names.more(12).await;

    let told = log.lines("WARN", "lost");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("lost.test. has no address"), "{told:?}");

    names.set(vec![Ipv4Addr::LOCALHOST]);
    until(|| !log.lines("can be looked up again", "lost").is_empty()).await;
    assert_eq!(log.lines("WARN", "lost").len(), 1);
}

/// A mesh that asks for a name many times a second.
fn looked_up_often(names: &NameServer, name: &str) -> Mesh {
    let target = format!("dns://{}/{name}.test.:1", names.address);
    let mesh = Mesh::builder(POLICIES).peer(name, &target).tuning(Tuning {
        resolve_floor: Duration::from_millis(20),
        resolve_ceiling: Duration::from_millis(50),
        ..tuning()
    });
    mesh.build().expect("mesh")
}
