//! The proof that what is stored is what the transfers say: every transfer is replayed, in its order, through the same book
//! that wrote it.

use crate::error::StoreError;
use crate::row::{self, account, ledger_account, reservation, transfer};
use crate::store::Store;
use crate::verify_funding::verify_funding;
use crate::verify_rating::verify_rating;
use billing_domain::Book;
use billing_domain::account::Party;
use billing_domain::book::LedgerAccount;
use billing_domain::standing::Position;
use cleave_kernel::{Currency, Micros, TransferId};
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::mpsc;

/// Transfers read at a time.
const PAGE: u64 = 2000;

/// What a check reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It begins anew: an earlier try lost its connection.
    Begun,
    /// It has come so far.
    Progress {
        /// In which part.
        phase: Phase,
        /// How many things were checked.
        done: i64,
        /// How many there are.
        total: i64,
    },
    /// Something does not agree.
    Found(Finding),
}

/// The parts of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Replaying transfers.
    Transfers,
    /// Comparing counters and reservations.
    Counters,
    /// Re-rating buckets.
    Buckets,
}

/// What kind of disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// A gap or a double in the order.
    SeqGap,
    /// A transfer that breaks a rule.
    TransferInvalid,
    /// A counter that is not the fold of its transfers.
    CounterMismatch,
    /// Debits and credits differ.
    Unbalanced,
    /// A reservation that is not what its transfers say.
    ReservationMismatch,
    /// Less than the limit allows.
    LimitExceeded,
    /// A bucket that is not what its rows say.
    BucketMismatch,
    /// Charges that are not what the transfers say.
    FundingMismatch,
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// The row that differs.
    pub subject: String,
    /// Which value of it.
    pub field: &'static str,
    /// What the replay says.
    pub expected: String,
    /// What is stored.
    pub found: String,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Transfers replayed.
    pub transfers: i64,
    /// Ledger accounts compared.
    pub ledger_accounts: i64,
    /// Reservations compared.
    pub reservations: i64,
    /// Buckets re-rated.
    pub buckets: i64,
    /// Delivery rows they were re-rated from.
    pub rows: i64,
    /// The last transfer replayed.
    pub seq: i64,
}

/// Where a check sends its reports. Whoever stops listening stops nothing: the check is cheap to finish and has no effect.
pub(crate) type Reports = mpsc::Sender<Report>;

impl Store {
    /// Checks the ledger, all on one consistent view.
    ///
    /// # Errors
    /// When the database fails; a disagreement is a report, not an error.
    pub async fn verify_ledger(
        &self,
        skip_rating: bool,
        reports: mpsc::Sender<Report>,
    ) -> Result<Summary, StoreError> {
        let (reports, zone) = (&reports, self.zone());
        self.database()
            .snapshot("verify_ledger", |txn| async move {
                tell(reports, Report::Begun).await;
                let mut summary = Summary::default();
                let mut stored = stored_accounts(&txn).await?;
                let book = replay(&txn, &stored, reports, &mut summary).await?;
                compare_counters(&book, &mut stored, reports, &mut summary).await;
                compare_reservations(&txn, &book, reports, &mut summary).await?;
                compare_limits(&txn, &book, reports).await?;
                if !skip_rating {
                    let earned = verify_rating(&txn, zone, reports, &mut summary).await?;
                    verify_funding(&txn, earned, reports).await?;
                }
                Ok(summary)
            })
            .await
    }
}

pub(crate) async fn tell(reports: &Reports, report: Report) {
    let _ = reports.send(report).await;
}

async fn stored_accounts(
    txn: &DatabaseTransaction,
) -> Result<BTreeMap<cleave_kernel::LedgerAccountId, LedgerAccount>, StoreError> {
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS);
    let rows = txn.query_all(&select).await?;
    rows.iter()
        .map(|row| ledger_account::read(row, 0).map(|account| (account.key.id(), account)))
        .collect()
}

/// Replays every transfer into an empty book.
async fn replay(
    txn: &DatabaseTransaction,
    stored: &BTreeMap<cleave_kernel::LedgerAccountId, LedgerAccount>,
    reports: &Reports,
    summary: &mut Summary,
) -> Result<Book, StoreError> {
    let mut book = Book::default();
    for account in stored.values() {
        book.load(LedgerAccount::new(account.key));
    }
    let total = crate::ledger::last_seq(txn).await?;
    loop {
        let select = row::select(transfer::TABLE, transfer::COLUMNS)
            .and_where(Expr::col("seq").gt(summary.seq))
            .order_by("seq", Order::Asc)
            .limit(PAGE)
            .to_owned();
        let rows = txn.query_all(&select).await?;
        if rows.is_empty() {
            return Ok(book);
        }
        for row in &rows {
            let (seq, transfer) = transfer::read(row)?;
            if seq != summary.seq + 1 {
                let gap = differs("seq", summary.seq + 1, seq);
                tell(reports, found(FindingKind::SeqGap, &transfer.id, gap)).await;
            }
            if let Err(error) = book.post(std::slice::from_ref(&transfer)) {
                let broken = differs("rule", "a transfer that the book takes", error);
                tell(
                    reports,
                    found(FindingKind::TransferInvalid, &transfer.id, broken),
                )
                .await;
            }
            summary.seq = seq;
            summary.transfers += 1;
        }
        let progress = Report::Progress {
            phase: Phase::Transfers,
            done: summary.transfers,
            total,
        };
        tell(reports, progress).await;
    }
}

pub(crate) type Difference = (&'static str, String, String);

pub(crate) fn differs(
    field: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> Difference {
    (field, expected.to_string(), found.to_string())
}

pub(crate) fn found(kind: FindingKind, subject: &impl ToString, difference: Difference) -> Report {
    let (field, expected, found) = difference;
    Report::Found(Finding {
        kind,
        subject: subject.to_string(),
        field,
        expected,
        found,
    })
}

async fn compare_counters(
    book: &Book,
    stored: &mut BTreeMap<cleave_kernel::LedgerAccountId, LedgerAccount>,
    reports: &Reports,
    summary: &mut Summary,
) {
    let mut sums: HashMap<Currency, [i128; 2]> = HashMap::new();
    for replayed in book.accounts() {
        summary.ledger_accounts += 1;
        let id = replayed.key.id();
        let Some(account) = stored.remove(&id) else {
            continue;
        };
        let (is, should) = (account.counters, replayed.counters);
        let pairs = [
            ("debits_posted", should.debits_posted, is.debits_posted),
            ("credits_posted", should.credits_posted, is.credits_posted),
            ("debits_pending", should.debits_pending, is.debits_pending),
            (
                "credits_pending",
                should.credits_pending,
                is.credits_pending,
            ),
        ];
        for (field, should, is) in pairs {
            if should != is {
                let difference = differs(field, should, is);
                tell(
                    reports,
                    found(FindingKind::CounterMismatch, &id, difference),
                )
                .await;
            }
        }
        let sum = sums.entry(account.key.currency).or_default();
        let net =
            |debits: Micros, credits: Micros| i128::from(debits.get()) - i128::from(credits.get());
        sum[0] += net(is.debits_posted, is.credits_posted);
        sum[1] += net(is.debits_pending, is.credits_pending);
    }
    for (currency, [posted, pending]) in sums {
        for (field, net) in [("posted", posted), ("pending", pending)] {
            if net != 0 {
                let difference = differs(field, 0, net);
                tell(
                    reports,
                    found(FindingKind::Unbalanced, &currency, difference),
                )
                .await;
            }
        }
    }
}

/// What each reservation says it holds against what the replay says.
async fn compare_reservations(
    txn: &DatabaseTransaction,
    book: &Book,
    reports: &Reports,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let mut open: HashMap<TransferId, Micros> = book.pendings().collect();
    let mut after = uuid::Uuid::nil();
    loop {
        let select = row::select(reservation::TABLE, reservation::COLUMNS)
            .and_where(Expr::col("id").gt(after))
            .order_by("id", Order::Asc)
            .limit(PAGE)
            .to_owned();
        let rows = txn.query_all(&select).await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = last.try_get_by_index(0)?;
        for row in &rows {
            let reservation = reservation::read(row)?;
            let left = reservation
                .left()
                .map_err(|error| StoreError::corrupt(error.to_string()))?;
            let held = open.remove(&reservation.pending()).unwrap_or_default();
            summary.reservations += 1;
            if held != left || reservation.is_live() != left.is_positive() {
                let difference = differs("left", held, left);
                let kind = FindingKind::ReservationMismatch;
                tell(reports, found(kind, &reservation.id, difference)).await;
            }
        }
    }
    for (pending, held) in open {
        let difference = differs("left", held, "no reservation");
        tell(
            reports,
            found(FindingKind::ReservationMismatch, &pending, difference),
        )
        .await;
    }
    Ok(())
}

/// Nobody has less than nothing to spend.
async fn compare_limits(
    txn: &DatabaseTransaction,
    book: &Book,
    reports: &Reports,
) -> Result<(), StoreError> {
    let select = row::select(account::TABLE, account::COLUMNS);
    for row in txn.query_all(&select).await? {
        let account = account::read(&row, 0)?;
        if account.party() == Party::Publisher {
            continue;
        }
        let position = Position::of(&account, |code| book.counters(account.ledger(code)))
            .map_err(|refusal| StoreError::corrupt(refusal.to_string()))?;
        let free = position.free(&account);
        if free.is_negative() {
            let difference = differs("available", "zero or more", free);
            tell(
                reports,
                found(FindingKind::LimitExceeded, &account.id, difference),
            )
            .await;
        }
    }
    Ok(())
}
