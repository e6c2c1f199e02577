//! `ExplainLineItem`.

use cleave_contracts::operations::v1 as pb;
use operations_domain::explain::ExplainStep;

use super::convert::{id, time};
use super::line_item::{to_wire, to_wire_reason};
use super::names::Wire;
use crate::app::{App, Error};

/// Answers why a line item does what it does.
pub(crate) async fn explain_line_item(
    app: &App,
    message: pb::ExplainLineItemRequest,
) -> Result<pb::ExplainLineItemResponse, Error> {
    let explanation = app.explain_line_item(id("id", &message.id)?).await?;
    Ok(pb::ExplainLineItemResponse {
        line_item: Some(to_wire(explanation.view)),
        steps: explanation.steps.into_iter().map(step).collect(),
        as_of: time(explanation.as_of),
    })
}

fn step(step: ExplainStep) -> pb::ExplainStep {
    pb::ExplainStep {
        subject: step.subject.to_wire(),
        subject_id: step.subject_id,
        verdict: step.verdict.to_wire(),
        state: step.state,
        revision: step.revision,
        as_of: time(step.as_of),
        age: prost_types::Duration::try_from(step.age).ok(),
        source: step.source.to_wire(),
        reasons: step.reasons.into_iter().map(to_wire_reason).collect(),
        message: step.message,
    }
}
