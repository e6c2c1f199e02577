//! Rows of publishers.

use cleave_kernel::{AccountId, PublisherId};
use cleave_storage::StorageError;
use operations_domain::{Kind, Publisher, Seller, Stamp};
use sea_orm::Value;

use crate::advertiser::read_proposal;
use crate::record::{self, Record, UniqueKey, record_head};
use crate::row::{Row, corrupt, currency, maybe_text, micros, name};
use crate::topic::Topic;
use crate::unit::Unit;

impl Record for Publisher {
    const TABLE: &'static str = "publishers";
    const KIND: Kind = Kind::Publisher;
    const TOPIC: Topic = Topic::Publisher;
    const COLUMNS: &'static [&'static str] = &[
        "display_name",
        "seller_domain",
        "seller_id",
        "contact_emails",
        "currency",
        "external_ref",
        "billing_mode",
        "credit_limit",
        "net_days",
        "state",
        "account_id",
    ];

    record_head!(PublisherId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        let seller = self.seller.as_ref();
        vec![
            self.display_name.clone().into(),
            maybe_text(seller.map(|seller| &seller.domain)),
            maybe_text(seller.map(|seller| &seller.id)),
            // No address holds a line break: `text::optional` refuses control characters.
            self.contact_emails.join("\n").into(),
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
        let seller = self.seller.as_ref().map(|seller| UniqueKey {
            field: "seller_id",
            columns: vec![
                ("seller_domain", seller.domain.clone().into()),
                ("seller_id", seller.id.clone().into()),
            ],
        });
        external_ref.into_iter().chain(seller).collect()
    }

    fn read(id: PublisherId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            id,
            stamp,
            display_name: row.take()?,
            seller: Seller::from_parts(row.take()?, row.take()?).map_err(corrupt)?,
            contact_emails: row.take::<String>()?.lines().map(str::to_owned).collect(),
            currency: row.parse()?,
            external_ref: row.take()?,
            billing: read_proposal(row)?,
            state: row.parse()?,
            account_id: row.maybe_id(AccountId::from_uuid)?,
        })
    }
}

/// Notes that Billing has opened the account of a publisher; whether that was news.
///
/// # Errors
/// When the database fails.
pub async fn account_opened(
    unit: &Unit,
    id: PublisherId,
    account: AccountId,
) -> Result<bool, StorageError> {
    let Some(mut publisher) = record::lock::<Publisher>(unit, id).await? else {
        return Ok(false);
    };
    let news = publisher.account_opened(account, unit.now());
    if news {
        record::update(unit, &publisher).await?;
    }
    Ok(news)
}
