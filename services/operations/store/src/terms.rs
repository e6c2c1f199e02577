//! Rows of terms. They never change, so they have no version beside their own.

use cleave_kernel::{AdvertiserId, CampaignId, LineItemId};
use cleave_storage::{StorageError, padded};
use operations_domain::{Terms, TermsSpec};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use uuid::Uuid;

use crate::row::{Row, at, currency, maybe_micros, micros, name};
use crate::topic::Topic;
use crate::unit::Unit;

const TABLE: &str = "line_item_terms";
const COLUMNS: [&str; 14] = [
    "line_item_id",
    "version",
    "campaign_id",
    "advertiser_id",
    "currency",
    "pricing_model",
    "rate",
    "unit",
    "billing_source",
    "billing_cap",
    "overdelivery",
    "effective_at",
    "line_item_name",
    "campaign_name",
];
/// Keys looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

/// Names one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermsKey {
    /// Whose terms.
    pub line_item_id: LineItemId,
    /// Which version.
    pub version: i64,
}

impl TermsKey {
    /// The key of a version.
    pub const fn of(terms: &Terms) -> Self {
        Self {
            line_item_id: terms.line_item_id,
            version: terms.version,
        }
    }

    /// The id of the row, by which the feed names it.
    pub fn row_id(self) -> Uuid {
        Uuid::new_v5(&self.line_item_id.uuid(), &self.version.to_be_bytes())
    }
}

/// Stores a version and notes it for the feed.
///
/// # Errors
/// When the database fails.
pub async fn insert(unit: &Unit, terms: &Terms) -> Result<(), StorageError> {
    let key = TermsKey::of(terms);
    let spec = &terms.spec;
    let values = [
        key.row_id().into(),
        terms.line_item_id.uuid().into(),
        terms.version.into(),
        terms.campaign_id.uuid().into(),
        terms.advertiser_id.uuid().into(),
        currency(terms.currency),
        name(spec.model),
        micros(spec.rate),
        spec.unit.into(),
        name(spec.billing_source),
        maybe_micros(spec.billing_cap),
        name(spec.overdelivery),
        at(terms.effective_at),
        terms.line_item_name.clone().into(),
        terms.campaign_name.clone().into(),
    ];
    let insert = Query::insert()
        .into_table(TABLE)
        .columns(["id"].into_iter().chain(COLUMNS))
        .values_panic(values.into_iter().map(Expr::val))
        .to_owned();
    unit.execute(&insert)
        .await
        .map_err(|error| StorageError::from(error).unique_is_contention())?;
    unit.note(Topic::Terms, key.row_id());
    Ok(())
}

/// Those of `keys` that exist, in no order.
///
/// # Errors
/// When the database fails.
pub async fn find_many<C: ConnectionTrait>(
    conn: &C,
    keys: &[TermsKey],
) -> Result<Vec<Terms>, StorageError> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.row_id()).collect();
    find_by_row_ids(conn, &ids).await
}

/// The version of a line item's terms.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(
    conn: &C,
    key: TermsKey,
) -> Result<Option<Terms>, StorageError> {
    Ok(find_many(conn, &[key]).await?.pop())
}

/// The versions that the feed names, in no order.
///
/// # Errors
/// When the database fails.
pub async fn find_by_row_ids<C: ConnectionTrait>(
    conn: &C,
    ids: &[Uuid],
) -> Result<Vec<Terms>, StorageError> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(LOOKUP_CHUNK) {
        let mut select = select();
        select.and_where(Expr::col("id").is_in(padded(chunk.iter().copied())));
        for row in conn.query_all(&select).await? {
            found.push(read(&mut Row::new(&row))?);
        }
    }
    Ok(found)
}

/// The versions of a line item's terms after version `after`, first to last.
///
/// # Errors
/// When the database fails.
pub async fn of_line_item<C: ConnectionTrait>(
    conn: &C,
    id: LineItemId,
    after: i64,
    limit: u64,
) -> Result<Vec<Terms>, StorageError> {
    let mut select = select();
    select
        .and_where(Expr::col("line_item_id").eq(id.uuid()))
        .and_where(Expr::col("version").gt(after))
        .order_by("version", Order::Asc)
        .limit(limit);
    let rows = conn.query_all(&select).await?;
    rows.iter().map(|row| read(&mut Row::new(row))).collect()
}

fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from(TABLE).to_owned()
}

fn read(row: &mut Row<'_>) -> Result<Terms, StorageError> {
    Ok(Terms {
        line_item_id: LineItemId::from_uuid(row.take()?),
        version: row.take()?,
        campaign_id: CampaignId::from_uuid(row.take()?),
        advertiser_id: AdvertiserId::from_uuid(row.take()?),
        currency: row.parse()?,
        spec: TermsSpec {
            model: row.parse()?,
            rate: row.micros()?,
            unit: row.take()?,
            billing_source: row.parse()?,
            billing_cap: row.maybe_micros()?,
            overdelivery: row.parse()?,
        },
        effective_at: row.at()?,
        line_item_name: row.take()?,
        campaign_name: row.take()?,
    })
}
