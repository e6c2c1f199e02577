//! Reads the policy of every method out of compiled contracts, and refuses what contradicts itself.

#[path = "fields.rs"]
mod fields;

use fields::{enum_name, list, message, number, option, value_name};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use std::fmt;
use std::time::Duration;

/// The option that carries a method's policy.
const POLICY: &str = "cleave.mesh.v1.policy";
/// The option by which a service says how its methods are repeated.
const RETRY: &str = "cleave.mesh.v1.retry";
/// Attempts that a retry or hedging policy may ask for; gRFC A6 caps them at five.
const ATTEMPTS: std::ops::RangeInclusive<i32> = 2..=5;
/// Workloads that exist.
const CALLERS: [&str; 3] = ["operations", "billing", "cleave"];

/// The checked policy of one method.
#[derive(Debug)]
pub struct Policy {
    /// The gRPC path, such as `/cleave.billing.v1.AccountService/GetAccount`.
    pub path: String,
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub hedging: Option<Hedging>,
    pub on_unavailable: OnUnavailable,
    /// The value's name without the prefix of its enum.
    pub criticality: String,
    pub callers: Vec<String>,
    /// The value's name, as protobuf spells it.
    pub idempotency: String,
    pub client_streaming: bool,
    pub server_streaming: bool,
}

#[derive(Debug)]
pub struct Retry {
    pub max_attempts: i32,
    /// The values' names without the prefix of their enum.
    pub codes: Vec<String>,
    pub initial_backoff: Duration,
    pub max_backoff: Duration,
    pub multiplier_percent: i32,
}

#[derive(Debug)]
pub struct Hedging {
    pub max_attempts: i32,
    pub delay: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub enum OnUnavailable {
    Refuse,
    Cache(Duration),
    Queue,
}

/// A policy that cannot stand: where, what, and how to mend it.
#[derive(Debug)]
pub struct Fault {
    pub file: String,
    /// Counted from one; zero when the compiler kept no positions.
    pub line: i32,
    pub method: String,
    pub problem: String,
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            method,
            problem,
            mend,
        } = self;
        write!(f, "{file}:{line}: {method}: {problem}; {mend}")
    }
}

/// The policy of every method in `pool`, sorted by path, or every fault that was found.
pub fn read(pool: &DescriptorPool) -> Result<Vec<Policy>, Vec<Fault>> {
    let mut policies = Vec::new();
    let mut faults = Vec::new();
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        let mut check = Check {
            method: &method,
            faults: &mut faults,
        };
        if let Some(policy) = check.policy(pool) {
            policies.push(policy);
        }
    }
    policies.sort_by(|a, b| a.path.cmp(&b.path));
    if faults.is_empty() {
        Ok(policies)
    } else {
        Err(faults)
    }
}

/// One method under examination, and what was found so far.
struct Check<'a> {
    method: &'a MethodDescriptor,
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    fn policy(&mut self, pool: &DescriptorPool) -> Option<Policy> {
        let options = self.method.options();
        let Some(policy) = option(&options, pool, POLICY) else {
            self.fault(
                "has no policy",
                &format!("add `option ({POLICY}) = {{...}};` to the method"),
            );
            return None;
        };
        let idempotency = enum_name(&options, "idempotency_level").unwrap_or_default();
        let own = message(&policy, "retry");
        self.repeatable(own.is_some(), "retry", &idempotency);
        let retry = own.or_else(|| self.service_retry(pool, &idempotency));
        let retry = retry.and_then(|retry| self.retry(&retry));
        let hedging = message(&policy, "hedging").map(|hedging| self.hedging(&hedging));
        let on_unavailable = self.on_unavailable(&policy, &idempotency);
        self.repeatable(hedging.is_some(), "hedging", &idempotency);
        Some(Policy {
            path: format!(
                "/{}/{}",
                self.method.parent_service().full_name(),
                self.method.name()
            ),
            timeout: self.timeout(&policy),
            retry,
            hedging,
            on_unavailable,
            criticality: self.stated(&policy, "criticality", "CRITICALITY_"),
            callers: self.callers(&policy),
            idempotency,
            client_streaming: self.method.is_client_streaming(),
            server_streaming: self.method.is_server_streaming(),
        })
    }

    fn repeatable(&mut self, asked: bool, what: &str, idempotency: &str) {
        if asked && !is_repeatable(idempotency) {
            self.fault(
                &format!("asks for {what}, but a second call may have a second effect"),
                &format!(
                    "set `option idempotency_level = NO_SIDE_EFFECTS;` or `IDEMPOTENT`, or drop `{what}`"
                ),
            );
        }
    }

    /// How the service says that methods like this one are repeated.
    fn service_retry(&self, pool: &DescriptorPool, idempotency: &str) -> Option<DynamicMessage> {
        if self.is_streaming() || !is_repeatable(idempotency) {
            return None;
        }
        option(&self.method.parent_service().options(), pool, RETRY)
    }

    fn is_streaming(&self) -> bool {
        self.method.is_client_streaming() || self.method.is_server_streaming()
    }

    fn timeout(&mut self, policy: &DynamicMessage) -> Option<Duration> {
        let timeout = self.duration(policy, "timeout");
        if timeout.is_none() && !self.is_streaming() {
            self.fault(
                "is unary and has no timeout",
                "set `timeout`, such as `{seconds: 2}`",
            );
        }
        timeout
    }

    fn retry(&mut self, retry: &DynamicMessage) -> Option<Retry> {
        if number(retry, "max_attempts") == 1 {
            return None;
        }
        let codes: Vec<String> = list(retry, "codes")
            .filter_map(|code| value_name(retry, "codes", &code))
            .filter_map(|name| name.strip_prefix("CODE_").map(str::to_owned))
            .collect();
        if codes.is_empty() || codes.iter().any(|code| code == "UNSPECIFIED") {
            self.fault(
                "retries on no code",
                "name them, such as `codes: [CODE_UNAVAILABLE]`",
            );
        }
        let initial_backoff = self.required_duration(retry, "initial_backoff");
        let max_backoff = self.required_duration(retry, "max_backoff");
        if max_backoff < initial_backoff {
            self.fault(
                "has max_backoff below initial_backoff",
                "raise `max_backoff`",
            );
        }
        let multiplier_percent = match number(retry, "backoff_multiplier_percent") {
            0 => 200,
            percent => percent,
        };
        if multiplier_percent < 100 {
            self.fault(
                "shrinks its backoff",
                "set `backoff_multiplier_percent` to 100 or more",
            );
        }
        let max_attempts = self.attempts(retry);
        Some(Retry {
            max_attempts,
            codes,
            initial_backoff,
            max_backoff,
            multiplier_percent,
        })
    }

    fn hedging(&mut self, hedging: &DynamicMessage) -> Hedging {
        Hedging {
            max_attempts: self.attempts(hedging),
            delay: self.required_duration(hedging, "delay"),
        }
    }

    fn attempts(&mut self, policy: &DynamicMessage) -> i32 {
        let attempts = number(policy, "max_attempts");
        if !ATTEMPTS.contains(&attempts) {
            self.fault(
                &format!("asks for {attempts} attempts"),
                &format!(
                    "set `max_attempts` from {} to {}",
                    ATTEMPTS.start(),
                    ATTEMPTS.end()
                ),
            );
        }
        attempts
    }

    fn on_unavailable(&mut self, policy: &DynamicMessage, idempotency: &str) -> OnUnavailable {
        let max_age = self.duration(policy, "max_age");
        let stated = self.stated(policy, "on_unavailable", "ON_UNAVAILABLE_");
        if stated == "CACHE" && idempotency != "NO_SIDE_EFFECTS" {
            self.fault(
                "serves a mutation from the cache",
                "use ON_UNAVAILABLE_REFUSE or ON_UNAVAILABLE_QUEUE, or mark a read `idempotency_level = NO_SIDE_EFFECTS`",
            );
        }
        match (stated.as_str(), max_age) {
            ("CACHE", Some(max_age)) => return OnUnavailable::Cache(max_age),
            ("CACHE", None) => {
                self.fault(
                    "caches without an age limit",
                    "set `max_age`, such as `{seconds: 60}`",
                );
            }
            (_, Some(_)) => {
                self.fault(
                    "sets max_age without CACHE",
                    "drop `max_age` or use ON_UNAVAILABLE_CACHE",
                );
            }
            ("QUEUE", None) => return OnUnavailable::Queue,
            _ => {}
        }
        OnUnavailable::Refuse
    }

    fn callers(&mut self, policy: &DynamicMessage) -> Vec<String> {
        let callers: Vec<String> = list(policy, "callers")
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        if callers.is_empty() {
            self.fault("may be called by nobody", "name its `callers`");
        }
        for caller in &callers {
            if !CALLERS.contains(&caller.as_str()) {
                self.fault(
                    &format!("names the unknown caller {caller:?}"),
                    &format!("use one of {}", CALLERS.join(", ")),
                );
            }
        }
        callers
    }

    /// The name of an enum's value without its prefix; a fault when it is unspecified.
    fn stated(&mut self, policy: &DynamicMessage, field: &str, prefix: &str) -> String {
        let name = enum_name(policy, field).unwrap_or_default();
        let name = name.strip_prefix(prefix).unwrap_or("UNSPECIFIED");
        if name == "UNSPECIFIED" {
            self.fault(
                &format!("does not state {field}"),
                &format!("set `{field}`"),
            );
        }
        name.to_owned()
    }

    fn required_duration(&mut self, policy: &DynamicMessage, field: &str) -> Duration {
        self.duration(policy, field).unwrap_or_else(|| {
            self.fault(
                &format!("does not state {field}"),
                &format!("set `{field}`"),
            );
            Duration::ZERO
        })
    }

    fn duration(&mut self, policy: &DynamicMessage, field: &str) -> Option<Duration> {
        let span = message(policy, field)?;
        let seconds = span.get_field_by_name("seconds")?.as_i64()?;
        let nanos = span.get_field_by_name("nanos")?.as_i32()?;
        match (u64::try_from(seconds), u32::try_from(nanos)) {
            (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 && (seconds, nanos) != (0, 0) => {
                Some(Duration::new(seconds, nanos))
            }
            _ => {
                self.fault(
                    &format!("has a {field} that is not positive"),
                    &format!("mend `{field}`"),
                );
                None
            }
        }
    }

    fn fault(&mut self, problem: &str, mend: &str) {
        self.faults.push(Fault {
            file: self.method.parent_file().name().to_owned(),
            line: self.line(),
            method: self.method.full_name().to_owned(),
            problem: problem.to_owned(),
            mend: mend.to_owned(),
        });
    }

    fn line(&self) -> i32 {
        let file = self.method.parent_file();
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        info.and_then(|info| {
            info.location
                .iter()
                .find(|location| location.path == self.method.path())
        })
        .and_then(|location| location.span.first())
        .map_or(0, |line| line + 1)
    }
}

/// Whether a call that was made twice has no other effect than one.
fn is_repeatable(idempotency: &str) -> bool {
    matches!(idempotency, "NO_SIDE_EFFECTS" | "IDEMPOTENT")
}
