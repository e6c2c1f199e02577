//! Rows of campaigns.

use cleave_kernel::{AdvertiserId, ApprovalId, CampaignId};
use cleave_storage::StorageError;
use operations_domain::{Campaign, Kind, Stamp};
use sea_orm::Value;

use crate::record::{Record, UniqueKey, record_head};
use crate::row::{Row, at, currency, maybe_at, maybe_micros, maybe_text, name};
use crate::topic::Topic;

impl Record for Campaign {
    const TABLE: &'static str = "campaigns";
    const KIND: Kind = Kind::Campaign;
    const TOPIC: Topic = Topic::Campaign;
    const COLUMNS: &'static [&'static str] = &[
        "advertiser_id",
        "display_name",
        "po_number",
        "external_ref",
        "currency",
        "budget",
        "starts_at",
        "ends_at",
        "state",
        "approval_id",
        "approved_at",
    ];

    record_head!(CampaignId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.advertiser_id.uuid().into(),
            self.display_name.clone().into(),
            maybe_text(self.po_number.as_ref()),
            maybe_text(self.external_ref.as_ref()),
            currency(self.currency),
            maybe_micros(self.budget),
            at(self.flight.starts_at),
            maybe_at(self.flight.ends_at),
            name(self.state),
            self.approval_id.map(ApprovalId::uuid).into(),
            maybe_at(self.approved_at),
        ]
    }

    fn unique_keys(&self) -> Vec<UniqueKey> {
        let external_ref = self.external_ref.as_ref().map(|external_ref| UniqueKey {
            field: "external_ref",
            columns: vec![
                ("advertiser_id", self.advertiser_id.uuid().into()),
                ("external_ref", external_ref.clone().into()),
            ],
        });
        external_ref.into_iter().collect()
    }

    fn read(id: CampaignId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            id,
            stamp,
            advertiser_id: AdvertiserId::from_uuid(row.take()?),
            display_name: row.take()?,
            po_number: row.take()?,
            external_ref: row.take()?,
            currency: row.parse()?,
            budget: row.maybe_micros()?,
            flight: row.flight()?,
            state: row.parse()?,
            approval_id: row.maybe_id(ApprovalId::from_uuid)?,
            approved_at: row.maybe_at()?,
        })
    }
}
