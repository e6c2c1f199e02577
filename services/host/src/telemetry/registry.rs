//! All that the process counts and measures. A series is a few numbers of a fixed size: to record neither waits nor
//! allocates, and nothing grows whether anybody asks for them or not.

use super::buckets;
use super::histogram::{Buckets, Measured};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use metrics_util::registry::{Registry, Storage};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The series of the process and what they mean.
pub(super) struct Series {
    registry: Registry<Key, Numbers>,
    meanings: RwLock<BTreeMap<KeyName, Meaning>>,
}

/// What a metric says, for those who look at it.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    pub(super) unit: Option<Unit>,
    pub(super) text: SharedString,
}

/// The series of one name, as they were at one moment.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) meaning: Option<Meaning>,
    pub(super) points: Points,
}

/// Each series of a family, by its labels.
#[derive(Debug)]
pub(super) enum Points {
    Counters(Vec<(Vec<Label>, u64)>),
    Gauges(Vec<(Vec<Label>, f64)>),
    Histograms(Vec<(Vec<Label>, Measured)>),
}

/// How the numbers of a series are kept.
struct Numbers;

impl Storage<Key> for Numbers {
    type Counter = Arc<AtomicU64>;
    type Gauge = Arc<AtomicU64>;
    type Histogram = Arc<Buckets>;

    fn counter(&self, _: &Key) -> Self::Counter {
        Arc::default()
    }

    fn gauge(&self, _: &Key) -> Self::Gauge {
        Arc::default()
    }

    fn histogram(&self, key: &Key) -> Self::Histogram {
        Arc::new(Buckets::new(buckets::of(key.name())))
    }
}

impl Series {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            registry: Registry::new(Numbers),
            meanings: RwLock::default(),
        }
    }

    /// All of them as they are now, in the order of their names and labels.
    pub(super) fn families(&self) -> Vec<Family> {
        let (mut counters, mut gauges) = (BTreeMap::new(), BTreeMap::new());
        let mut histograms = BTreeMap::new();
        self.registry.visit_counters(|key, count| {
            add(&mut counters, key, count.load(Ordering::Relaxed));
        });
        self.registry.visit_gauges(|key, bits| {
            add(
                &mut gauges,
                key,
                f64::from_bits(bits.load(Ordering::Relaxed)),
            );
        });
        self.registry.visit_histograms(|key, buckets| {
            add(&mut histograms, key, buckets.measured());
        });
        let counters = self.named(counters, Points::Counters);
        let gauges = self.named(gauges, Points::Gauges);
        let histograms = self.named(histograms, Points::Histograms);
        counters
            .into_iter()
            .chain(gauges)
            .chain(histograms)
            .collect()
    }

    fn named<V>(
        &self,
        families: Families<V>,
        points: fn(Vec<(Vec<Label>, V)>) -> Points,
    ) -> Vec<Family> {
        let meanings = self.meanings.read().unwrap_or_else(PoisonError::into_inner);
        let family = |(name, mut series): (String, Vec<(Vec<Label>, V)>)| {
            series.sort_by(|(one, _), (other, _)| one.cmp(other));
            Family {
                meaning: meanings.get(name.as_str()).cloned(),
                points: points(series),
                name,
            }
        };
        families.into_iter().map(family).collect()
    }

    fn describe(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        let mut meanings = self
            .meanings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        meanings.insert(name, Meaning { unit, text });
    }
}

/// Series by name.
type Families<V> = BTreeMap<String, Vec<(Vec<Label>, V)>>;

fn add<V>(families: &mut Families<V>, key: &Key, value: V) {
    let family = families.entry(key.name().to_owned()).or_default();
    family.push((key.labels().cloned().collect(), value));
}

impl Recorder for Series {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.registry
            .get_or_create_counter(key, |count| Arc::clone(count).into())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.registry
            .get_or_create_gauge(key, |number| Arc::clone(number).into())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry
            .get_or_create_histogram(key, |buckets| Arc::clone(buckets).into())
    }
}
