//! Write-offs on the wire and in the domain.

use super::convert::{NAME, REASON};
use crate::app::Request;
use crate::rpc::convert::{self as value, checked};
use crate::rpc::spend::park_reason;
use billing_domain::delivery::RowId;
use billing_domain::write_off::{WriteOffRows, WrittenOffRow};
use cleave_contracts::billing::v1 as pb;
use cleave_kernel::{DeliveryRowId, Violation, Violations};
use std::collections::HashSet;

/// The most rows of one write-off.
const ROWS: usize = 500;

pub(super) fn command(
    message: &pb::WriteOffParkedRowsRequest,
) -> Result<(WriteOffRows, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let rows = rows(&message.rows, &mut bad);
    let reason = bad.take(value::text("reason", &message.reason, REASON));
    let actor = bad.take(value::text("actor", &message.actor, NAME));
    let parsed = || {
        let command = WriteOffRows {
            rows,
            reason: reason?,
            actor: actor?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

fn rows(named: &[pb::ParkedRowRef], bad: &mut Violations) -> Vec<(RowId, i64)> {
    let field = "rows";
    if named.is_empty() {
        bad.push(Violation::required(field));
    }
    if named.len() > ROWS {
        let mend = format!("give at most {ROWS}");
        bad.push(Violation::new(field, "TOO_MANY", mend));
        return Vec::new();
    }
    let mut rows = Vec::with_capacity(named.len());
    let mut seen = HashSet::new();
    for (index, row) in named.iter().enumerate() {
        let id = value::id::<DeliveryRowId>("id", &row.id);
        let id = id.and_then(|id| {
            let mend = "name each row once";
            let first = seen.insert(id);
            let id = first.then(|| RowId::from_uuid(id.uuid()));
            id.ok_or_else(|| Violation::new("id", "REPEATED", mend))
        });
        if let Some(id) = bad.take(id.map_err(|violation| violation.at(index).under(field))) {
            rows.push((id, row.revision));
        }
    }
    rows
}

pub(super) fn row(row: &WrittenOffRow) -> pb::WrittenOffRow {
    pb::WrittenOffRow {
        id: DeliveryRowId::from_uuid(row.id.uuid()).to_string(),
        revision: row.revision,
        source: row.source.clone(),
        line_item_id: row.line_item.clone(),
        terms_version: row.terms_version,
        ad_unit_id: row.ad_unit.clone(),
        hour: value::known_time(row.hour),
        content: row.content.clone(),
        park_reason: park_reason(row.obstacle).into(),
        detail: row.detail.clone(),
        rated: row.rated,
        reason: row.reason.clone(),
        actor: row.actor.clone(),
        write_off_time: Some(value::time(row.created_at)),
    }
}
