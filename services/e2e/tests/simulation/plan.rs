//! What Operations has to have done by Billing, in Operations' database: each step until it has an answer,
//! by whichever replica, however often.

use crate::journal::Journal;
use crate::ledger::account_of;
use crate::wire::to_wire;
use crate::world::lock;
use billing_client::pb;
use cleave_kernel::{AdvertiserId, LineItemId, Micros};
use cleave_mesh::CallError;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// How many advertisers there are.
pub(crate) const ADVERTISERS: usize = 3;

/// Something that is to be done exactly once.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Pay(pb::RecordPaymentRequest),
    Reserve(pb::ReserveBudgetRequest),
    /// Releases what another step has reserved.
    Release {
        of: usize,
        request_id: String,
    },
}

/// The answer, as bytes that must be the same for everybody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done(Vec<u8>),
    Refused(String),
    /// There was nothing to release.
    Moot,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) due: Duration,
    pub(crate) what: What,
    pub(crate) answer: Option<Answer>,
}

/// All that has to be done.
pub(crate) struct Plan {
    pub(crate) advertisers: Vec<AdvertiserId>,
    steps: Mutex<Vec<Step>>,
    journal: Arc<Journal>,
}

fn uuid() -> Uuid {
    Uuid::from_u128(fastrand::u128(..))
}

impl Plan {
    /// So many steps, due within so much time.
    pub(crate) fn new(count: usize, within: Duration, journal: Arc<Journal>) -> Self {
        let advertisers: Vec<_> = (0..ADVERTISERS)
            .map(|_| AdvertiserId::from_uuid(uuid()))
            .collect();
        let mut steps: Vec<Step> = Vec::with_capacity(count);
        for index in 0..count {
            let reserved = |index: &usize| matches!(steps[*index].what, What::Reserve(_));
            let earlier: Vec<usize> = (0..index).filter(reserved).collect();
            let what = match fastrand::u32(0..10) {
                0..3 => pay(index, advertisers[fastrand::usize(..ADVERTISERS)]),
                3..5 if !earlier.is_empty() => What::Release {
                    of: earlier[fastrand::usize(..earlier.len())],
                    request_id: uuid().to_string(),
                },
                _ => reserve(advertisers[fastrand::usize(..ADVERTISERS)]),
            };
            let due = within.mul_f64(fastrand::f64());
            steps.push(Step {
                due,
                what,
                answer: None,
            });
        }
        Self {
            advertisers,
            steps: Mutex::new(steps),
            journal,
        }
    }

    /// Some step that is due and has no answer.
    pub(crate) fn next(&self) -> Option<(usize, Step)> {
        let now = self.journal.now();
        let mut steps = lock(&self.steps);
        let answers: Vec<_> = steps.iter().map(|step| step.answer.clone()).collect();
        let mut open = Vec::new();
        for (index, step) in steps.iter_mut().enumerate() {
            if step.answer.is_some() || step.due > now {
                continue;
            }
            match step.what {
                What::Release { of, .. } => match &answers[of] {
                    None => {}
                    Some(Answer::Done(_)) => open.push(index),
                    Some(Answer::Refused(_) | Answer::Moot) => step.answer = Some(Answer::Moot),
                },
                What::Pay(_) | What::Reserve(_) => open.push(index),
            }
        }
        let index = *open.get(fastrand::usize(..open.len().max(1)))?;
        Some((index, steps[index].clone()))
    }

    /// The reservation that a step has made.
    pub(crate) fn reservation(&self, index: usize) -> Option<pb::Reservation> {
        match &lock(&self.steps)[index].answer {
            Some(Answer::Done(bytes)) => {
                let response: Result<pb::ReserveBudgetResponse, _> =
                    prost::Message::decode(&**bytes);
                response.ok()?.reservation
            }
            _ => None,
        }
    }

    /// A reservation that is known, to read.
    pub(crate) fn any_reservation(&self) -> Option<pb::Reservation> {
        let count = lock(&self.steps).len();
        let known: Vec<_> = (0..count)
            .filter_map(|index| self.reservation(index))
            .collect();
        known.get(fastrand::usize(..known.len().max(1))).cloned()
    }

    /// Somebody has had an answer.
    pub(crate) fn answered(&self, host: &str, index: usize, answer: Answer) {
        let mut steps = lock(&self.steps);
        match &steps[index].answer {
            Some(first) if *first != answer => self.journal.broke(
                host,
                format_args!("step {index} has two answers: {first:?} and {answer:?}"),
            ),
            _ => steps[index].answer = Some(answer),
        }
    }

    /// Takes note of a failure, when it is an answer.
    pub(crate) fn refused(&self, host: &str, index: usize, error: &CallError) {
        if error.code == tonic::Code::FailedPrecondition {
            self.answered(host, index, Answer::Refused(error.message.clone()));
        }
    }

    /// Whether every step has its answer.
    pub(crate) fn is_done(&self) -> bool {
        lock(&self.steps).iter().all(|step| step.answer.is_some())
    }

    /// All steps.
    pub(crate) fn steps(&self) -> Vec<Step> {
        lock(&self.steps).clone()
    }
}

fn pay(index: usize, advertiser: AdvertiserId) -> What {
    What::Pay(pb::RecordPaymentRequest {
        request_id: uuid().to_string(),
        account_id: account_of(advertiser).to_string(),
        amount: to_wire(Micros::new(fastrand::i64(1..500))),
        external_ref: format!("payment {index}"),
        method: "simulated".to_owned(),
        receive_time: None,
    })
}

fn reserve(advertiser: AdvertiserId) -> What {
    let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let amount = fastrand::i64(50..400);
    What::Reserve(pb::ReserveBudgetRequest {
        request_id: uuid().to_string(),
        advertiser_id: advertiser.to_string(),
        line_item_id: LineItemId::from_uuid(uuid()).to_string(),
        terms_version: 1,
        amount: to_wire(Micros::new(amount)),
        min_amount: to_wire(Micros::new(fastrand::i64(1..=amount))),
        serve_for: span(fastrand::i64(1..20)),
        settle_for: span(20),
    })
}
