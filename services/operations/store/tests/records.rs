//! Every noun of the catalogue on every engine: what is written is what is read.
#![allow(clippy::unwrap_used, reason = "tests")]

use cleave_kernel::{AccountId, ApprovalId, Currency, Micros, Ppm, RevShareId, Timestamp};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{FeedSignal, StorageError, feed, migrate};
use operations_domain::testing::{
    NOW, ad_unit, advertiser, by, campaign, game, line_item, publisher, spec,
};
use operations_domain::*;
use operations_store::terms::TermsKey;
use operations_store::{
    Filter, PageRequest, Position, Record, Store, ad_unit as ad_units, migrations, record,
};
use std::fmt::Debug;

async fn store(test: &TestDatabase) -> Store {
    migrate::run(test.db(), &migrations()).await.unwrap();
    Store::new(test.db().clone(), FeedSignal::POLL)
}

async fn insert<R: Record>(store: &Store, noun: &R) {
    store
        .write("test", NOW, |unit| async move {
            record::insert(&unit, noun).await
        })
        .await
        .unwrap();
}

/// Stores `before`, replaces it by `after`, and reads both back.
async fn round_trip<R: Record + PartialEq + Debug>(store: &Store, before: &R, after: &R) {
    let id = before.record_id();
    insert(store, before).await;
    let reader = store.db().reader();
    assert_eq!(
        record::find(reader, id).await.unwrap().as_ref(),
        Some(before)
    );
    store
        .write("test", NOW, |unit| async move {
            let locked = record::lock::<R>(&unit, id).await?;
            assert_eq!(locked.as_ref(), Some(before));
            record::update(&unit, after).await
        })
        .await
        .unwrap();
    assert_eq!(
        record::find(reader, id).await.unwrap().as_ref(),
        Some(after)
    );
}

#[tokio::test]
async fn given_any_noun_when_stored_then_it_is_read_back_as_it_was() {
    for test in TestDatabase::each_engine().await {
        let store = store(&test).await;
        let later = Timestamp::from_micros(NOW.micros() + 1);

        let bare = advertiser();
        let mut full = bare.clone();
        full.account_opened(AccountId::generate(), later);
        full.external_ref = Some("erp-7 漢字😀".to_owned());
        full.domain = Some("example.com".to_owned());
        round_trip(&store, &bare, &full).await;

        let seller = publisher();
        let mut listed = seller.clone();
        listed.seller = Some(Seller {
            domain: "ads.example".to_owned(),
            id: "7".to_owned(),
        });
        listed.contact_emails = vec!["a@example.com".to_owned(), "b@example.com".to_owned()];
        listed.account_opened(AccountId::generate(), later);
        round_trip(&store, &seller, &listed).await;

        let draft = game(&seller);
        let mut reviewed = draft.clone();
        reviewed.submit(later).unwrap();
        round_trip(&store, &draft, &reviewed).await;

        let unit = ad_unit(&draft);
        let mut priced = unit.clone();
        priced.shape.floor = Micros::new(i64::MAX);
        priced.shape.currency = Some(Currency::from_code("KWD").unwrap());
        priced.pause(later).unwrap();
        round_trip(&store, &unit, &priced).await;

        let order = campaign(&bare);
        let mut submitted = order.clone();
        submitted.budget = Some(Micros::new(1));
        submitted.flight.ends_at = Some(later);
        let asked = submitted
            .submit(ApprovalId::generate(), true, by("maker"), later)
            .unwrap();
        round_trip(&store, &order, &submitted).await;

        let mut decided = asked.clone();
        decided.approve(by("checker"), later).unwrap();
        round_trip(&store, &asked, &decided).await;

        let item = line_item(&order);
        let mut limited = item.clone();
        limited.limits = Limits {
            goal: Some(1),
            daily_cap: Some(Micros::new(2)),
            lifetime_cap: Some(Micros::new(3)),
        };
        limited.terms_published(1, later);
        round_trip(&store, &item, &limited).await;
    }
}

#[tokio::test]
async fn given_versions_when_stored_then_they_are_found_by_key_and_scope() {
    for test in TestDatabase::each_engine().await {
        let store = store(&test).await;
        let order = campaign(&advertiser());
        let item = line_item(&order);
        let first = Terms::publish(spec(), &item, &order, None, NOW).unwrap();
        let capped = TermsSpec {
            billing_cap: Some(Micros::new(9)),
            ..spec()
        };
        let second = Terms::publish(capped, &item, &order, Some(&first), NOW).unwrap();
        let owner = publisher();
        let place = game(&owner);
        let unit = ad_unit(&place);
        let share = |scope, last: Option<&RevShare>| {
            let new = NewRevShare {
                id: RevShareId::generate(),
                scope,
                share: Ppm::new(700_000).unwrap(),
                effective_at: last
                    .map(|last| Timestamp::from_micros(last.effective_at.micros() + 1)),
                note: None,
            };
            RevShare::publish(new, last, NOW).unwrap()
        };
        let network = share(ShareScope::Network, None);
        let newer = share(ShareScope::Network, Some(&network));
        let own = share(ShareScope::Game(place.id), None);
        let (terms, shares) = (
            &[first.clone(), second.clone()],
            &[network.clone(), newer.clone(), own.clone()],
        );
        let (place_ref, unit_ref) = (&place, &unit);
        store
            .write("test", NOW, |txn| async move {
                record::insert(&txn, place_ref).await?;
                record::insert(&txn, unit_ref).await?;
                for version in terms {
                    operations_store::terms::insert(&txn, version).await?;
                }
                for version in shares {
                    record::insert(&txn, version).await?;
                }
                Ok::<_, StorageError>(())
            })
            .await
            .unwrap();

        let reader = store.db().reader();
        let key = TermsKey {
            line_item_id: item.id,
            version: 2,
        };
        assert_eq!(
            operations_store::terms::find(reader, key).await.unwrap(),
            Some(second.clone())
        );
        let listed = operations_store::terms::of_line_item(reader, item.id, 0, 9)
            .await
            .unwrap();
        assert_eq!(listed, [first, second]);
        let placements = ad_units::placements(reader, &[unit.id]).await.unwrap();
        assert_eq!(placements.len(), 1);
        assert_eq!(
            ad_units::covered(reader, ShareScope::Publisher(owner.id))
                .await
                .unwrap(),
            placements
        );
        let covering = operations_store::rev_share::covering(reader, &placements)
            .await
            .unwrap();
        assert_eq!(covering.len(), 3);
        let latest = store
            .write("test", NOW, |txn| async move {
                operations_store::rev_share::last_of(&txn, ShareScope::Network).await
            })
            .await
            .unwrap();
        assert_eq!(latest, Some(newer));
        assert_eq!(feed::head(reader).await.unwrap().seq, 7);
    }
}

#[tokio::test]
async fn given_a_taken_key_when_checked_then_the_holder_is_named() {
    for test in TestDatabase::each_engine().await {
        let store = store(&test).await;
        let mut holder = advertiser();
        holder.external_ref = Some("erp".to_owned());
        insert(&store, &holder).await;
        let mut same_ref = advertiser();
        same_ref.external_ref = Some("erp".to_owned());
        let mut other_case = advertiser();
        other_case.external_ref = Some("ERP".to_owned());

        let conflict = async |noun: &Advertiser| {
            let noun = noun.clone();
            store
                .write("test", NOW, |unit| {
                    let noun = noun.clone();
                    async move { record::conflict(&unit, &noun).await }
                })
                .await
                .unwrap()
        };

        let taken = |field: &str| {
            Some(Refusal::Exists {
                kind: Kind::Advertiser,
                holder: Some(holder.id.to_string()),
                field: field.to_owned(),
            })
        };
        assert_eq!(conflict(&same_ref).await, taken("external_ref"));
        assert_eq!(conflict(&holder).await, taken("id"));
        assert_eq!(conflict(&other_case).await, None);
    }
}

#[tokio::test]
async fn given_more_rows_than_a_page_when_paged_then_each_is_seen_once_in_order() {
    for test in TestDatabase::each_engine().await {
        let store = store(&test).await;
        for age in [3, 1, 1, 2, 1] {
            let mut noun = advertiser();
            noun.stamp.created_at = Timestamp::from_micros(age);
            insert(&store, &noun).await;
        }
        let mut seen = Vec::new();
        let mut after: Option<Position> = None;
        loop {
            let request = PageRequest { after, limit: 2 };
            let filter = Filter::all().any("state", &[AdvertiserState::PendingBilling]);
            let page = record::page::<Advertiser, _>(store.db().reader(), filter, &request)
                .await
                .unwrap();
            if page.is_empty() {
                break;
            }
            after = page.last().map(|(_, position)| *position);
            seen.extend(
                page.into_iter()
                    .map(|(_, position)| (position.created_at, position.id)),
            );
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted());
        let none = Filter::all().is("external_ref", Some("x"));
        let request = PageRequest {
            after: None,
            limit: 2,
        };
        let page = record::page::<Advertiser, _>(store.db().reader(), none, &request).await;
        assert!(page.unwrap().is_empty());
    }
}
