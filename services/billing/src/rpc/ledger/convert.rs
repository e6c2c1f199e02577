//! The ledger on the wire and in the domain.

use crate::app::{Error, Request};
use crate::rpc::convert::{self as value, checked};
use billing_domain::Account;
use billing_domain::account::OpsRef;
use billing_domain::adjustment::{Adjustment, Direction, Kind as AdjustmentKind, PostAdjustment};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code, LedgerKey, Side};
use billing_domain::payment::{RecordPayment, Recorded};
use billing_domain::standing::Position;
use billing_domain::transfer::Kind;
use billing_store::{Balances, BalancesOf, TransferRow};
use cleave_contracts::billing::v1 as pb;
use cleave_kernel::{AccountId, Micros, Money, Timestamp, Violation, Violations};
use uuid::Uuid;

/// The most characters of a reason.
pub(super) const REASON: usize = 500;
/// The most characters of a name or a reference.
pub(super) const NAME: usize = 200;
/// The most characters of a payment's method.
const METHOD: usize = 50;

pub(super) fn record_payment(
    message: &pb::RecordPaymentRequest,
) -> Result<(RecordPayment, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let account = bad.take(value::id("account_id", &message.account_id));
    let amount = bad.take(value::positive("amount", message.amount.as_ref()));
    let external_ref = bad.take(value::text("external_ref", &message.external_ref, NAME));
    let method = bad.take(value::optional_text("method", &message.method, METHOD));
    let received = value::optional_time("receive_time", message.receive_time.as_ref());
    let received_at = bad.take(received);
    let parsed = || {
        let command = RecordPayment {
            account: account?,
            amount: amount?,
            external_ref: external_ref?,
            method: method?,
            received_at: received_at?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn recorded(recorded: &Recorded) -> pb::RecordPaymentResponse {
    let payment = &recorded.payment;
    let available = Money::new(payment.amount.currency, recorded.available);
    pb::RecordPaymentResponse {
        payment: Some(pb::Payment {
            id: payment.id.to_string(),
            account_id: payment.account.to_string(),
            amount: Some(value::money(payment.amount)),
            external_ref: payment.external_ref.clone(),
            method: payment.method.clone(),
            receive_time: Some(value::time(payment.received_at)),
            create_time: Some(value::time(payment.created_at)),
        }),
        available: Some(value::money(available)),
    }
}

pub(super) fn post_adjustment(
    message: &pb::PostAdjustmentRequest,
) -> Result<(PostAdjustment, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let account = bad.take(value::id("account_id", &message.account_id));
    let kind = bad.take(value::stated("kind", message.kind, kind_of));
    let direction = bad.take(value::stated("direction", message.direction, direction_of));
    let amount = bad.take(value::positive("amount", message.amount.as_ref()));
    let reason = bad.take(value::text("reason", &message.reason, REASON));
    let actor = bad.take(value::text("actor", &message.actor, NAME));
    let parsed = || {
        let command = PostAdjustment {
            account: account?,
            kind: kind?,
            direction: direction?,
            amount: amount?,
            reason: reason?,
            actor: actor?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn adjustment(adjustment: &Adjustment) -> pb::Adjustment {
    pb::Adjustment {
        id: adjustment.id.to_string(),
        account_id: adjustment.account.to_string(),
        kind: kind(adjustment.kind).into(),
        direction: direction(adjustment.direction).into(),
        amount: Some(value::money(adjustment.amount)),
        reason: adjustment.reason.clone(),
        actor: adjustment.actor.clone(),
        create_time: Some(value::time(adjustment.created_at)),
    }
}

/// Whose balances are meant, and how they were asked for.
pub(super) fn balances_of(
    owner: Option<pb::get_balances_request::Owner>,
) -> Result<(BalancesOf, String), Violation> {
    use pb::get_balances_request::Owner;
    match owner {
        Some(Owner::AccountId(text)) => {
            Ok((BalancesOf::Account(value::id("account_id", &text)?), text))
        }
        Some(Owner::OpsRef(text)) => {
            let owner: OpsRef = value::id("ops_ref", &text)?;
            Ok((BalancesOf::Account(Account::id_of(owner)), text))
        }
        Some(Owner::PlatformCurrencyCode(code)) => {
            let currency = value::currency("platform_currency_code", &code)?;
            Ok((BalancesOf::Platform(currency), code))
        }
        None => Err(Violation::required("owner")),
    }
}

pub(super) fn balances(
    balances: &Balances,
    asked: &str,
    now: Timestamp,
) -> Result<pb::GetBalancesResponse, Error> {
    let rows = balances
        .rows
        .iter()
        .map(ledger_balance)
        .collect::<Result<_, _>>()?;
    let response = pb::GetBalancesResponse {
        balances: rows,
        currency_code: asked.to_owned(),
        revision: balances.seq,
        as_of_time: Some(value::time(now)),
        ..pb::GetBalancesResponse::default()
    };
    let Some(account) = &balances.account else {
        return Ok(response);
    };
    let position = Position::of(account, |code| {
        let row = balances.rows.iter().find(|row| row.key.code == code);
        row.map(|row| row.counters).unwrap_or_default()
    })?;
    let available = if account.is_advertiser() {
        position.free(account)
    } else {
        Micros::ZERO
    };
    Ok(pb::GetBalancesResponse {
        account_id: account.id.to_string(),
        currency_code: account.currency.code().to_owned(),
        balance_micros: position.balance.get(),
        held_micros: position.held.get(),
        credit_limit_micros: account.credit_limit.get(),
        receivable_micros: position.receivable.get(),
        available_micros: available.get(),
        ..response
    })
}

fn ledger_balance(row: &LedgerAccount) -> Result<pb::LedgerBalance, Error> {
    let side = row.key.code.side();
    let balance = row
        .counters
        .balance(side)
        .map_err(|error| Error::Fault(error.to_string()))?;
    Ok(pb::LedgerBalance {
        account: Some(ledger_ref(&row.key)),
        currency_code: row.key.currency.code().to_owned(),
        normal_side: match side {
            Side::Debit => pb::NormalSide::Debit,
            Side::Credit => pb::NormalSide::Credit,
        }
        .into(),
        debits_posted_micros: row.counters.debits_posted.get(),
        credits_posted_micros: row.counters.credits_posted.get(),
        debits_pending_micros: row.counters.debits_pending.get(),
        credits_pending_micros: row.counters.credits_pending.get(),
        balance_micros: balance.get(),
    })
}

fn ledger_ref(key: &LedgerKey) -> pb::LedgerAccountRef {
    pb::LedgerAccountRef {
        id: key.id().to_string(),
        code: i32::from(key.code.number()),
        account_id: key
            .account_id()
            .map_or_else(String::new, |account| account.to_string()),
    }
}

/// What a list of transfers is narrowed to.
pub(super) type Narrowed = (Option<AccountId>, Option<Code>, Option<Uuid>);

pub(super) fn transfer_filter(message: &pb::ListTransfersRequest) -> Result<Narrowed, Violations> {
    let mut bad = Violations::new();
    let account = bad.take(value::optional_id("account_id", &message.account_id));
    let code = bad.take(value::optional(
        "code",
        message.code,
        |code: pb::LedgerCode| {
            i16::try_from(i32::from(code))
                .ok()
                .and_then(Code::from_number)
        },
    ));
    let group = match message.group_id.as_str() {
        "" => Some(None),
        text => bad.take(
            Uuid::try_parse(text)
                .map(Some)
                .map_err(|_| Violation::new("group_id", "INVALID_ID", "give a UUID")),
        ),
    };
    let parsed = account.zip(code).zip(group);
    checked(
        bad,
        parsed.map(|((account, code), group)| (account, code, group)),
    )
}

pub(super) fn transfer(row: &TransferRow) -> pb::Transfer {
    let transfer = &row.transfer;
    pb::Transfer {
        id: transfer.id.to_string(),
        seq: row.seq,
        debit: Some(ledger_ref(&row.debit)),
        credit: Some(ledger_ref(&row.credit)),
        amount: Some(value::money(Money::new(
            row.debit.currency,
            transfer.amount,
        ))),
        kind: match transfer.kind {
            Kind::Single => pb::transfer::Kind::Single,
            Kind::Pending => pb::transfer::Kind::Pending,
            Kind::Post => pb::transfer::Kind::Post,
            Kind::Void => pb::transfer::Kind::Void,
        }
        .into(),
        pending_id: transfer
            .pending
            .map_or_else(String::new, |pending| pending.to_string()),
        group_id: transfer.group.to_string(),
        book_time: Some(value::time(transfer.booked_at)),
        period: transfer.period.to_string(),
        source_ref: transfer.source_ref.clone(),
        reason: transfer.reason.word().to_owned(),
    }
}

const fn kind_of(kind: pb::adjustment::Kind) -> Option<AdjustmentKind> {
    use pb::adjustment::Kind as Wire;
    match kind {
        Wire::Unspecified => None,
        Wire::Goodwill => Some(AdjustmentKind::Goodwill),
        Wire::Discrepancy => Some(AdjustmentKind::Discrepancy),
        Wire::InvalidTraffic => Some(AdjustmentKind::InvalidTraffic),
        Wire::BadDebt => Some(AdjustmentKind::BadDebt),
        Wire::Clawback => Some(AdjustmentKind::Clawback),
        // Posted by write-offs alone.
        Wire::WriteOff => None,
    }
}

const fn kind(kind: AdjustmentKind) -> pb::adjustment::Kind {
    use pb::adjustment::Kind as Wire;
    match kind {
        AdjustmentKind::Goodwill => Wire::Goodwill,
        AdjustmentKind::Discrepancy => Wire::Discrepancy,
        AdjustmentKind::InvalidTraffic => Wire::InvalidTraffic,
        AdjustmentKind::BadDebt => Wire::BadDebt,
        AdjustmentKind::Clawback => Wire::Clawback,
        AdjustmentKind::WriteOff => Wire::WriteOff,
    }
}

const fn direction_of(direction: pb::adjustment::Direction) -> Option<Direction> {
    match direction {
        pb::adjustment::Direction::Unspecified => None,
        pb::adjustment::Direction::Credit => Some(Direction::Credit),
        pb::adjustment::Direction::Debit => Some(Direction::Debit),
    }
}

const fn direction(direction: Direction) -> pb::adjustment::Direction {
    match direction {
        Direction::Credit => pb::adjustment::Direction::Credit,
        Direction::Debit => pb::adjustment::Direction::Debit,
    }
}
