//! Rows of games.

use cleave_kernel::{GameId, PublisherId};
use cleave_storage::StorageError;
use operations_domain::{Game, Kind, Stamp};
use sea_orm::Value;

use crate::record::{Record, UniqueKey, record_head};
use crate::row::{Row, maybe_text, name};
use crate::topic::Topic;

impl Record for Game {
    const TABLE: &'static str = "games";
    const KIND: Kind = Kind::Game;
    const TOPIC: Topic = Topic::Game;
    const COLUMNS: &'static [&'static str] = &[
        "publisher_id",
        "display_name",
        "bundle",
        "store",
        "store_url",
        "category",
        "content_rating",
        "state",
        "review_note",
    ];

    record_head!(GameId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.publisher_id.uuid().into(),
            self.display_name.clone().into(),
            self.bundle.clone().into(),
            name(self.store),
            maybe_text(self.store_url.as_ref()),
            maybe_text(self.category.as_ref()),
            maybe_text(self.content_rating.as_ref()),
            name(self.state),
            maybe_text(self.review_note.as_ref()),
        ]
    }

    fn unique_keys(&self) -> Vec<UniqueKey> {
        vec![UniqueKey {
            field: "bundle",
            columns: vec![
                ("store", name(self.store)),
                ("bundle", self.bundle.clone().into()),
            ],
        }]
    }

    fn read(id: GameId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            id,
            stamp,
            publisher_id: PublisherId::from_uuid(row.take()?),
            display_name: row.take()?,
            bundle: row.take()?,
            store: row.parse()?,
            store_url: row.take()?,
            category: row.take()?,
            content_rating: row.take()?,
            state: row.parse()?,
            review_note: row.take()?,
        })
    }
}
