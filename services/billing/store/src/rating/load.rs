//! Loads what a batch rates, and adds the accounts that rating may move money on to what the writer locks next.

use super::{DELIVERY, RatingScope, whole};
use crate::error::StoreError;
use crate::row::{
    self, bucket, bucket_total, line_item, parked_row, rated_row, rev_share, terms, unreadable_row,
    written_off_row,
};
use crate::writer::Scope;
use billing_domain::Account;
use billing_domain::account::OpsRef;
use billing_domain::bucket::Basis;
use billing_domain::delivery::{DeliveryKey, RowId};
use billing_domain::parked_row::RatedBy;
use billing_domain::rating::Reach;
use billing_domain::rating_set::RatingSet;
use cleave_kernel::LineItemId;
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Takes the lock, loads the rows of rating and widens `scope` by the accounts and holds that they draw from.
pub(crate) async fn load(
    txn: &DatabaseTransaction,
    scope: &mut Scope,
) -> Result<RatingSet, StoreError> {
    let mut set = RatingSet::default();
    if !scope.rating.rates {
        return Ok(set);
    }
    lock(txn).await?;
    load_rows(txn, &scope.rating, &mut set).await?;
    load_waiting(txn, &scope.rating, &mut set).await?;
    load_bases(txn, &mut scope.rating, &mut set).await?;
    load_line_items(txn, &scope.rating, &mut set).await?;
    load_buckets(txn, &scope.rating, &mut set).await?;
    widen(scope, &set);
    Ok(set)
}

async fn lock(txn: &DatabaseTransaction) -> Result<(), StoreError> {
    let select = Query::select()
        .column("revision")
        .from("rating_cursor")
        .and_where(Expr::col("name").eq(DELIVERY))
        .lock_exclusive()
        .to_owned();
    match txn.query_one(&select).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::corrupt("rating_cursor has no row to lock")),
    }
}

async fn load_rows(
    txn: &DatabaseTransaction,
    scope: &RatingScope,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let keys = || scope.rows.iter().map(|id| id.uuid());
    let select = row::select(rated_row::TABLE, rated_row::COLUMNS);
    for row in row::by_keys(txn, &select, (rated_row::TABLE, "id"), keys()).await? {
        set.load_row(rated_row::read(&row)?);
    }
    Ok(())
}

/// What is known of the rows beside their rating. These tables are empty as a rule, and then not searched.
async fn load_waiting(
    txn: &DatabaseTransaction,
    scope: &RatingScope,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let keys = || scope.rows.iter().map(|id| id.uuid());
    if any(txn, parked_row::TABLE).await? {
        let select = row::select(parked_row::TABLE, parked_row::COLUMNS);
        for row in row::by_keys(txn, &select, "id", keys()).await? {
            let (id, parked) = parked_row::read(&row)?;
            set.load_parked(id, parked);
        }
    }
    if any(txn, unreadable_row::TABLE).await? {
        let select = row::select(unreadable_row::TABLE, unreadable_row::COLUMNS);
        for row in row::by_keys(txn, &select, "id", keys()).await? {
            set.load_unreadable(unreadable_row::read(&row)?);
        }
    }
    if any(txn, written_off_row::TABLE).await? {
        let select = row::select(written_off_row::TABLE, ["row_id", "revision"]);
        for row in row::by_keys(txn, &select, "row_id", keys()).await? {
            let id = RowId::from_uuid(row.try_get_by_index(0)?);
            set.load_written_off(id, row.try_get_by_index(1)?);
        }
    }
    Ok(())
}

async fn any(txn: &DatabaseTransaction, table: &'static str) -> Result<bool, StoreError> {
    let first = row::select(table, ["id"]).limit(1).to_owned();
    Ok(txn.query_one(&first).await?.is_some())
}

/// What the rows to be written off would be rated by, as they were parked.
async fn load_bases(
    txn: &DatabaseTransaction,
    scope: &mut RatingScope,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let named: Vec<_> = scope
        .write_offs
        .iter()
        .filter_map(|id| {
            let parked = set.parked(*id)?;
            Some((*id, parked.row.key.clone(), parked.rated_by?))
        })
        .collect();
    let terms_of = |key: &DeliveryKey| terms::id(key.line_item, key.terms_version);
    let share_of = |key: &DeliveryKey, by: &RatedBy| rev_share::id(by.rev_share, key.ad_unit);
    let keys: BTreeSet<_> = named.iter().map(|(_, key, _)| terms_of(key)).collect();
    let select = row::select(terms::TABLE, terms::COLUMNS);
    let mut versions: HashMap<Uuid, _> = HashMap::new();
    for row in row::by_keys(txn, &select, "id", keys).await? {
        versions.insert(row.try_get_by_index(0)?, Arc::new(terms::read(&row, 0)?));
    }
    let keys: BTreeSet<_> = named.iter().map(|(_, key, by)| share_of(key, by)).collect();
    let select = row::select(rev_share::TABLE, rev_share::COLUMNS);
    let mut shares: HashMap<Uuid, _> = HashMap::new();
    for row in row::by_keys(txn, &select, "id", keys).await? {
        shares.insert(
            row.try_get_by_index(0)?,
            Arc::new(rev_share::read(&row, 0)?),
        );
    }
    for (id, key, by) in named {
        let (terms, share) = (
            versions.get(&terms_of(&key)),
            shares.get(&share_of(&key, &by)),
        );
        if let (Some(terms), Some(share)) = (terms, share) {
            let basis = Basis::new(Arc::clone(terms), Arc::clone(share), by.period);
            let basis = Arc::new(basis);
            scope.basis(&basis);
            set.load_basis(id, basis);
        }
    }
    Ok(())
}

async fn load_line_items(
    txn: &DatabaseTransaction,
    scope: &RatingScope,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let select = row::select(line_item::TABLE, line_item::COLUMNS);
    let keys = scope.line_items.keys().map(|id| id.uuid());
    for row in row::by_keys(txn, &select, (line_item::TABLE, "id"), keys).await? {
        set.load_line_item(line_item::read(&row)?);
    }
    Ok(())
}

/// Buckets are loaded as far as the rating of the batch reaches.
async fn load_buckets(
    txn: &DatabaseTransaction,
    scope: &RatingScope,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let reach = |id: &LineItemId| {
        let stored = set.line_item(*id).map(|totals| totals.reach);
        stored.max(scope.line_items.get(id).copied())
    };
    let of_reach = |wanted: Reach| -> BTreeSet<LineItemId> {
        let ids = scope.line_items.keys().copied();
        ids.filter(|id| reach(id) == Some(wanted)).collect()
    };
    let (alone, monthly, whole) = (
        of_reach(Reach::Bucket),
        of_reach(Reach::Period),
        of_reach(Reach::LineItem),
    );
    let single = scope.bases.values();
    let single = single.filter(|basis| alone.contains(&basis.key.line_item));
    let select = row::select(bucket_total::TABLE, bucket_total::COLUMNS);
    let keys = single.map(|basis| basis.id.uuid());
    for row in row::by_keys(txn, &select, (bucket_total::TABLE, "id"), keys).await? {
        let total = bucket_total::read(&row, 0)?;
        if let Some(basis) = scope.bases.get(&total.id) {
            set.load_bucket(total.with(Arc::clone(basis)));
        }
    }
    let touched = scope.bases.values();
    let touched = touched.filter(|basis| monthly.contains(&basis.key.line_item));
    let periods: BTreeSet<_> = touched.map(|basis| basis.key.period.index()).collect();
    let select = whole::select()
        .and_where(Expr::col((bucket::TABLE, "period")).is_in(padded(periods)))
        .to_owned();
    load_whole(txn, &select, &monthly, set).await?;
    load_whole(txn, &whole::select(), &whole, set).await
}

async fn load_whole(
    txn: &DatabaseTransaction,
    select: &SelectStatement,
    line_items: &BTreeSet<LineItemId>,
    set: &mut RatingSet,
) -> Result<(), StoreError> {
    let keys = line_items.iter().map(|id| id.uuid());
    for row in row::by_keys(txn, select, (bucket::TABLE, "line_item_id"), keys).await? {
        set.load_bucket(whole::read(&row)?);
    }
    Ok(())
}

/// Adds the accounts and holds that money may move between.
fn widen(scope: &mut Scope, set: &RatingSet) {
    let bases: Vec<_> = scope.rating.bases.values().cloned().collect();
    for basis in &bases {
        scope.holds_of(basis.advertiser, basis.key.line_item);
        scope.account(basis.publisher);
    }
    let line_items: Vec<_> = scope.rating.line_items.keys().copied().collect();
    for line_item in line_items {
        if let Some(totals) = set.line_item(line_item) {
            let advertiser = Account::id_of(OpsRef::Advertiser(totals.advertiser));
            scope.holds_of(advertiser, line_item);
        }
        for bucket in set.buckets_of(line_item) {
            scope.account(bucket.basis.publisher);
        }
    }
}
