//! What line items have delivered, in the words of their terms.

use std::collections::{BTreeMap, HashMap};

use cleave_kernel::{LineItemId, Micros};
use cleave_storage::StorageError;
use operations_domain::Terms;
use operations_domain::delivery_total::{DayTotal, DeliveredFacts, Price, quantity};
use sea_orm::ConnectionTrait;

use super::total::days_of;
use crate::terms::{self, TermsKey};

/// What each of `line_items` has delivered by now, `today` being the present civil day; those without delivery
/// are left out.
pub async fn delivered_facts<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
    today: i32,
) -> Result<HashMap<LineItemId, DeliveredFacts>, StorageError> {
    let mut versions: BTreeMap<(LineItemId, i64), Vec<DayTotal>> = BTreeMap::new();
    for day in days_of(conn, line_items).await? {
        let version = versions.entry((day.line_item, day.terms_version));
        version.or_default().push(day);
    }
    let keys: Vec<TermsKey> = versions
        .keys()
        .map(|&(line_item_id, version)| TermsKey {
            line_item_id,
            version,
        })
        .collect();
    let terms = terms::find_many(conn, &keys).await?;
    let mut facts: HashMap<LineItemId, DeliveredFacts> = HashMap::new();
    for terms in &terms {
        let days = versions.get(&(terms.line_item_id, terms.version));
        let known = facts.entry(terms.line_item_id).or_default();
        add(known, terms, days.map_or(&[], Vec::as_slice), today);
    }
    Ok(facts)
}

/// Adds what was delivered under one version. Amounts beyond 64 bits stay at the end of them: they are far above
/// every cap.
fn add(facts: &mut DeliveredFacts, terms: &Terms, days: &[DayTotal], today: i32) {
    let price = Price::from(&terms.spec);
    let worth = |days: &[DayTotal]| price.forecast(days).unwrap_or(Micros::MAX);
    let before: Vec<DayTotal> = days.iter().filter(|day| day.day < today).copied().collect();
    let served = worth(days);
    // The difference and not the worth of today alone, so that the days add up to the whole.
    let served_today = Micros::new(served.get().saturating_sub(worth(&before).get()));
    let counted: i64 = days
        .iter()
        .map(|day| quantity(price.model, &day.counts))
        .fold(0, i64::saturating_add);
    let sum = |left: Micros, right: Micros| left.checked_add(right).unwrap_or(Micros::MAX);
    facts.quantity = facts.quantity.saturating_add(counted);
    facts.served = sum(facts.served, served);
    facts.served_today = sum(facts.served_today, served_today);
}
