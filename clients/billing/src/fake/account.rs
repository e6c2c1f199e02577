//! AccountService, as far as it is faked.

use std::time::Duration;

use cleave_contracts::billing::v1::account_service_server::AccountService;
use futures::stream::{self, BoxStream};
use tonic::{Code, Request, Response, Status, async_trait};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use super::books::{Books, Shelf};
use super::refusal::{Faults, not_faked, refuse};
use crate::pb;
use crate::types::{AccountMode, AccountStanding, PartyKind};

/// How often a quiet watch says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(100);

#[async_trait]
impl AccountService for Shelf {
    async fn open_account(
        &self,
        request: Request<pb::OpenAccountRequest>,
    ) -> Result<Response<pb::OpenAccountResponse>, Status> {
        let request = request.into_inner();
        let mut faults = Faults::default();
        faults.require_request_id(&request.request_id);
        faults.require_id(&request.ops_ref, &["adv", "pub"], "ops_ref");
        let is_code = request.currency_code.len() == 3
            && request
                .currency_code
                .bytes()
                .all(|b| b.is_ascii_uppercase());
        faults.require(is_code, "currency_code", "an ISO 4217 code");
        faults.require(
            request.credit_limit_micros >= 0,
            "credit_limit_micros",
            "0 or more",
        );
        faults.refuse()?;
        self.edit(|books| books.once(&request.request_id, &request, |books| open(books, &request)))
            .map(Response::new)
    }

    async fn batch_get_account_standing(
        &self,
        request: Request<pb::BatchGetAccountStandingRequest>,
    ) -> Result<Response<pb::BatchGetAccountStandingResponse>, Status> {
        let ops_refs = request.into_inner().ops_refs;
        let mut faults = Faults::default();
        faults.require(
            (1..=1000).contains(&ops_refs.len()),
            "ops_refs",
            "1 to 1000",
        );
        for (index, ops_ref) in ops_refs.iter().enumerate() {
            faults.require_id(ops_ref, &["adv", "pub"], &format!("ops_refs[{index}]"));
        }
        faults.refuse()?;
        Ok(Response::new(self.edit(|books| {
            let known = |ops_ref: &&String| books.accounts.contains_key(*ops_ref);
            pb::BatchGetAccountStandingResponse {
                standings: ops_refs
                    .iter()
                    .filter_map(|ops_ref| books.standing_info(ops_ref))
                    .collect(),
                missing_ops_refs: ops_refs.iter().filter(|r| !known(r)).cloned().collect(),
                revision: books.revision,
                as_of_time: Some(books.clock.timestamp()),
            }
        })))
    }

    type WatchAccountsStream = BoxStream<'static, Result<pb::WatchAccountsResponse, Status>>;

    async fn watch_accounts(
        &self,
        request: Request<pb::WatchAccountsRequest>,
    ) -> Result<Response<Self::WatchAccountsStream>, Status> {
        let token = request.into_inner().resume_token;
        let after = self.edit(|books| position(books, &token))?;
        let changes = self.changes();
        // The first message comes at once; later ones when there is something to say, or a heartbeat is due.
        let watch = (self.clone(), changes, after, true);
        let messages = stream::unfold(watch, |(shelf, mut changes, after, first)| async move {
            loop {
                let message = shelf.edit(|books| since(books, after));
                if first || !message.heartbeat {
                    let after = message.revision;
                    return Some((Ok(message), (shelf, changes, after, false)));
                }
                if tokio::time::timeout(HEARTBEAT, changes.changed())
                    .await
                    .is_err()
                {
                    return Some((Ok(message), (shelf, changes, after, false)));
                }
            }
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn get_account(
        &self,
        _: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        Err(not_faked())
    }

    async fn list_accounts(
        &self,
        _: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        Err(not_faked())
    }

    async fn update_credit_terms(
        &self,
        _: Request<pb::UpdateCreditTermsRequest>,
    ) -> Result<Response<pb::UpdateCreditTermsResponse>, Status> {
        Err(not_faked())
    }

    async fn override_standing(
        &self,
        _: Request<pb::OverrideStandingRequest>,
    ) -> Result<Response<pb::OverrideStandingResponse>, Status> {
        Err(not_faked())
    }

    async fn clear_standing_override(
        &self,
        _: Request<pb::ClearStandingOverrideRequest>,
    ) -> Result<Response<pb::ClearStandingOverrideResponse>, Status> {
        Err(not_faked())
    }

    async fn close_account(
        &self,
        _: Request<pb::CloseAccountRequest>,
    ) -> Result<Response<pb::CloseAccountResponse>, Status> {
        Err(not_faked())
    }
}

fn open(
    books: &mut Books,
    request: &pb::OpenAccountRequest,
) -> Result<pb::OpenAccountResponse, Status> {
    // A publisher is paid and does not pay: its mode is a matter of form.
    let mode = match request.party() {
        PartyKind::Publisher => AccountMode::Prepaid,
        PartyKind::Advertiser | PartyKind::Unspecified => request.mode(),
    };
    if let Some(account) = books.accounts.get(&request.ops_ref) {
        let account = account.wire.clone();
        let same = account.party == request.party
            && account.currency_code == request.currency_code
            && account.mode() == mode;
        if same {
            return Ok(pb::OpenAccountResponse {
                account: Some(account),
            });
        }
        let metadata = [
            ("account_id", account.id.as_str()),
            ("currency_code", account.currency_code.as_str()),
        ];
        return Err(refuse(
            Code::AlreadyExists,
            "ACCOUNT_ALREADY_EXISTS",
            &metadata,
        ));
    }
    let now = Some(books.clock.timestamp());
    let account = pb::BillingAccount {
        id: new_id("acct"),
        ops_ref: request.ops_ref.clone(),
        party: request.party,
        display_name: request.display_name.clone(),
        currency_code: request.currency_code.clone(),
        mode: mode.into(),
        credit_limit_micros: request.credit_limit_micros,
        net_days: request.net_days,
        state: pb::billing_account::State::Open.into(),
        standing: AccountStanding::Active.into(),
        standing_override: None,
        create_time: now,
        update_time: now,
        close_time: None,
        etag: "1".to_owned(),
    };
    books.insert(account.clone());
    Ok(pb::OpenAccountResponse {
        account: Some(account),
    })
}

/// A new typed id.
pub(super) fn new_id(prefix: &str) -> String {
    let prefix = DynamicType::new(prefix).expect("the prefixes of the fake are valid");
    TypeSafeId::from_type_and_uuid(prefix, Uuid::now_v7()).to_string()
}

/// Where a watch goes on from.
fn position(books: &Books, token: &str) -> Result<i64, Status> {
    if token.is_empty() {
        return Ok(0);
    }
    let mut faults = Faults::default();
    let parts = token
        .split_once(':')
        .and_then(|(epoch, seq)| Some((Uuid::parse_str(epoch).ok()?, seq.parse::<i64>().ok()?)));
    faults.require(parts.is_some(), "resume_token", "a token of this stream");
    faults.refuse()?;
    let cause = match parts {
        Some((epoch, _)) if epoch != books.epoch => "EPOCH",
        Some((_, seq)) if seq > books.revision => "AHEAD",
        Some((_, seq)) => return Ok(seq),
        None => return Ok(0),
    };
    Err(refuse(
        Code::OutOfRange,
        "RESUME_TOKEN_EXPIRED",
        &[("cause", cause)],
    ))
}

/// The accounts that changed after a position, in the order of their changes.
fn since(books: &Books, after: i64) -> pb::WatchAccountsResponse {
    let mut accounts: Vec<_> = books
        .accounts
        .iter()
        .filter(|(_, account)| account.revision > after)
        .filter_map(|(ops_ref, _)| books.standing_info(ops_ref))
        .collect();
    accounts.sort_by_key(|account| account.revision);
    pb::WatchAccountsResponse {
        heartbeat: accounts.is_empty(),
        accounts,
        resume_token: format!("{}:{}", books.epoch, books.revision),
        as_of_time: Some(books.clock.timestamp()),
        revision: books.revision,
    }
}
