//! What operators watch by: rules, dashboard and runbook, held against each other, and against a Prometheus that
//! scrapes a running pair.

mod exported;
mod files;
mod prometheus;
mod promql;
mod rules;
mod runbook;
mod scrape;
