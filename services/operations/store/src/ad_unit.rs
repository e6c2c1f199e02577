//! Rows of ad units, and where they are.

use cleave_kernel::{AdUnitId, Currency, GameId, PublisherId};
use cleave_storage::{StorageError, padded};
use operations_domain::rev_share::Placement;
use operations_domain::{AdUnit, AdUnitShape, Kind, ShareScope, Stamp};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, Value};

use crate::record::{Record, UniqueKey, record_head};
use crate::row::{Row, corrupt, maybe_text, micros, name};
use crate::topic::Topic;

/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

impl Record for AdUnit {
    const TABLE: &'static str = "ad_units";
    const KIND: Kind = Kind::AdUnit;
    const TOPIC: Topic = Topic::AdUnit;
    const COLUMNS: &'static [&'static str] = &[
        "game_id",
        "display_name",
        "format",
        "width",
        "height",
        "floor_micros",
        "currency",
        "tag_id",
        "state",
    ];

    record_head!(AdUnitId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.game_id.uuid().into(),
            self.display_name.clone().into(),
            name(self.format),
            i64::from(self.shape.width).into(),
            i64::from(self.shape.height).into(),
            micros(self.shape.floor),
            self.shape.currency.map(Currency::code).into(),
            maybe_text(self.tag_id.as_ref()),
            name(self.state),
        ]
    }

    fn unique_keys(&self) -> Vec<UniqueKey> {
        let tag = self.tag_id.as_ref().map(|tag| UniqueKey {
            field: "tag_id",
            columns: vec![
                ("game_id", self.game_id.uuid().into()),
                ("tag_id", tag.clone().into()),
            ],
        });
        tag.into_iter().collect()
    }

    fn read(id: AdUnitId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        let game_id = GameId::from_uuid(row.take()?);
        let display_name = row.take()?;
        let format = row.parse()?;
        let shape = AdUnitShape {
            width: row.number()?,
            height: row.number()?,
            floor: row.micros()?,
            currency: row
                .take::<Option<String>>()?
                .map(|code| Currency::from_code(&code))
                .transpose()
                .map_err(corrupt)?,
        };
        Ok(Self {
            id,
            stamp,
            game_id,
            display_name,
            format,
            shape,
            tag_id: row.take()?,
            state: row.parse()?,
        })
    }
}

/// Where those of `ids` are that exist, in no order.
///
/// # Errors
/// When the database fails.
pub async fn placements<C: ConnectionTrait>(
    conn: &C,
    ids: &[AdUnitId],
) -> Result<Vec<Placement>, StorageError> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let mut select = select_placements();
        select.and_where(Expr::col(("ad_units", "id")).is_in(ids));
        for row in conn.query_all(&select).await? {
            found.push(read_placement(&mut Row::new(&row))?);
        }
    }
    Ok(found)
}

/// Every ad unit that `scope` covers.
///
/// # Errors
/// When the database fails.
pub async fn covered<C: ConnectionTrait>(
    conn: &C,
    scope: ShareScope,
) -> Result<Vec<Placement>, StorageError> {
    let mut select = select_placements();
    let column = match scope {
        ShareScope::Network => None,
        ShareScope::Publisher(_) => Some(("games", "publisher_id")),
        ShareScope::Game(_) => Some(("games", "id")),
        ShareScope::AdUnit(_) => Some(("ad_units", "id")),
    };
    if let Some(column) = column {
        select.and_where(Expr::col(column).eq(scope.subject()));
    }
    let rows = conn.query_all(&select).await?;
    rows.iter()
        .map(|row| read_placement(&mut Row::new(row)))
        .collect()
}

fn select_placements() -> SelectStatement {
    Query::select()
        .column(("ad_units", "id"))
        .column(("games", "id"))
        .column(("games", "publisher_id"))
        .from("ad_units")
        .inner_join(
            "games",
            Expr::col(("games", "id")).equals(("ad_units", "game_id")),
        )
        .to_owned()
}

fn read_placement(row: &mut Row<'_>) -> Result<Placement, StorageError> {
    Ok(Placement {
        ad_unit_id: AdUnitId::from_uuid(row.take()?),
        game_id: GameId::from_uuid(row.take()?),
        publisher_id: PublisherId::from_uuid(row.take()?),
    })
}
