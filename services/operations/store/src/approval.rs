//! Rows of requests for approval.

use cleave_kernel::{ApprovalId, CampaignId, Timestamp};
use cleave_storage::StorageError;
use operations_domain::{Approval, Kind, Stamp, Statement};
use sea_orm::Value;

use crate::record::{Record, record_head};
use crate::row::{Row, maybe_at, maybe_text, name};
use crate::topic::Topic;

impl Record for Approval {
    const TABLE: &'static str = "approvals";
    const KIND: Kind = Kind::Approval;
    const TOPIC: Topic = Topic::Approval;
    const COLUMNS: &'static [&'static str] = &[
        "campaign_id",
        "state",
        "requester",
        "request_note",
        "decider",
        "decision_note",
        "decided_at",
    ];

    record_head!(ApprovalId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        let decision = self.decision.as_ref();
        vec![
            self.campaign_id.uuid().into(),
            name(self.state),
            self.request.actor.clone().into(),
            maybe_text(self.request.note.as_ref()),
            maybe_text(decision.map(|(decision, _)| &decision.actor)),
            maybe_text(decision.and_then(|(decision, _)| decision.note.as_ref())),
            maybe_at(decision.map(|(_, at)| *at)),
        ]
    }

    fn read(id: ApprovalId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        let campaign_id = CampaignId::from_uuid(row.take()?);
        let state = row.parse()?;
        let request = Statement {
            actor: row.take()?,
            note: row.take()?,
        };
        let decider: Option<String> = row.take()?;
        let note: Option<String> = row.take()?;
        let decided_at: Option<Timestamp> = row.maybe_at()?;
        Ok(Self {
            id,
            stamp,
            campaign_id,
            state,
            request,
            decision: decider
                .zip(decided_at)
                .map(|(actor, at)| (Statement { actor, note }, at)),
        })
    }
}
