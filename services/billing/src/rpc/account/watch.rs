//! `WatchAccounts`: first every account there is, then each as it changes, for ever.

use super::{Watching, convert};
use crate::app::{App, Error};
use crate::rpc::Answers;
use crate::rpc::convert as value;
use billing_store::{AccountFilter, AccountView};
use cleave_contracts::billing::v1::WatchAccountsResponse;
use cleave_kernel::{AccountId, Timestamp, Violation};
use cleave_storage::feed::FeedWatcher;
use cleave_storage::{ResumeToken, TokenError, filter_hash};
use tonic::Status;
use uuid::Uuid;

/// Accounts in one message.
const TOGETHER: u64 = 500;

/// Opens the stream, or refuses a token that is no longer good.
pub(super) async fn watch(
    app: App,
    watching: Watching,
    token: &str,
) -> Result<Answers<WatchAccountsResponse>, Error> {
    let head = app.store().feed_position().await?;
    let filter = filter_hash(&[b"WatchAccounts"]);
    let (seq, listing) = if token.is_empty() {
        (head.seq, Some(None))
    } else {
        let read = ResumeToken::decode(token).and_then(|token| token.check(&head, filter));
        (read.map_err(refused)?, None)
    };
    let watch = Watch {
        changes: app.store().signal().subscribe(),
        app,
        watching,
        epoch: head.epoch,
        filter,
        seq,
        listing,
    };
    Ok(Box::pin(futures::stream::unfold(
        Some(watch),
        |watch| async move {
            let mut watch = watch?;
            match watch.next().await {
                Ok(message) => Some((Ok(message), Some(watch))),
                Err(status) => Some((Err(status), None)),
            }
        },
    )))
}

fn refused(error: TokenError) -> Error {
    match error {
        TokenError::Expired(expiry) => Error::Expired(expiry),
        TokenError::Malformed | TokenError::OtherRequest => {
            Violation::new("resume_token", "INVALID_TOKEN", error.to_string()).into()
        }
    }
}

struct Watch {
    app: App,
    watching: Watching,
    changes: FeedWatcher,
    epoch: Uuid,
    filter: u64,
    /// How far the feed has been followed.
    seq: i64,
    /// While every account is still being listed: the last one sent.
    listing: Option<Option<AccountId>>,
}

impl Watch {
    async fn next(&mut self) -> Result<WatchAccountsResponse, Status> {
        if let Some(after) = self.listing {
            return Ok(self.list(after).await?);
        }
        loop {
            let now = self.app.clock().now();
            let store = self.app.store();
            let changed = store.changed_accounts(self.seq, TOGETHER).await;
            let (views, reached) = changed.map_err(Error::from)?;
            self.seq = reached;
            if !views.is_empty() {
                return Ok(self.message(&views, now));
            }
            tokio::select! {
                () = self.watching.drain.token().cancelled() => {
                    return Err(Error::ShuttingDown.into());
                }
                grown = self.changes.past(self.seq) => {
                    if grown.is_none() {
                        return Err(Error::ShuttingDown.into());
                    }
                }
                () = tokio::time::sleep(self.watching.heartbeat) => {
                    let now = self.app.clock().now();
                    return Ok(self.message(&[], now));
                }
            }
        }
    }

    /// The next page of all accounts. Only the last page moves the token: who is cut off before it starts again.
    async fn list(&mut self, after: Option<AccountId>) -> Result<WatchAccountsResponse, Error> {
        let store = self.app.store();
        let now = self.app.clock().now();
        let everyone = AccountFilter::default();
        let accounts = store.list_accounts(&everyone, after, TOGETHER).await?;
        let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
        let found = store.accounts(&ids).await?;
        let views: Vec<_> = ids.iter().filter_map(|id| found.get(id).cloned()).collect();
        let last = u64::try_from(ids.len()).is_ok_and(|count| count < TOGETHER);
        self.listing = (!last).then(|| ids.last().copied());
        let mut message = self.message(&views, now);
        if !last {
            message.resume_token = String::new();
        }
        Ok(message)
    }

    fn message(&self, views: &[AccountView], now: Timestamp) -> WatchAccountsResponse {
        let token = ResumeToken {
            epoch: self.epoch,
            seq: self.seq,
            filter_hash: self.filter,
        };
        WatchAccountsResponse {
            accounts: views
                .iter()
                .map(|view| convert::standing_info(view, now))
                .collect(),
            resume_token: token.encode(),
            as_of_time: Some(value::time(now)),
            heartbeat: views.is_empty(),
            revision: self.seq,
        }
    }
}
