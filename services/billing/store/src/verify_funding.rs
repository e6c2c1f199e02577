//! The proof that the ledger carries what was rated: the transfers of every line item and publisher are summed and
//! compared with the line item's funding and the publisher's buckets.

use crate::error::StoreError;
use crate::row::{self, ledger_account, transfer};
use crate::verify::{FindingKind, Reports, differs, found, tell};
use billing_domain::Transfer;
use billing_domain::bucket::Bucket;
use billing_domain::chart::Code;
use billing_domain::rating_set::LineItemTotals;
use billing_domain::transfer::{Kind, Reason};
use cleave_kernel::{LedgerAccountId, Micros};
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, HashMap};

/// Transfers read at a time.
const PAGE: u64 = 5000;

/// Sums by whom or what they are for and by what they are, such as what a line item was charged.
type Sums = BTreeMap<(String, &'static str), i128>;

/// What is earned, charged and kept according to the buckets.
#[derive(Debug, Default)]
pub(crate) struct Earned(Sums);

impl Earned {
    /// Adds a line item and its buckets.
    pub(crate) fn add(&mut self, totals: &LineItemTotals, buckets: &[Bucket]) {
        let line_item = totals.line_item.to_string();
        let funding = &totals.funding;
        self.count(&line_item, "charged", funding.charged);
        self.count(&line_item, "unfunded", funding.unfunded);
        self.count(&line_item, "written_off", funding.written_off);
        self.count(totals.currency.code(), "revenue", totals.amounts.revenue);
        for bucket in buckets {
            let publisher = bucket.basis.publisher.to_string();
            self.count(&publisher, "earned", bucket.amounts.earned);
            self.count(&publisher, "absorbed", bucket.amounts.absorbed);
        }
    }

    fn count(&mut self, of: &str, what: &'static str, amount: Micros) {
        let sum = self.0.entry((of.to_owned(), what)).or_default();
        *sum += i128::from(amount.get());
    }
}

/// Compares what was rated with the transfers that carry it.
pub(crate) async fn verify_funding(
    txn: &DatabaseTransaction,
    earned: Earned,
    reports: &Reports,
) -> Result<(), StoreError> {
    let mut carried = carried(txn).await?;
    for (key, should) in earned.0 {
        let is = carried.remove(&key).unwrap_or_default();
        compare(&key, should, is, reports).await;
    }
    for (key, is) in carried {
        compare(&key, 0, is, reports).await;
    }
    Ok(())
}

async fn compare(key: &(String, &'static str), should: i128, is: i128, reports: &Reports) {
    if should != is {
        let difference = differs(key.1, should, is);
        tell(
            reports,
            found(FindingKind::FundingMismatch, &key.0, difference),
        )
        .await;
    }
}

/// What the transfers of rating and settlement sum to.
async fn carried(txn: &DatabaseTransaction) -> Result<Sums, StoreError> {
    let mut names = HashMap::new();
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS);
    for row in txn.query_all(&select).await? {
        let key = ledger_account::read(&row, 0)?.key;
        names.insert(key.id(), key);
    }
    let code = |id: LedgerAccountId| names.get(&id).map(|key| key.code);
    let reasons = [
        Reason::Charge,
        Reason::Unfunded,
        Reason::Earning,
        Reason::Revenue,
        Reason::Overdelivery,
        Reason::Settlement,
    ];
    let mut sums = Sums::new();
    let mut after = 0_i64;
    loop {
        let select = row::select(transfer::TABLE, transfer::COLUMNS)
            .and_where(Expr::col("seq").gt(after))
            .and_where(Expr::col("reason").is_in(reasons.map(Reason::number)))
            .order_by("seq", Order::Asc)
            .limit(PAGE)
            .to_owned();
        let page = txn.query_all(&select).await?;
        let Some(last) = page.last() else {
            return Ok(sums);
        };
        after = last.try_get_by_index(0)?;
        for row in &page {
            let (_, transfer) = transfer::read(row)?;
            let currency = names.get(&transfer.debit).map(|key| key.currency.code());
            for (id, sign) in [(transfer.debit, 1), (transfer.credit, -1)] {
                let named = code(id).and_then(|code| part(code, &transfer));
                let Some((what, normal)) = named else {
                    continue;
                };
                let of = match what {
                    "revenue" => currency.unwrap_or_default(),
                    _ => &transfer.source_ref,
                };
                let sum = sums.entry((of.to_owned(), what)).or_default();
                *sum += sign * normal * i128::from(transfer.amount.get());
            }
        }
    }
}

/// What a side of the transfer adds to, and whether debits or credits make it grow.
fn part(code: Code, transfer: &Transfer) -> Option<(&'static str, i128)> {
    if !matches!(transfer.kind, Kind::Single | Kind::Post) {
        return None;
    }
    let of_publisher = transfer.source_ref.starts_with("acct_");
    match code {
        Code::AdvertiserBalance => Some(("charged", 1)),
        Code::DeliveryUnfunded => Some(("unfunded", 1)),
        Code::OverdeliveryCost if of_publisher => Some(("absorbed", 1)),
        Code::OverdeliveryCost => Some(("written_off", 1)),
        Code::PublisherEstimated => Some(("earned", -1)),
        Code::NetworkRevenue => Some(("revenue", -1)),
        _ => None,
    }
}
