//! The projection of Billing's accounts, and how far the feed that keeps it was followed.

use std::collections::HashMap;

use cleave_kernel::{AccountId, AdvertiserId, Currency, Micros, Timestamp};
use cleave_storage::{Engine, StorageError, insert_chunks, padded};
use operations_domain::account::{AccountFacts, AccountProjection};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};
use uuid::Uuid;

use crate::peer_feed::{self, ACCOUNTS};

/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;
/// The revision of an account that any reading replaces.
const DISTRUSTED: i64 = -1;
const COLUMNS: [&str; 12] = [
    "owner_id",
    "party",
    "account_id",
    "currency",
    "state",
    "standing",
    "reasons",
    "available",
    "held",
    "credit_limit",
    "revision",
    "as_of",
];

/// Stores those of `accounts` that are later than what is stored, and answers them.
pub async fn apply_accounts(
    txn: &DatabaseTransaction,
    accounts: &[AccountProjection],
) -> Result<Vec<AccountProjection>, StorageError> {
    let mut latest: HashMap<Uuid, &AccountProjection> = HashMap::new();
    for account in accounts {
        let known = latest.get(&account.owner).map(|known| known.revision);
        if account.supersedes(known) {
            latest.insert(account.owner, account);
        }
    }
    let owners: Vec<Uuid> = latest.keys().copied().collect();
    let stored = revisions(txn, &owners).await?;
    let news: Vec<&AccountProjection> = latest
        .into_values()
        .filter(|account| account.supersedes(stored.get(&account.owner).copied()))
        .collect();
    upsert(txn, &news).await?;
    Ok(news.into_iter().cloned().collect())
}

/// Forgets how late the stored accounts are, so that the next readings replace them: Billing has begun another
/// history, in which revisions may be lower.
pub async fn distrust_revisions(txn: &DatabaseTransaction) -> Result<(), StorageError> {
    let update = Query::update()
        .table("billing_accounts")
        .value("revision", DISTRUSTED)
        .to_owned();
    txn.execute(&update).await?;
    Ok(())
}

/// Forgets the accounts that Billing has not told of since they were distrusted: it does not have them any more.
pub async fn forget_untold(txn: &DatabaseTransaction) -> Result<(), StorageError> {
    let delete = Query::delete()
        .from_table("billing_accounts")
        .and_where(Expr::col("revision").eq(DISTRUSTED))
        .to_owned();
    txn.execute(&delete).await?;
    Ok(())
}

/// Those of `table`, advertisers or publishers, that were told of an account which Billing does not have.
pub async fn bereft<C: ConnectionTrait>(
    conn: &C,
    table: &'static str,
) -> Result<Vec<Uuid>, StorageError> {
    let known = Query::select()
        .column("owner_id")
        .from("billing_accounts")
        .to_owned();
    let select = Query::select()
        .column("id")
        .from(table)
        .and_where(Expr::col("account_id").is_not_null())
        .and_where(Expr::col("id").not_in_subquery(known))
        .to_owned();
    let rows = conn.query_all(&select).await?;
    rows.iter()
        .map(|row| Ok(row.try_get_by_index(0)?))
        .collect()
}

/// What is known of the accounts of `advertisers`, those without one left out.
pub async fn account_facts<C: ConnectionTrait>(
    conn: &C,
    advertisers: &[AdvertiserId],
    now: Timestamp,
) -> Result<HashMap<AdvertiserId, AccountFacts>, StorageError> {
    let heard_at = peer_feed::position(conn, ACCOUNTS)
        .await?
        .map_or(Timestamp::EPOCH, |position| position.heard_at);
    let owners: Vec<Uuid> = advertisers.iter().map(|id| id.uuid()).collect();
    let accounts = accounts_of(conn, &owners).await?;
    Ok(accounts
        .into_iter()
        .map(|account| {
            let advertiser = AdvertiserId::from_uuid(account.owner);
            (advertiser, AccountFacts::new(account, heard_at, now))
        })
        .collect())
}

/// The projections of the accounts of `owners`, in no order.
pub async fn accounts_of<C: ConnectionTrait>(
    conn: &C,
    owners: &[Uuid],
) -> Result<Vec<AccountProjection>, StorageError> {
    let mut accounts = Vec::with_capacity(owners.len());
    for chunk in owners.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(COLUMNS)
            .from("billing_accounts")
            .and_where(Expr::col("owner_id").is_in(padded(chunk.iter().copied())))
            .to_owned();
        for result in conn.query_all(&select).await? {
            accounts.push(read(&result)?);
        }
    }
    Ok(accounts)
}

async fn revisions(
    txn: &DatabaseTransaction,
    owners: &[Uuid],
) -> Result<HashMap<Uuid, i64>, StorageError> {
    let mut revisions = HashMap::new();
    for chunk in owners.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(["owner_id", "revision"])
            .from("billing_accounts")
            .and_where(Expr::col("owner_id").is_in(padded(chunk.iter().copied())))
            .lock_exclusive()
            .to_owned();
        for result in txn.query_all(&select).await? {
            revisions.insert(result.try_get_by_index(0)?, result.try_get_by_index(1)?);
        }
    }
    Ok(revisions)
}

async fn upsert(
    txn: &DatabaseTransaction,
    accounts: &[&AccountProjection],
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    let [_, updated @ ..] = COLUMNS;
    for chunk in insert_chunks(engine, COLUMNS.len(), accounts.to_vec()) {
        let mut insert = Query::insert();
        insert.into_table("billing_accounts").columns(COLUMNS);
        for account in chunk {
            insert.values_panic(values(account)?.map(Expr::val));
        }
        insert.on_conflict(
            OnConflict::column("owner_id")
                .update_columns(updated)
                .to_owned(),
        );
        txn.execute(&insert).await?;
    }
    Ok(())
}

fn values(account: &AccountProjection) -> Result<[Value; COLUMNS.len()], StorageError> {
    let reasons = serde_json::to_string(&account.reasons)
        .map_err(|error| StorageError::Corrupt(error.to_string()))?;
    Ok([
        account.owner.into(),
        account.party.to_string().into(),
        account.account.uuid().into(),
        account.currency.code().into(),
        account.state.to_string().into(),
        account.standing.to_string().into(),
        reasons.into(),
        account.available.get().into(),
        account.held.get().into(),
        account.credit_limit.get().into(),
        account.revision.into(),
        account.as_of.micros().into(),
    ])
}

fn read(result: &QueryResult) -> Result<AccountProjection, StorageError> {
    let corrupt = |error: &dyn std::fmt::Display| StorageError::Corrupt(error.to_string());
    let text =
        |index: usize| -> Result<String, StorageError> { Ok(result.try_get_by_index(index)?) };
    let micros = |index: usize| -> Result<Micros, StorageError> {
        Ok(Micros::new(result.try_get_by_index(index)?))
    };
    Ok(AccountProjection {
        owner: result.try_get_by_index(0)?,
        party: text(1)?.parse().map_err(|error| corrupt(&error))?,
        account: AccountId::from_uuid(result.try_get_by_index(2)?),
        currency: Currency::from_code(&text(3)?).map_err(|error| corrupt(&error))?,
        state: text(4)?.parse().map_err(|error| corrupt(&error))?,
        standing: text(5)?.parse().map_err(|error| corrupt(&error))?,
        reasons: serde_json::from_str(&text(6)?).map_err(|error| corrupt(&error))?,
        available: micros(7)?,
        held: micros(8)?,
        credit_limit: micros(9)?,
        revision: result.try_get_by_index(10)?,
        as_of: Timestamp::from_micros(result.try_get_by_index(11)?),
    })
}
