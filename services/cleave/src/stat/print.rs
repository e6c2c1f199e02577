//! The figures for people.

use super::calls::Calls;
use super::ends::{ReplicaFigures, Service};
use super::figures::Figures;
use crate::output::{latency, table};

/// The tables, one after the other.
pub(super) fn text(figures: &Figures) -> String {
    let since = match figures.seconds {
        Some(seconds) => format!("the last {seconds:.1} s"),
        None => "since the start of each process".to_owned(),
    };
    let services: Vec<_> = figures.services.iter().map(service).collect();
    let mut text = format!("{since}   {}\n", services.join("   "));
    for problem in &figures.unreachable {
        text.push_str(&format!("× {problem}\n"));
    }
    text.push('\n');
    if figures.calls.is_empty() {
        text.push_str("no call has ended\n");
    } else {
        text.push_str(&format!(
            "{}\n",
            calls(&figures.calls, figures.seconds.is_some())
        ));
    }
    if !figures.replicas.is_empty() {
        text.push_str(&format!("\n{}\n", replicas(&figures.replicas)));
    }
    text
}

fn service(service: &Service) -> String {
    let ready = if service.ready { "ready" } else { "NOT READY" };
    let mut text = format!("{} {ready}", service.name);
    if let (Some(now), Some(limit)) = (service.in_flight, service.limit) {
        text.push_str(&format!(", {now:.0} of {limit:.0} calls in flight"));
    }
    if service.shed > 0.0 {
        text.push_str(&format!(", {:.0} shed", service.shed));
    }
    text
}

fn calls(calls: &[Calls], rates: bool) -> comfy_table::Table {
    let number = if rates { "Calls/s" } else { "Calls" };
    let header = [
        "Edge", "Method", "Seen by", number, "Success", "p50", "p95", "p99", "Retries",
    ];
    let mut table = table(&header, 3);
    for one in calls {
        let quantile = |seconds: Option<f64>| seconds.map_or_else(String::new, latency);
        let rate = one.per_second;
        table.add_row([
            format!("{} → {}", one.caller, one.callee),
            short(&one.method).to_owned(),
            one.seen_by.to_owned(),
            rate.map_or_else(|| format!("{:.0}", one.calls), |rate| format!("{rate:.1}")),
            percent(one.success),
            quantile(one.p50_seconds),
            quantile(one.p95_seconds),
            quantile(one.p99_seconds),
            one.retries
                .map_or_else(String::new, |retries| format!("{retries:.0}")),
        ]);
    }
    table
}

fn replicas(replicas: &[ReplicaFigures]) -> comfy_table::Table {
    let header = [
        "Edge", "Replica", "State", "Calls", "Failed", "Ejected", "Pending", "Latency", "Budget",
        "Tokens",
    ];
    let mut table = table(&header, 3);
    for one in replicas {
        let tokens = one.tokens_percent;
        let budget = one.budget_percent;
        table.add_row([
            format!("{} → {}", one.caller, one.callee),
            one.address.clone(),
            one.state.clone(),
            one.calls.to_string(),
            one.failures.to_string(),
            one.ejections.to_string(),
            one.pending.to_string(),
            latency(one.rtt_seconds),
            budget.map_or_else(String::new, |left| format!("{left} %")),
            tokens.map_or_else(String::new, |left| format!("{left:.0} %")),
        ]);
    }
    table
}

/// `Service/Method` without its package.
fn short(method: &str) -> &str {
    let service = method
        .split_once('/')
        .map_or(method, |(service, _)| service);
    let start = service.rfind('.').map_or(0, |at| at + 1);
    &method[start..]
}

/// A part of one in percent; only all of it is 100 %.
fn percent(part: f64) -> String {
    let tenths = (part * 1_000.0).floor() / 10.0;
    if part >= 1.0 {
        "100 %".to_owned()
    } else {
        format!("{tenths:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_never_rounded_away() {
        assert_eq!(
            [1.0, 0.999_99, 0.5, 0.0].map(percent),
            ["100 %", "99.9 %", "50.0 %", "0.0 %"]
        );
    }

    #[test]
    fn methods_lose_their_package() {
        assert_eq!(
            short("cleave.billing.v1.SpendService/ListCharges"),
            "SpendService/ListCharges"
        );
        assert_eq!(short("other"), "other");
    }
}
