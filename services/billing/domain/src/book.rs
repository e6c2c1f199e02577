//! The book: ledger accounts with their four counters, and the only rules by which a transfer may change them.

use crate::chart::{LedgerKey, Side};
use crate::transfer::{Kind, Transfer};
use cleave_kernel::{LedgerAccountId, Micros, Overflow, TransferId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The sums of one ledger account. The posted ones only grow; the pending ones are what is held now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Sum of the posted debits.
    pub debits_posted: Micros,
    /// Sum of the posted credits.
    pub credits_posted: Micros,
    /// What is held on the debit side.
    pub debits_pending: Micros,
    /// What is held on the credit side.
    pub credits_pending: Micros,
}

impl Counters {
    /// The posted balance, positive on `side`.
    pub fn balance(&self, side: Side) -> Result<Micros, Overflow> {
        match side {
            Side::Debit => self.debits_posted.checked_sub(self.credits_posted),
            Side::Credit => self.credits_posted.checked_sub(self.debits_posted),
        }
    }
}

/// One ledger account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerAccount {
    /// What it is; its id follows from this.
    pub key: LedgerKey,
    /// What moved through it.
    pub counters: Counters,
}

impl Counters {
    /// What was added since `before`.
    ///
    /// # Errors
    /// When a difference does not fit, as it always does for counters that grew from `before`.
    pub fn since(&self, before: &Self) -> Result<Self, Overflow> {
        Ok(Self {
            debits_posted: self.debits_posted.checked_sub(before.debits_posted)?,
            credits_posted: self.credits_posted.checked_sub(before.credits_posted)?,
            debits_pending: self.debits_pending.checked_sub(before.debits_pending)?,
            credits_pending: self.credits_pending.checked_sub(before.credits_pending)?,
        })
    }
}

impl LedgerAccount {
    /// A ledger account through which nothing has moved.
    pub fn new(key: LedgerKey) -> Self {
        Self {
            key,
            counters: Counters::default(),
        }
    }
}

/// What a pending transfer still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The side it will be debited from.
    pub debit: LedgerAccountId,
    /// The side it will be credited to.
    pub credit: LedgerAccountId,
    /// What is neither posted nor freed.
    pub left: Micros,
}

/// Why a transfer cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A counter would leave 64 bits.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The rules forbid it: a fault of whoever made the transfer, never of who asked for it.
    #[error("transfer {id}: {rule}")]
    Invalid {
        /// The transfer.
        id: TransferId,
        /// The rule it breaks.
        rule: &'static str,
    },
}

/// Ledger accounts and open holds, changed by transfers alone.
#[derive(Debug, Clone, Default)]
pub struct Book {
    accounts: BTreeMap<LedgerAccountId, LedgerAccount>,
    pendings: HashMap<TransferId, Pending>,
    touched: BTreeSet<LedgerAccountId>,
}

impl Book {
    /// Adds a ledger account as it stands.
    pub fn load(&mut self, account: LedgerAccount) {
        self.accounts.insert(account.key.id(), account);
    }

    /// Adds an open hold as it stands. Its amount is part of the pending counters already.
    pub fn load_pending(&mut self, id: TransferId, pending: Pending) {
        self.pendings.insert(id, pending);
    }

    /// The ledger account, if it is in the book.
    pub fn account(&self, id: LedgerAccountId) -> Option<&LedgerAccount> {
        self.accounts.get(&id)
    }

    /// The counters behind a name; none have moved when it is not in the book.
    pub fn counters(&self, key: LedgerKey) -> Counters {
        self.accounts
            .get(&key.id())
            .map(|account| account.counters)
            .unwrap_or_default()
    }

    /// Every ledger account, in the order of the ids.
    pub fn accounts(&self) -> impl Iterator<Item = &LedgerAccount> {
        self.accounts.values()
    }

    /// The open holds and what each still holds.
    pub fn pendings(&self) -> impl Iterator<Item = (TransferId, Micros)> {
        self.pendings
            .iter()
            .map(|(id, pending)| (*id, pending.left))
    }

    /// The ledger accounts that transfers changed since the book was filled.
    pub fn touched(&self) -> impl Iterator<Item = &LedgerAccount> {
        self.touched.iter().filter_map(|id| self.accounts.get(id))
    }

    /// Applies all of `transfers`, in order, or none.
    ///
    /// # Errors
    /// When one of them cannot be; the book is then as it was.
    pub fn post(&mut self, transfers: &[Transfer]) -> Result<(), BookError> {
        let before: Vec<_> = transfers
            .iter()
            .flat_map(|t| [t.debit, t.credit])
            .filter_map(|id| self.accounts.get(&id).copied())
            .collect();
        let held: Vec<_> = transfers
            .iter()
            .map(|t| t.pending.unwrap_or(t.id))
            .map(|id| (id, self.pendings.get(&id).copied()))
            .collect();
        let outcome = transfers.iter().try_for_each(|t| self.apply(t));
        if outcome.is_err() {
            before.into_iter().for_each(|account| self.load(account));
            for (id, pending) in held {
                match pending {
                    Some(pending) => self.pendings.insert(id, pending),
                    None => self.pendings.remove(&id),
                };
            }
        } else {
            self.touched
                .extend(transfers.iter().flat_map(|t| [t.debit, t.credit]));
        }
        outcome
    }

    fn apply(&mut self, transfer: &Transfer) -> Result<(), BookError> {
        let invalid = |rule| BookError::Invalid {
            id: transfer.id,
            rule,
        };
        if !transfer.amount.is_positive() {
            return Err(invalid("the amount must be positive"));
        }
        if transfer.debit == transfer.credit {
            return Err(invalid("debit and credit must differ"));
        }
        let (Some(debit), Some(credit)) = (
            self.accounts.get(&transfer.debit).copied(),
            self.accounts.get(&transfer.credit).copied(),
        ) else {
            return Err(invalid("both ledger accounts must be in the book"));
        };
        if debit.key.currency != credit.key.currency {
            return Err(invalid("both sides must be in one currency"));
        }
        match (transfer.kind, transfer.pending) {
            (Kind::Single, None) => {}
            (Kind::Pending, None) => self.open(transfer).map_err(invalid)?,
            (Kind::Post | Kind::Void, Some(pending)) => {
                self.draw(pending, transfer).map_err(invalid)?;
            }
            (Kind::Single | Kind::Pending, Some(_)) | (Kind::Post | Kind::Void, None) => {
                return Err(invalid("posts and voids alone name a pending transfer"));
            }
        }
        let (debit, credit) = count(transfer, debit, credit)?;
        self.accounts.insert(transfer.debit, debit);
        self.accounts.insert(transfer.credit, credit);
        Ok(())
    }

    fn open(&mut self, transfer: &Transfer) -> Result<(), &'static str> {
        let pending = Pending {
            debit: transfer.debit,
            credit: transfer.credit,
            left: transfer.amount,
        };
        match self.pendings.insert(transfer.id, pending) {
            None => Ok(()),
            Some(_) => Err("a hold opens once"),
        }
    }

    /// Takes from a hold; the hold closes when nothing is left, and nothing draws from it after.
    fn draw(&mut self, id: TransferId, transfer: &Transfer) -> Result<(), &'static str> {
        let pending = self
            .pendings
            .get_mut(&id)
            .ok_or("the hold is not open, or was closed before")?;
        if (pending.debit, pending.credit) != (transfer.debit, transfer.credit) {
            return Err("a draw moves between the accounts of its hold");
        }
        match pending.left.checked_sub(transfer.amount) {
            Ok(left) if left.is_positive() => pending.left = left,
            Ok(left) if left.is_zero() => {
                self.pendings.remove(&id);
            }
            _ => return Err("more is drawn than the hold has left"),
        }
        Ok(())
    }
}

/// Both sides after the transfer.
fn count(
    transfer: &Transfer,
    mut debit: LedgerAccount,
    mut credit: LedgerAccount,
) -> Result<(LedgerAccount, LedgerAccount), Overflow> {
    let amount = transfer.amount;
    if matches!(transfer.kind, Kind::Single | Kind::Post) {
        let (d, c) = (&mut debit.counters, &mut credit.counters);
        d.debits_posted = d.debits_posted.checked_add(amount)?;
        c.credits_posted = c.credits_posted.checked_add(amount)?;
    }
    let held = match transfer.kind {
        Kind::Single => Micros::ZERO,
        Kind::Pending => amount,
        Kind::Post | Kind::Void => amount.checked_neg()?,
    };
    debit.counters.debits_pending = debit.counters.debits_pending.checked_add(held)?;
    credit.counters.credits_pending = credit.counters.credits_pending.checked_add(held)?;
    Ok((debit, credit))
}
