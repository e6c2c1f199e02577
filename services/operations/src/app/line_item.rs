//! What can be asked about line items and their terms.

use std::collections::HashMap;

use cleave_kernel::LineItemId;
use operations_domain::line_item_status::{Computed, compute};
use operations_domain::{
    Advertiser, Campaign, LineItem, LineItemChange, NewLineItem, Terms, TermsSpec,
};
use operations_store::terms::{self, TermsKey};
use operations_store::{Filter, PageRequest, Position, Unit, account, line_item, record};

use super::context::Context;
use super::mutate::{insert, lock, lock_any, parent, update};
use super::{App, Error, Listed, Request};

/// A line item with what it does at the moment, and why.
#[derive(Debug, Clone)]
pub struct LineItemView {
    /// The line item.
    pub line_item: LineItem,
    /// What it does.
    pub status: Computed,
}

impl App {
    /// Creates a draft of a line item, with its first terms if they are given.
    ///
    /// # Errors
    /// When its campaign is unknown or takes no changes, it does not fit into it, or a key of it is taken.
    pub async fn create_line_item(
        &self,
        request: Request,
        new: NewLineItem,
        spec: Option<TermsSpec>,
    ) -> Result<(LineItemView, Option<Terms>), Error> {
        let (new, spec) = (&new, &spec);
        let (line_item, terms) = self
            .mutate(&request, |unit| async move {
                let campaign = lock_any::<Campaign>(&unit, new.campaign_id).await?;
                let caps = line_item::caps_of(&unit, campaign.id, None).await?;
                let mut item = LineItem::create(new.clone(), &campaign, caps, unit.now())?;
                let first = spec
                    .map(|spec| Terms::publish(spec, &item, &campaign, None, unit.now()))
                    .transpose()?;
                if let Some(first) = &first {
                    // Created with it: still the first version of the line item.
                    item.terms_version = first.version;
                }
                insert(&unit, &item).await?;
                if let Some(first) = &first {
                    terms::insert(&unit, first).await?;
                }
                Ok((item, first))
            })
            .await?;
        Ok((self.view(line_item).await?, terms))
    }

    /// One line item.
    ///
    /// # Errors
    /// When there is none with this id.
    pub async fn get_line_item(&self, id: LineItemId) -> Result<LineItemView, Error> {
        self.view(self.get::<LineItem>(id).await?).await
    }

    /// A page of line items.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_line_items(
        &self,
        filter: Filter,
        page: PageRequest,
    ) -> Result<Listed<LineItemView>, Error> {
        let listed = self.list::<LineItem>(filter, page).await?;
        let (line_items, ends): (Vec<LineItem>, Vec<Position>) = listed.rows.into_iter().unzip();
        let views = self.views(line_items).await?;
        Ok(Listed {
            rows: views.into_iter().zip(ends).collect(),
            more: listed.more,
        })
    }

    /// Changes what people write of a line item.
    ///
    /// # Errors
    /// When it has changed since, is removed, its campaign takes no changes, or it would not fit into it.
    pub async fn update_line_item(
        &self,
        request: Request,
        id: LineItemId,
        version: i64,
        change: LineItemChange,
    ) -> Result<LineItemView, Error> {
        let change = &change;
        let line_item = self
            .mutate(&request, |unit| async move {
                let (campaign, before) = lock_both(&unit, id, version).await?;
                let caps = line_item::caps_of(&unit, campaign.id, Some(id)).await?;
                let mut item = before.clone();
                item.change(change.clone(), &campaign, caps, unit.now())?;
                update(&unit, &before, &item).await?;
                Ok(item)
            })
            .await?;
        self.view(line_item).await
    }

    /// Asks for a line item to run.
    ///
    /// # Errors
    /// When it has changed since, has no terms, or its advertiser or account forbid it.
    pub async fn enable_line_item(
        &self,
        request: Request,
        id: LineItemId,
        version: i64,
    ) -> Result<LineItemView, Error> {
        let line_item = self
            .mutate(&request, |unit| async move {
                let mut item = lock::<LineItem>(&unit, id, version).await?;
                let advertiser = parent::<Advertiser>(&unit, item.advertiser_id).await?;
                let facts = account::account_facts(&**unit, &[advertiser.id], unit.now()).await?;
                item.enable(&advertiser, facts.get(&advertiser.id), unit.now())?;
                record::update(&unit, &item).await?;
                Ok(item)
            })
            .await?;
        self.lease_bell.notify_one();
        self.view(line_item).await
    }

    /// Stops a line item.
    ///
    /// # Errors
    /// When it has changed since, or is not enabled.
    pub async fn pause_line_item(
        &self,
        request: Request,
        id: LineItemId,
        version: i64,
    ) -> Result<LineItemView, Error> {
        let line_item = self.change(&request, id, version, LineItem::pause).await?;
        self.view(line_item).await
    }

    /// Takes a line item out for good.
    ///
    /// # Errors
    /// When it has changed since, or is removed already.
    pub async fn remove_line_item(
        &self,
        request: Request,
        id: LineItemId,
        version: i64,
    ) -> Result<LineItemView, Error> {
        let line_item = self.change(&request, id, version, LineItem::remove).await?;
        self.view(line_item).await
    }

    /// Publishes the next version of a line item's terms.
    ///
    /// # Errors
    /// When it has changed since, is removed, its campaign takes no changes, or a frozen part would change.
    pub async fn publish_terms(
        &self,
        request: Request,
        id: LineItemId,
        version: i64,
        spec: TermsSpec,
    ) -> Result<(Terms, LineItemView), Error> {
        let (published, line_item) = self
            .mutate(&request, |unit| async move {
                let (campaign, mut item) = lock_both(&unit, id, version).await?;
                let last = TermsKey {
                    line_item_id: id,
                    version: item.terms_version,
                };
                let last = terms::find(&**unit, last).await?;
                let next = Terms::publish(spec, &item, &campaign, last.as_ref(), unit.now())?;
                item.terms_published(next.version, unit.now());
                terms::insert(&unit, &next).await?;
                record::update(&unit, &item).await?;
                Ok((next, item))
            })
            .await?;
        Ok((published, self.view(line_item).await?))
    }

    /// The versions of a line item's terms after version `after`, and whether there are more.
    ///
    /// # Errors
    /// When there is no such line item.
    pub async fn list_terms(
        &self,
        id: LineItemId,
        after: i64,
        limit: u64,
    ) -> Result<(Vec<Terms>, bool), Error> {
        self.get::<LineItem>(id).await?;
        let mut versions = self
            .store
            .db()
            .read("list_terms", |conn| async move {
                Ok::<_, Error>(terms::of_line_item(conn, id, after, limit + 1).await?)
            })
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = versions.len() > limit;
        versions.truncate(limit);
        Ok((versions, more))
    }

    /// Versions of terms by their keys, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_terms(&self, keys: &[TermsKey]) -> Result<Vec<Option<Terms>>, Error> {
        let found: HashMap<TermsKey, Terms> = self
            .store
            .db()
            .read("get_terms", |conn| async move {
                Ok::<_, Error>(terms::find_many(conn, keys).await?)
            })
            .await?
            .into_iter()
            .map(|version| (TermsKey::of(&version), version))
            .collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// The line item with what it does.
    pub(crate) async fn view(&self, line_item: LineItem) -> Result<LineItemView, Error> {
        let mut views = self.views(vec![line_item]).await?;
        views.pop().ok_or_else(orphan)
    }

    /// The line items with what they do, in their order.
    pub(crate) async fn views(
        &self,
        line_items: Vec<LineItem>,
    ) -> Result<Vec<LineItemView>, Error> {
        let now = self.clock.now();
        let context = Context::load(self, &line_items).await?;
        let view = |line_item: LineItem| {
            let status = compute(&context.facts(&line_item)?, now);
            Some(LineItemView { line_item, status })
        };
        line_items
            .into_iter()
            .map(|line_item| view(line_item).ok_or_else(orphan))
            .collect()
    }
}

/// A line item is stored with its campaign in sight, and neither is ever deleted.
fn orphan() -> Error {
    Error::Fault("a line item without a campaign or advertiser".to_owned())
}

/// The line item at `version` and its campaign, both locked, the campaign first as everywhere.
async fn lock_both(
    unit: &Unit,
    id: LineItemId,
    version: i64,
) -> Result<(Campaign, LineItem), Error> {
    // Which campaign it belongs to never changes, so it may be read before it is locked.
    let campaign_id = parent::<LineItem>(unit, id).await?.campaign_id;
    let campaign = lock_any::<Campaign>(unit, campaign_id).await?;
    let item = lock::<LineItem>(unit, id, version).await?;
    Ok((campaign, item))
}
