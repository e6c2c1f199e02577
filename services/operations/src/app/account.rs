//! What Billing tells of its accounts, taken in.

use cleave_kernel::{AdvertiserId, PublisherId, Timestamp};
use operations_domain::account::{AccountParty, AccountProjection, AccountState};
use operations_domain::{Advertiser, Publisher};
use operations_store::peer_feed::{self, ACCOUNTS, PeerPosition};
use operations_store::{Record, Unit, account, advertiser, lease, outbox, publisher, record};

use super::{App, Error};

impl App {
    /// What to follow the accounts from; empty from the beginning.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts_token(&self) -> Result<String, Error> {
        let position = self
            .store
            .db()
            .read("accounts_token", |conn| async move {
                Ok::<_, Error>(peer_feed::position(conn, ACCOUNTS).await?)
            })
            .await?;
        Ok(position.map(|position| position.token).unwrap_or_default())
    }

    /// How far Billing's accounts were followed; nothing before the first message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts_position(&self) -> Result<Option<PeerPosition>, Error> {
        self.store
            .db()
            .read("accounts_position", |conn| async move {
                Ok::<_, Error>(peer_feed::position(conn, ACCOUNTS).await?)
            })
            .await
    }

    /// Takes in `accounts` together with the position that they lead to. Who waited for an account that is open
    /// now is active from here on. Answers how many accounts were news.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply_accounts(
        &self,
        accounts: &[AccountProjection],
        position: &PeerPosition,
    ) -> Result<usize, Error> {
        self.store
            .write("apply_accounts", position.heard_at, |unit| async move {
                let known = peer_feed::position(&**unit, ACCOUNTS).await?;
                let news = account::apply_accounts(&unit, accounts).await?;
                for account in &news {
                    announce(&unit, account).await?;
                }
                peer_feed::store_position(&unit, ACCOUNTS, position).await?;
                let listing = known.is_some_and(|known| known.token.is_empty());
                if listing && !position.token.is_empty() {
                    open_again(&unit).await?;
                }
                Ok(news.len())
            })
            .await
    }

    /// Follows the accounts from the beginning, believing whatever comes: Billing does not know our position any
    /// more, as after a restore. It may not know of our leases either, and is asked for them once more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restart_accounts(&self) -> Result<(), Error> {
        self.store
            .write("restart_accounts", self.clock.now(), |unit| async move {
                let known = peer_feed::position(&**unit, ACCOUNTS).await?;
                account::distrust_revisions(&unit).await?;
                lease::ask_again(&unit, unit.now()).await?;
                let restarted = PeerPosition {
                    token: String::new(),
                    revision: 0,
                    as_of: Timestamp::EPOCH,
                    // What we know is as old as before.
                    heard_at: known.map_or(Timestamp::EPOCH, |known| known.heard_at),
                };
                peer_feed::store_position(&unit, ACCOUNTS, &restarted).await?;
                Ok(())
            })
            .await
    }
}

/// Once every account was told of: asks for those that Billing had opened and has lost. Their ids follow from their owners,
/// so they come back as what they were, without their money.
async fn open_again(unit: &Unit) -> Result<(), Error> {
    account::forget_untold(unit).await?;
    for id in account::bereft(&**unit, Advertiser::TABLE).await? {
        if let Some(advertiser) =
            record::lock::<Advertiser>(unit, AdvertiserId::from_uuid(id)).await?
        {
            outbox::push(unit, &advertiser.open_account()).await?;
        }
    }
    for id in account::bereft(&**unit, Publisher::TABLE).await? {
        if let Some(publisher) = record::lock::<Publisher>(unit, PublisherId::from_uuid(id)).await?
        {
            outbox::push(unit, &publisher.open_account()).await?;
        }
    }
    Ok(())
}

/// Tells the owner of an open account that it has one.
async fn announce(unit: &Unit, account: &AccountProjection) -> Result<(), Error> {
    match account.state {
        AccountState::Open => {}
        AccountState::Pending | AccountState::Closed => return Ok(()),
    }
    match account.party {
        AccountParty::Advertiser => {
            let owner = AdvertiserId::from_uuid(account.owner);
            advertiser::account_opened(unit, owner, account.account).await?;
        }
        AccountParty::Publisher => {
            let owner = PublisherId::from_uuid(account.owner);
            publisher::account_opened(unit, owner, account.account).await?;
        }
    }
    Ok(())
}
