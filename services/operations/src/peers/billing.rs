//! Billing: money held and given back, accounts opened and followed.

use std::time::Duration;

use billing_client::{BillingClient, CallError, pb, types};
use cleave_kernel::{AccountId, AdvertiserId, Currency, Micros, PublisherId, RequestId, Timestamp};
use operations_domain::account::{AccountParty, AccountProjection, AccountStanding, AccountState};
use operations_domain::lease::LeaseState;
use operations_domain::{AccountMode, OutboxMessage, Party};
use operations_store::lease::LeaseRecord;
use tonic::Code;
use uuid::Uuid;

/// What Billing answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// It did what was asked.
    Done(T),
    /// It refused, and will refuse the same request for ever.
    Refused {
        /// Its reason, such as `INSUFFICIENT_FUNDS`.
        reason: String,
        /// The same for a person.
        message: String,
    },
    /// There was no answer that counts: the same request is to be sent again.
    Silent {
        /// What came instead.
        error: String,
    },
}

/// Money that Billing holds for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Billing's name for it.
    pub reservation: cleave_kernel::ReservationId,
    /// How much.
    pub granted: Micros,
}

/// What Billing said that does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Billing sent {what}: {text:?}")]
pub struct Nonsense {
    what: &'static str,
    text: String,
}

/// Calls Billing.
#[derive(Debug, Clone)]
pub struct Billing {
    client: BillingClient,
}

impl Billing {
    /// Calls it with this client.
    pub const fn new(client: BillingClient) -> Self {
        Self { client }
    }

    /// The client, for streams.
    pub const fn client(&self) -> &BillingClient {
        &self.client
    }

    /// Asks for the money of a planned lease.
    pub async fn reserve(&self, record: &LeaseRecord) -> Answer<Grant> {
        debug_assert_eq!(record.lease.state, LeaseState::Planned);
        let lease = &record.lease;
        let request = pb::ReserveBudgetRequest {
            request_id: lease.request.to_string(),
            advertiser_id: record.advertiser.to_string(),
            line_item_id: lease.line_item.to_string(),
            terms_version: lease.terms_version,
            amount: Some(money(record.currency, lease.asked)),
            min_amount: Some(money(record.currency, lease.least)),
            serve_for: Some(span(lease.serve_until.since(lease.planned_at))),
            settle_for: Some(span(lease.settle_until.since(lease.planned_at))),
        };
        match self.client.reserve_budget(request).await {
            Ok(response) => match grant(response) {
                Ok(grant) => Answer::Done(grant),
                Err(nonsense) => Answer::Silent {
                    error: nonsense.to_string(),
                },
            },
            Err(error) => answer(&error),
        }
    }

    /// Gives a lease back, telling what was counted.
    pub async fn release(&self, record: &LeaseRecord) -> Answer<()> {
        let lease = &record.lease;
        let Some(reservation) = lease.reservation else {
            // Nothing was granted, so there is nothing to give back.
            return Answer::Done(());
        };
        let counted = lease.counted.max(Micros::ZERO);
        let request = pb::ReleaseReservationRequest {
            // Derived, so that a crash before the answer repeats the same request.
            request_id: RequestId::derived(lease.request.uuid(), "release").to_string(),
            reservation_id: reservation.to_string(),
            counted_spend: Some(money(record.currency, counted)),
        };
        match self.client.release_reservation(request).await {
            Ok(_) => Answer::Done(()),
            Err(error) => answer(&error),
        }
    }

    /// Tells what waits in the outbox. Answers the account that it is about.
    pub async fn tell(&self, request: RequestId, message: &OutboxMessage) -> Answer<AccountId> {
        let OutboxMessage::OpenAccount {
            party,
            display_name,
            currency,
            proposal,
        } = message;
        let request = pb::OpenAccountRequest {
            request_id: request.to_string(),
            ops_ref: party.to_string(),
            party: party_kind(*party).into(),
            display_name: display_name.clone(),
            currency_code: currency.code().to_owned(),
            mode: mode(*party, proposal.mode).into(),
            credit_limit_micros: proposal.credit_limit.get(),
            net_days: i32::from(proposal.net_days),
        };
        match self.client.open_account(request).await {
            Ok(response) => {
                let id = response
                    .account
                    .map(|account| account.id)
                    .unwrap_or_default();
                match id.parse() {
                    Ok(account) => Answer::Done(account),
                    Err(_) => Answer::Silent {
                        error: format!("Billing opened an account without an id: {id:?}"),
                    },
                }
            }
            Err(error) => answer(&error),
        }
    }
}

/// What a failed call amounts to. Only what the peer decided is a refusal; a peer that fails or that we cannot
/// understand is asked again.
fn answer<T>(error: &CallError) -> Answer<T> {
    match error.code {
        Code::FailedPrecondition
        | Code::NotFound
        | Code::AlreadyExists
        | Code::InvalidArgument
        | Code::OutOfRange => Answer::Refused {
            reason: error
                .reason
                .clone()
                .unwrap_or_else(|| format!("{:?}", error.code)),
            message: error.message.clone(),
        },
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => Answer::Silent {
            error: error.to_string(),
        },
    }
}

fn grant(response: pb::ReserveBudgetResponse) -> Result<Grant, Nonsense> {
    let reservation = response.reservation.unwrap_or_default();
    Ok(Grant {
        reservation: parse("a reservation", &reservation.id)?,
        granted: Micros::new(reservation.granted.map_or(0, |money| money.micros)),
    })
}

/// An account as Billing tells it.
///
/// # Errors
/// When it makes no sense.
pub fn projection(info: &pb::AccountStandingInfo) -> Result<AccountProjection, Nonsense> {
    let unknown = |what: &'static str, number: i32| Nonsense {
        what,
        text: number.to_string(),
    };
    let (party, owner) = owner(info)?;
    let state = match info.state() {
        pb::billing_account::State::Pending => AccountState::Pending,
        pb::billing_account::State::Open => AccountState::Open,
        pb::billing_account::State::Closed => AccountState::Closed,
        pb::billing_account::State::Unspecified => {
            return Err(unknown("the state of an account", info.state));
        }
    };
    let standing = match info.standing() {
        types::AccountStanding::Active => AccountStanding::Active,
        types::AccountStanding::OnHold => AccountStanding::OnHold,
        types::AccountStanding::Stop => AccountStanding::Stop,
        types::AccountStanding::Blocked => AccountStanding::Blocked,
        types::AccountStanding::Unspecified => {
            return Err(unknown("the standing of an account", info.standing));
        }
    };
    Ok(AccountProjection {
        account: parse("an account", &info.account_id)?,
        owner,
        party,
        currency: parse::<Currency>("a currency", &info.currency_code)?,
        state,
        standing,
        reasons: info.reasons().map(reason).collect(),
        available: Micros::new(info.available_micros),
        held: Micros::new(info.held_micros),
        credit_limit: Micros::new(info.credit_limit_micros),
        revision: info.revision,
        as_of: instant(info.as_of_time.as_ref()),
    })
}

fn owner(info: &pb::AccountStandingInfo) -> Result<(AccountParty, Uuid), Nonsense> {
    match info.party() {
        types::PartyKind::Advertiser => {
            let id: AdvertiserId = parse("an advertiser", &info.ops_ref)?;
            Ok((AccountParty::Advertiser, id.uuid()))
        }
        types::PartyKind::Publisher => {
            let id: PublisherId = parse("a publisher", &info.ops_ref)?;
            Ok((AccountParty::Publisher, id.uuid()))
        }
        types::PartyKind::Unspecified => Err(Nonsense {
            what: "the party of an account",
            text: info.party.to_string(),
        }),
    }
}

/// The reason without its prefix, as an `ErrorInfo` would bear it.
fn reason(reason: pb::StandingReason) -> String {
    let name = reason.as_str_name();
    name.strip_prefix("STANDING_REASON_")
        .unwrap_or(name)
        .to_owned()
}

fn parse<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, Nonsense> {
    text.parse().map_err(|_| Nonsense {
        what,
        text: text.chars().take(64).collect(),
    })
}

/// A time that Billing sent; the epoch when it sent none.
pub fn instant(time: Option<&prost_types::Timestamp>) -> Timestamp {
    time.map_or(Timestamp::EPOCH, |time| {
        let micros = time.seconds.saturating_mul(1_000_000);
        Timestamp::from_micros(micros.saturating_add(i64::from(time.nanos / 1000)))
    })
}

fn money(currency: Currency, amount: Micros) -> types::Money {
    types::Money {
        currency_code: currency.code().to_owned(),
        micros: amount.get(),
    }
}

fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

const fn party_kind(party: Party) -> types::PartyKind {
    match party {
        Party::Advertiser(_) => types::PartyKind::Advertiser,
        Party::Publisher(_) => types::PartyKind::Publisher,
    }
}

/// How the account pays; one that only earns has no such mode.
const fn mode(party: Party, mode: AccountMode) -> types::AccountMode {
    match (party, mode) {
        (Party::Publisher(_), _) => types::AccountMode::Unspecified,
        (Party::Advertiser(_), AccountMode::Prepaid) => types::AccountMode::Prepaid,
        (Party::Advertiser(_), AccountMode::Postpaid) => types::AccountMode::Postpaid,
        (Party::Advertiser(_), AccountMode::PrepaidWithCredit) => {
            types::AccountMode::PrepaidWithCredit
        }
    }
}
