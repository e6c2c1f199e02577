//! The series of each edge: a method, as one caller calls it.
//!
//! Besides the labels of gRPC's design each has the `caller`, out of a closed set: the workloads that the contracts
//! name, and all others together. So whatever callers say of themselves, the series stay few.

use cleave_mesh::metrics::{ByStatus, code_name, method_name, size};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use metrics::{Counter, Histogram, Label, counter, histogram};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tonic::Code;

/// The label of callers that no contract names.
const OTHER: &str = "other";

/// All edges that end at a service.
#[derive(Debug)]
pub(super) struct Edges {
    callers: Callers,
    methods: HashMap<&'static str, MethodEdges>,
    other: MethodEdges,
}

impl Edges {
    pub(super) fn new(policies: PolicyTable) -> Self {
        let callers = Callers::new(policies);
        let of = |method| MethodEdges::new(method, callers.count());
        let methods = policies
            .iter()
            .map(|method| (method.path, of(Some(method))))
            .collect();
        Self {
            methods,
            other: of(None),
            callers,
        }
    }

    /// The edge from a caller to the method at this path.
    pub(super) fn find(&self, path: &str, caller: Option<&str>) -> (Cow<'static, str>, &Arc<Edge>) {
        let (path, method) = match self.methods.get_key_value(path) {
            Some((known, method)) => (Cow::Borrowed(*known), method),
            None => (Cow::Owned(path.to_owned()), &self.other),
        };
        let place = self.callers.place(caller);
        let make = || Arc::new(Edge::new(method.name, self.callers.name(place)));
        (path, method.edges[place].get_or_init(make))
    }
}

/// The callers that are told apart.
#[derive(Debug)]
struct Callers(Vec<&'static str>);

impl Callers {
    fn new(policies: PolicyTable) -> Self {
        let named = policies.iter().flat_map(|method| method.callers);
        let named: BTreeSet<_> = named.copied().collect();
        Self(named.into_iter().collect())
    }

    /// How many there are, all others counted as one.
    fn count(&self) -> usize {
        self.0.len() + 1
    }

    /// The place of a caller: behind those that are named, when it is another one.
    fn place(&self, caller: Option<&str>) -> usize {
        let named = caller.and_then(|caller| self.0.iter().position(|known| *known == caller));
        named.unwrap_or(self.0.len())
    }

    fn name(&self, place: usize) -> &'static str {
        self.0.get(place).copied().unwrap_or(OTHER)
    }
}

/// The edges that end at one method, in the order of the callers; most never come into being.
#[derive(Debug)]
struct MethodEdges {
    name: &'static str,
    edges: Box<[OnceLock<Arc<Edge>>]>,
}

impl MethodEdges {
    fn new(method: Option<&'static MethodPolicy>, callers: usize) -> Self {
        Self {
            name: method_name(method),
            edges: (0..callers).map(|_| OnceLock::new()).collect(),
        }
    }
}

/// What is recorded of one edge; each metric is looked up once.
#[derive(Debug)]
pub(super) struct Edge {
    method: &'static str,
    caller: &'static str,
    started: Counter,
    ended: ByStatus<Ended>,
}

/// What is recorded of a call that has ended.
#[derive(Debug)]
struct Ended {
    duration: Histogram,
    sent: Histogram,
    received: Histogram,
}

impl Edge {
    fn new(method: &'static str, caller: &'static str) -> Self {
        let labels = vec![method_label(method), caller_label(caller)];
        Self {
            method,
            caller,
            started: counter!("grpc.server.call.started", labels),
            ended: ByStatus::default(),
        }
    }

    /// A call has begun.
    pub(super) fn begin(&self) {
        self.started.increment(1);
    }

    /// A call has ended, after so many bytes of messages.
    pub(super) fn end(&self, code: Code, elapsed: Duration, sent: u64, received: u64) {
        let ended = self.ended.get(code, || self.ended_with(code));
        ended.duration.record(elapsed);
        ended.sent.record(size(sent));
        ended.received.record(size(received));
    }

    fn ended_with(&self, code: Code) -> Ended {
        let of = |name: &'static str| {
            let status = Label::from_static_parts("grpc.status", code_name(code));
            let labels = vec![method_label(self.method), status, caller_label(self.caller)];
            histogram!(name, labels)
        };
        Ended {
            duration: of("grpc.server.call.duration"),
            sent: of("grpc.server.call.sent_total_compressed_message_size"),
            received: of("grpc.server.call.rcvd_total_compressed_message_size"),
        }
    }
}

fn method_label(method: &'static str) -> Label {
    Label::from_static_parts("grpc.method", method)
}

fn caller_label(caller: &'static str) -> Label {
    Label::from_static_parts("caller", caller)
}
