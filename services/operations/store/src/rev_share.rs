//! Rows of revenue shares.

use cleave_kernel::RevShareId;
use cleave_storage::{StorageError, padded};
use operations_domain::rev_share::Placement;
use operations_domain::{Kind, RevShare, ShareScope, Stamp};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, Value};
use std::collections::HashSet;
use uuid::Uuid;

use crate::record::{Record, read, record_head};
use crate::row::{Row, at, maybe_text, name};
use crate::topic::Topic;
use crate::unit::Unit;

const ALL_COLUMNS: [&str; 9] = [
    "id",
    "version",
    "created_at",
    "updated_at",
    "scope_level",
    "scope_subject",
    "share_ppm",
    "effective_at",
    "note",
];
/// Scopes looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

impl Record for RevShare {
    const TABLE: &'static str = "rev_shares";
    const KIND: Kind = Kind::RevShare;
    const TOPIC: Topic = Topic::RevShare;
    const COLUMNS: &'static [&'static str] = &[
        "scope_level",
        "scope_subject",
        "share_ppm",
        "effective_at",
        "note",
    ];

    record_head!(RevShareId);

    fn record_stamp(&self) -> Stamp {
        Stamp {
            version: self.version,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }

    fn values(&self) -> Vec<Value> {
        vec![
            name(self.scope.level()),
            self.scope.subject().into(),
            i64::from(self.share).into(),
            at(self.effective_at),
            maybe_text(self.note.as_ref()),
        ]
    }

    fn read(id: RevShareId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        let level = row.parse()?;
        Ok(Self {
            id,
            version: stamp.version,
            created_at: stamp.created_at,
            scope: ShareScope::from_parts(level, row.take()?),
            share: row.number()?,
            effective_at: row.at()?,
            note: row.take()?,
        })
    }
}

/// The last version of a scope.
///
/// # Errors
/// When the database fails.
pub async fn last_of(unit: &Unit, scope: ShareScope) -> Result<Option<RevShare>, StorageError> {
    let select = Query::select()
        .columns(ALL_COLUMNS)
        .from(RevShare::TABLE)
        .and_where(Expr::col("scope_subject").eq(scope.subject()))
        .and_where(Expr::col("scope_level").eq(Expr::val(name(scope.level()))))
        .order_by("version", Order::Desc)
        .limit(1)
        .to_owned();
    let row = unit.query_one(&select).await?;
    row.as_ref().map(read::<RevShare>).transpose()
}

/// Every version of every scope that covers one of `placements`.
///
/// # Errors
/// When the database fails.
pub async fn covering<C: ConnectionTrait>(
    conn: &C,
    placements: &[Placement],
) -> Result<Vec<RevShare>, StorageError> {
    // Ids are unique across nouns, so the subject alone tells the scope.
    let subjects: HashSet<Uuid> = placements
        .iter()
        .flat_map(|placement| placement.scopes())
        .map(ShareScope::subject)
        .collect();
    let subjects: Vec<Uuid> = subjects.into_iter().collect();
    let mut versions = Vec::new();
    for chunk in subjects.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(ALL_COLUMNS)
            .from(RevShare::TABLE)
            .and_where(Expr::col("scope_subject").is_in(padded(chunk.iter().copied())))
            .to_owned();
        for row in conn.query_all(&select).await? {
            versions.push(read::<RevShare>(&row)?);
        }
    }
    Ok(versions)
}
