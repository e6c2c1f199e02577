//! What goes wrong, and when: drawn from the seed.

use crate::scenario::{Cast, Stage};
use crate::world::lock;
use std::fmt;
use std::time::Duration;

/// Something that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing gets from one to the other, nor back.
    Partition(&'static str, &'static str),
    /// Nothing gets from one to the other.
    OneWay(&'static str, &'static str),
    /// All that is sent between two arrives when this is over.
    Hold(&'static str, &'static str),
    /// Nobody reaches the host, and it reaches nobody.
    Alone(&'static str),
    /// So many messages in a thousand are lost, and with each the rest of its connection.
    Loss(u16),
    /// Messages take up to so much longer.
    Lag(Duration),
    /// The host's process dies, and is started again when this is over.
    Kill(&'static str),
    /// The host's power fails: nobody is told. It starts again when this is over.
    PowerLoss(&'static str),
    /// The service drains, and starts again by itself.
    Drain(&'static str),
    /// The host's clock is ahead.
    Ahead(&'static str, Duration),
    /// The host's clock is behind.
    Behind(&'static str, Duration),
    /// The host's database is slow.
    Slow(&'static str, u64),
    /// The host answers UNAVAILABLE at once.
    Refusing(&'static str),
}

/// A fault with its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) until: Duration,
    pub(crate) fault: Fault,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {:?} to {:?}", self.fault, self.at, self.until)
    }
}

fn millis(range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(fastrand::u64(range))
}

/// Draws what goes wrong until `end`.
pub(crate) fn draw(cast: &Cast, end: Duration) -> Vec<Event> {
    let hosts = cast.hosts();
    let servers: Vec<_> = cast
        .billing
        .iter()
        .chain(cast.operations)
        .copied()
        .collect();
    let any = |of: &[&'static str]| of[fastrand::usize(..of.len())];
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..fastrand::usize(3..=9) {
        let (one, server) = (any(&hosts), any(&servers));
        let other = any(&hosts
            .iter()
            .copied()
            .filter(|host| *host != one)
            .collect::<Vec<_>>());
        let fault = match fastrand::u32(0..16) {
            0 | 1 => Fault::Partition(one, other),
            2 => Fault::OneWay(one, other),
            3 => Fault::Hold(one, other),
            4 | 5 => Fault::Alone(server),
            6 => Fault::Loss(fastrand::u16(1..30)),
            7 => Fault::Lag(millis(20..150)),
            8 | 9 => Fault::Kill(one),
            10 => Fault::PowerLoss(one),
            11 | 12 => Fault::Drain(server),
            13 => match fastrand::bool() {
                true => Fault::Ahead(server, Duration::from_secs(fastrand::u64(1..3_600))),
                false => Fault::Behind(server, Duration::from_secs(fastrand::u64(1..3_600))),
            },
            14 => Fault::Slow(server, fastrand::u64(50..1_500)),
            _ => Fault::Refusing(server),
        };
        let at = end.mul_f64(fastrand::f64() * 0.85);
        events.push(Event {
            at,
            until: (at + millis(80..1_200)).min(end),
            fault,
        });
    }
    events.sort_by_key(|event| event.at);
    events
}

impl Stage<'_> {
    /// Lets a fault begin.
    pub(crate) fn begin(&mut self, fault: Fault) {
        self.world
            .journal
            .note("fate", format_args!("begins {fault:?}"));
        match fault {
            Fault::Partition(a, b) => self.sim.partition(a, b),
            Fault::OneWay(a, b) => self.sim.partition_oneway(a, b),
            Fault::Hold(a, b) => self.sim.hold(a, b),
            Fault::Alone(host) => self.others(host, |sim, other| sim.partition(host, other)),
            Fault::Loss(per_mille) => self.sim.set_fail_rate(f64::from(per_mille) / 1_000.0),
            Fault::Lag(lag) => self.sim.set_max_message_latency(self.latency + lag),
            Fault::Kill(host) => {
                if !self.down.contains(host) {
                    self.world.deaths[host].notify_one();
                    self.step();
                }
                self.crash(host);
            }
            Fault::PowerLoss(host) => {
                self.others(host, |sim, other| sim.partition(host, other));
                self.crash(host);
            }
            Fault::Drain(host) => {
                if let Some(running) = lock(&self.world.running).remove(host) {
                    running.drain().begin();
                }
            }
            Fault::Ahead(host, by) | Fault::Behind(host, by) => self.trouble(host, |trouble| {
                trouble.skew = by;
                trouble.behind = matches!(fault, Fault::Behind(..));
            }),
            Fault::Slow(host, millis) => self.trouble(host, |trouble| trouble.slow_ms = millis),
            Fault::Refusing(host) => self.trouble(host, |trouble| trouble.refuses = true),
        }
    }

    /// Lets a fault end. A clock that jumped stays where it is.
    pub(crate) fn end(&mut self, fault: Fault) {
        self.world
            .journal
            .note("fate", format_args!("ends {fault:?}"));
        match fault {
            Fault::Partition(a, b) | Fault::OneWay(a, b) => self.sim.repair(a, b),
            Fault::Hold(a, b) => self.sim.release(a, b),
            Fault::Alone(host) => self.others(host, |sim, other| sim.repair(host, other)),
            Fault::Loss(_) => self.sim.set_fail_rate(0.0),
            Fault::Lag(_) => self.sim.set_max_message_latency(self.latency),
            Fault::Kill(host) => self.bounce(host),
            Fault::PowerLoss(host) => {
                self.bounce(host);
                self.others(host, |sim, other| sim.repair(host, other));
            }
            Fault::Drain(_) | Fault::Ahead(..) | Fault::Behind(..) => {}
            Fault::Slow(host, _) => self.trouble(host, |trouble| trouble.slow_ms = 0),
            Fault::Refusing(host) => self.trouble(host, |trouble| trouble.refuses = false),
        }
    }

    /// Makes everything whole.
    pub(crate) fn calm(&mut self) {
        self.sim.set_fail_rate(0.0);
        self.sim.set_max_message_latency(self.latency);
        let hosts = self.cast.hosts();
        for (index, one) in hosts.iter().enumerate() {
            for other in &hosts[index + 1..] {
                self.sim.release(*one, *other);
                self.sim.repair(*one, *other);
            }
            self.bounce(one);
            self.trouble(one, |trouble| {
                trouble.slow_ms = 0;
                trouble.refuses = false;
            });
        }
        self.world.journal.note("fate", format_args!("is calm"));
    }

    fn others(&mut self, host: &str, act: impl Fn(&turmoil::Sim<'_>, &'static str)) {
        for other in self.cast.hosts() {
            if other != host {
                act(&self.sim, other);
            }
        }
    }

    fn trouble(&self, host: &'static str, change: impl FnOnce(&mut crate::world::Trouble)) {
        change(lock(&self.world.trouble).entry(host).or_default());
    }

    fn crash(&mut self, host: &'static str) {
        lock(&self.world.running).remove(host);
        lock(&self.world.heard).remove(host);
        if self.sim.is_host_running(host) {
            // What is dropped may draw lots, and is dropped in no order.
            let chance = fastrand::get_seed();
            self.sim.crash(host);
            fastrand::seed(chance);
            self.down.insert(host);
        }
    }

    fn bounce(&mut self, host: &'static str) {
        if self.down.remove(host) {
            self.sim.bounce(host);
        }
    }
}
