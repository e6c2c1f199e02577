//! What rows refer to.

use cleave_kernel::{AdUnitId, LineItemId};
use cleave_storage::StorageError;
use operations_domain::{AdUnit, LineItem, Terms, testing};
use operations_store::{Store, record, terms};

/// Stores four line items with version 1 of their terms, and eight ad units.
pub(crate) async fn plant(store: &Store) -> (Vec<LineItemId>, Vec<AdUnitId>) {
    let advertiser = testing::advertiser();
    let campaign = &testing::campaign(&advertiser);
    let game = testing::game(&testing::publisher());
    let line_items: &Vec<LineItem> = &(0..4).map(|_| testing::line_item(campaign)).collect();
    let ad_units: &Vec<AdUnit> = &(0..8).map(|_| testing::ad_unit(&game)).collect();
    store
        .write("plant", testing::NOW, |unit| async move {
            for line_item in line_items {
                record::insert(&unit, line_item).await?;
                let version =
                    Terms::publish(testing::spec(), line_item, campaign, None, testing::NOW);
                terms::insert(&unit, &version.expect("sound terms")).await?;
            }
            for ad_unit in ad_units {
                record::insert(&unit, ad_unit).await?;
            }
            Ok::<_, StorageError>(())
        })
        .await
        .expect("planted");
    let line_items = line_items.iter().map(|line_item| line_item.id).collect();
    (line_items, ad_units.iter().map(|unit| unit.id).collect())
}
