//! The tap's page on the admin port: one line of JSON per call, for as long as somebody reads.

use super::filter::{Filter, Query};
use super::recording::{Direction, Recorded};
use super::show::Contracts;
use super::{Taps, Watch};
use axum::body::Body;
use axum::extract;
use axum::extract::rejection::QueryRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cleave_mesh::metrics::code_name;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

/// Streams the calls that the query asks for, until there were as many as it wants, the reader leaves, or `end`.
pub(crate) fn stream(
    taps: &Taps,
    contracts: Arc<Contracts>,
    end: CancellationToken,
    query: Result<extract::Query<Query>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(extract::Query(query)) => query,
        Err(rejection) => return refuse(StatusCode::BAD_REQUEST, rejection.body_text()),
    };
    let limit = query.limit.unwrap_or(u64::MAX);
    let filter = match Filter::try_from(query) {
        Ok(filter) => filter,
        Err(fault) => return refuse(StatusCode::BAD_REQUEST, fault.to_string()),
    };
    let watch = match taps.watch(filter) {
        Ok(watch) => watch,
        Err(crowded) => return refuse(StatusCode::TOO_MANY_REQUESTS, crowded.to_string()),
    };
    let viewing = Viewing {
        watch,
        contracts,
        end,
        left: limit,
    };
    // The empty piece sends the headers: a reader knows that it watches before there is anything to see.
    let begun = futures::stream::iter([Ok(String::new())]);
    let lines = futures::stream::unfold(viewing, Viewing::next);
    let lines = futures::StreamExt::chain(begun, lines);
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (kind, Body::from_stream(lines)).into_response()
}

fn refuse(code: StatusCode, why: String) -> Response {
    (code, format!("{why}\n")).into_response()
}

struct Viewing {
    watch: Watch,
    contracts: Arc<Contracts>,
    end: CancellationToken,
    left: u64,
}

impl Viewing {
    /// The next lines.
    async fn next(mut self) -> Option<(Result<String, Infallible>, Self)> {
        self.left = self.left.checked_sub(1)?;
        let end = self.end.clone();
        let (lost, call) = end.run_until_cancelled(self.watch.next()).await??;
        let mut lines = String::new();
        if lost > 0 {
            lines = format!("{}\n", json!({ "lost": lost }));
        }
        lines.push_str(&line(&self.contracts, &call).to_string());
        lines.push('\n');
        Some((Ok(lines), self))
    }
}

fn line(contracts: &Contracts, call: &Recorded) -> Value {
    let method = contracts.method(&call.path);
    let direction = |direction: &Direction, kind| {
        json!({
            "bytes": direction.bytes,
            "messages": contracts.messages(kind, &direction.kept),
        })
    };
    let began = call.began.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "began_ms": began.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        "method": call.path.trim_start_matches('/'),
        "caller": call.context.caller.as_deref(),
        "client": call.remote.map(|remote| remote.to_string()),
        "code": code_name(call.code),
        "duration_us": u64::try_from(call.duration.as_micros()).unwrap_or(u64::MAX),
        "trace_id": call.context.trace.trace_id().to_string(),
        "request": direction(&call.request, method.as_ref().map(prost_reflect::MethodDescriptor::input)),
        "response": direction(&call.response, method.as_ref().map(prost_reflect::MethodDescriptor::output)),
    })
}
