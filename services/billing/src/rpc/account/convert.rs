//! Accounts on the wire and in the domain.

use crate::app::Request;
use crate::rpc::convert::{self as value, checked};
use billing_domain::Account;
use billing_domain::account::{
    CloseAccount, Mode, OpenAccount, OpsRef, Party, State, UpdateCreditTerms,
};
use billing_domain::standing::{ClearStandingOverride, OverrideStanding, Standing, StandingReason};
use billing_store::{AccountFilter, AccountView};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::types::v1 as types;
use cleave_kernel::{AccountId, Micros, Timestamp, Violation, Violations};

/// The most days that an invoice may be due after its date.
const NET_DAYS: i32 = 365;
/// The most characters of a reason.
const REASON: usize = 500;
/// The most characters of a name.
const NAME: usize = 200;

pub(super) fn open_account(
    message: &pb::OpenAccountRequest,
) -> Result<(OpenAccount, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let ops_ref = bad.take(value::id::<OpsRef>("ops_ref", &message.ops_ref));
    let party = bad.take(value::stated("party", message.party, party_of));
    let display_name = bad.take(value::text("display_name", &message.display_name, NAME));
    let currency = bad.take(value::currency("currency_code", &message.currency_code));
    let mode = bad.take(value::optional("mode", message.mode, mode_of));
    let credit_limit = bad.take(value::not_negative(
        "credit_limit_micros",
        message.credit_limit_micros,
    ));
    let net_days = bad.take(value::within("net_days", message.net_days, 0, NET_DAYS));
    if let (Some(ops_ref), Some(party)) = (ops_ref, party)
        && ops_ref.party() != party
    {
        let mend = "name the kind of party that ops_ref is";
        bad.push(Violation::new("party", "CONTRADICTION", mend));
    }
    let mode = match (mode, party) {
        (Some(Some(mode)), Some(Party::Advertiser)) => Some(mode),
        (Some(None), Some(Party::Advertiser)) => {
            bad.push(Violation::required("mode"));
            None
        }
        (Some(None | Some(Mode::Prepaid)), Some(Party::Publisher)) => Some(Mode::Prepaid),
        (Some(Some(_)), Some(Party::Publisher)) => {
            let mend = "leave it out: publishers are paid";
            bad.push(Violation::new("mode", "CONTRADICTION", mend));
            None
        }
        (None, _) | (_, None) => None,
    };
    let parsed = || {
        let command = OpenAccount {
            ops_ref: ops_ref?,
            display_name: display_name?,
            currency: currency?,
            mode: mode?,
            credit_limit: credit_limit?,
            net_days: net_days?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn update_credit_terms(
    message: &pb::UpdateCreditTermsRequest,
) -> Result<(UpdateCreditTerms, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let account = bad.take(value::id("account_id", &message.account_id));
    let etag = bad.take(value::text("etag", &message.etag, NAME));
    let credit_limit = message
        .credit_limit_micros
        .and_then(|limit| bad.take(value::not_negative("credit_limit_micros", limit)));
    let net_days = message
        .net_days
        .and_then(|days| bad.take(value::within("net_days", days, 0, NET_DAYS)));
    let parsed = || {
        let command = UpdateCreditTerms {
            account: account?,
            etag: etag?,
            credit_limit,
            net_days,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn override_standing(
    message: &pb::OverrideStandingRequest,
) -> Result<(OverrideStanding, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(value::request(&message.request_id, message));
    let account = bad.take(value::id("account_id", &message.account_id));
    let etag = bad.take(value::text("etag", &message.etag, NAME));
    let standing = bad.take(value::stated("standing", message.standing, standing_of));
    let reason = bad.take(value::text("reason", &message.reason, REASON));
    let actor = bad.take(value::text("actor", &message.actor, NAME));
    // Whether it lies ahead is for the rules to say, once it is known that the request is no repetition: what was done
    // must still be answered when its end has come.
    let end = value::optional_time("end_time", message.end_time.as_ref());
    let ends_at = bad.take(end.and_then(|end| end.ok_or_else(|| Violation::required("end_time"))));
    let parsed = || {
        let command = OverrideStanding {
            account: account?,
            etag: etag?,
            standing: standing?,
            reason: reason?,
            actor: actor?,
            ends_at: ends_at?,
        };
        Some((command, request?))
    };
    let parsed = parsed();
    checked(bad, parsed)
}

pub(super) fn clear_override(
    message: &pb::ClearStandingOverrideRequest,
) -> Result<(ClearStandingOverride, Request), Violations> {
    let request = value::request(&message.request_id, message);
    let (account, etag, request) = edit(&message.account_id, &message.etag, request)?;
    Ok((ClearStandingOverride { account, etag }, request))
}

pub(super) fn close_account(
    message: &pb::CloseAccountRequest,
) -> Result<(CloseAccount, Request), Violations> {
    let request = value::request(&message.request_id, message);
    let (account, etag, request) = edit(&message.account_id, &message.etag, request)?;
    Ok((CloseAccount { account, etag }, request))
}

/// What every edit of an account states.
fn edit(
    account_id: &str,
    etag: &str,
    request: Result<Request, Violation>,
) -> Result<(AccountId, String, Request), Violations> {
    let mut bad = Violations::new();
    let request = bad.take(request);
    let account = bad.take(value::id("account_id", account_id));
    let etag = bad.take(value::text("etag", etag, NAME));
    let parsed = account.zip(etag).zip(request);
    checked(
        bad,
        parsed.map(|((account, etag), request)| (account, etag, request)),
    )
}

/// Which account is meant, and how it was asked for.
pub(super) fn account_key(
    key: Option<pb::get_account_request::Key>,
) -> Result<(AccountId, String), Violation> {
    use pb::get_account_request::Key;
    match key {
        Some(Key::AccountId(text)) => Ok((value::id("account_id", &text)?, text)),
        Some(Key::OpsRef(text)) => {
            let owner = value::id("ops_ref", &text)?;
            Ok((Account::id_of(owner), text))
        }
        None => Err(Violation::required("key")),
    }
}

pub(super) fn account_filter(
    message: &pb::ListAccountsRequest,
) -> Result<AccountFilter, Violations> {
    let mut bad = Violations::new();
    let party = bad.take(value::optional("party", message.party, party_of));
    let state = bad.take(value::optional("state", message.state, state_of));
    let code = message.currency_code.as_str();
    let currency = (!code.is_empty()).then(|| bad.take(value::currency("currency_code", code)));
    let filter = AccountFilter {
        party: party.flatten(),
        state: state.flatten(),
        currency: currency.flatten(),
    };
    checked(bad, Some(filter))
}

/// An account for the wire.
pub(super) fn account(account: &Account, standing: Standing) -> pb::BillingAccount {
    pb::BillingAccount {
        id: account.id.to_string(),
        ops_ref: account.ops_ref.to_string(),
        party: party(account.party()).into(),
        display_name: account.display_name.clone(),
        currency_code: account.currency.code().to_owned(),
        mode: mode(account.mode).into(),
        credit_limit_micros: account.credit_limit.get(),
        net_days: account.net_days,
        state: state(account.state).into(),
        standing: self::standing(standing).into(),
        standing_override: account
            .standing_override
            .as_ref()
            .map(|set| pb::StandingOverride {
                standing: self::standing(set.standing).into(),
                reason: set.reason.clone(),
                actor: set.actor.clone(),
                end_time: Some(value::time(set.ends_at)),
                create_time: Some(value::time(set.created_at)),
            }),
        create_time: Some(value::time(account.created_at)),
        update_time: Some(value::time(account.updated_at)),
        close_time: account.closed_at.map(value::time),
        etag: account.etag(),
    }
}

/// What the other side needs to know of an account.
pub(super) fn standing_info(view: &AccountView, now: Timestamp) -> pb::AccountStandingInfo {
    let (standing, reasons) = view.standing(now);
    let account = &view.account;
    // What a publisher has is earned, not spendable.
    let available = if account.is_advertiser() {
        view.free()
    } else {
        Micros::ZERO
    };
    pb::AccountStandingInfo {
        account_id: account.id.to_string(),
        ops_ref: account.ops_ref.to_string(),
        party: party(account.party()).into(),
        currency_code: account.currency.code().to_owned(),
        state: state(account.state).into(),
        standing: self::standing(standing).into(),
        reasons: reasons.into_iter().map(|r| reason(r).into()).collect(),
        available_micros: available.get(),
        held_micros: view.position.held.get(),
        credit_limit_micros: account.credit_limit.get(),
        revision: account.revision,
        as_of_time: Some(value::time(now)),
    }
}

const fn party_of(party: types::PartyKind) -> Option<Party> {
    match party {
        types::PartyKind::Unspecified => None,
        types::PartyKind::Advertiser => Some(Party::Advertiser),
        types::PartyKind::Publisher => Some(Party::Publisher),
    }
}

const fn party(party: Party) -> types::PartyKind {
    match party {
        Party::Advertiser => types::PartyKind::Advertiser,
        Party::Publisher => types::PartyKind::Publisher,
    }
}

const fn mode_of(mode: types::AccountMode) -> Option<Mode> {
    match mode {
        types::AccountMode::Unspecified => None,
        types::AccountMode::Prepaid => Some(Mode::Prepaid),
        types::AccountMode::Postpaid => Some(Mode::Postpaid),
        types::AccountMode::PrepaidWithCredit => Some(Mode::PrepaidWithCredit),
    }
}

const fn mode(mode: Mode) -> types::AccountMode {
    match mode {
        Mode::Prepaid => types::AccountMode::Prepaid,
        Mode::Postpaid => types::AccountMode::Postpaid,
        Mode::PrepaidWithCredit => types::AccountMode::PrepaidWithCredit,
    }
}

/// This release opens accounts at once: what is PENDING is OPEN.
const fn state_of(state: pb::billing_account::State) -> Option<State> {
    use pb::billing_account::State as Wire;
    match state {
        Wire::Unspecified => None,
        Wire::Pending | Wire::Open => Some(State::Open),
        Wire::Closed => Some(State::Closed),
    }
}

const fn state(state: State) -> pb::billing_account::State {
    match state {
        State::Open => pb::billing_account::State::Open,
        State::Closed => pb::billing_account::State::Closed,
    }
}

const fn standing_of(standing: types::AccountStanding) -> Option<Standing> {
    match standing {
        types::AccountStanding::Unspecified => None,
        types::AccountStanding::Active => Some(Standing::Active),
        types::AccountStanding::OnHold => Some(Standing::OnHold),
        types::AccountStanding::Stop => Some(Standing::Stop),
        types::AccountStanding::Blocked => Some(Standing::Blocked),
    }
}

pub(crate) const fn standing(standing: Standing) -> types::AccountStanding {
    match standing {
        Standing::Active => types::AccountStanding::Active,
        Standing::OnHold => types::AccountStanding::OnHold,
        Standing::Stop => types::AccountStanding::Stop,
        Standing::Blocked => types::AccountStanding::Blocked,
    }
}

const fn reason(reason: StandingReason) -> pb::StandingReason {
    match reason {
        StandingReason::Override => pb::StandingReason::Override,
        StandingReason::NoFunds => pb::StandingReason::NoFunds,
        StandingReason::UnfundedDelivery => pb::StandingReason::UnfundedDelivery,
        StandingReason::NotOpen => pb::StandingReason::NotOpen,
    }
}
