//! Rows of advertisers.

use cleave_kernel::{AccountId, AdvertiserId};
use cleave_storage::StorageError;
use operations_domain::{Advertiser, BillingProposal, Kind, Stamp};
use sea_orm::Value;

use crate::record::{self, Record, UniqueKey, record_head};
use crate::row::{Row, currency, maybe_text, micros, name};
use crate::topic::Topic;
use crate::unit::Unit;

impl Record for Advertiser {
    const TABLE: &'static str = "advertisers";
    const KIND: Kind = Kind::Advertiser;
    const TOPIC: Topic = Topic::Advertiser;
    const COLUMNS: &'static [&'static str] = &[
        "display_name",
        "domain",
        "category",
        "time_zone",
        "currency",
        "external_ref",
        "billing_mode",
        "credit_limit",
        "net_days",
        "state",
        "account_id",
    ];

    record_head!(AdvertiserId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.display_name.clone().into(),
            maybe_text(self.domain.as_ref()),
            maybe_text(self.category.as_ref()),
            self.time_zone.clone().into(),
            currency(self.currency),
            maybe_text(self.external_ref.as_ref()),
            name(self.billing.mode),
            micros(self.billing.credit_limit),
            i64::from(self.billing.net_days).into(),
            name(self.state),
            self.account_id.map(AccountId::uuid).into(),
        ]
    }

    fn unique_keys(&self) -> Vec<UniqueKey> {
        let external_ref = self.external_ref.as_ref().map(|external_ref| UniqueKey {
            field: "external_ref",
            columns: vec![("external_ref", external_ref.clone().into())],
        });
        external_ref.into_iter().collect()
    }

    fn read(id: AdvertiserId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            id,
            stamp,
            display_name: row.take()?,
            domain: row.take()?,
            category: row.take()?,
            time_zone: row.take()?,
            currency: row.parse()?,
            external_ref: row.take()?,
            billing: read_proposal(row)?,
            state: row.parse()?,
            account_id: row.maybe_id(AccountId::from_uuid)?,
        })
    }
}

/// The proposal behind the next three columns.
pub(crate) fn read_proposal(row: &mut Row<'_>) -> Result<BillingProposal, StorageError> {
    Ok(BillingProposal {
        mode: row.parse()?,
        credit_limit: row.micros()?,
        net_days: row.number()?,
    })
}

/// Notes that Billing has opened the account of an advertiser; whether that was news.
///
/// # Errors
/// When the database fails.
pub async fn account_opened(
    unit: &Unit,
    id: AdvertiserId,
    account: AccountId,
) -> Result<bool, StorageError> {
    let Some(mut advertiser) = record::lock::<Advertiser>(unit, id).await? else {
        return Ok(false);
    };
    let news = advertiser.account_opened(account, unit.now());
    if news {
        record::update(unit, &advertiser).await?;
    }
    Ok(news)
}
