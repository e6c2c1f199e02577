//! What line items may draw from.

use super::Work;
use crate::funding::Funds;
use cleave_kernel::{AccountId, LineItemId, Micros, ReservationId};
use std::collections::{BTreeMap, HashMap};

/// The money of every line item and account of a working set, to plan with before anything moves.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    holds: HashMap<(AccountId, LineItemId), Vec<(ReservationId, Micros)>>,
    free: BTreeMap<AccountId, Micros>,
}

impl Work {
    /// What can be drawn now, hold by hold and account by account.
    pub(crate) fn purse(&self) -> Purse {
        let mut live: Vec<_> = self.reservations.values().filter(|r| r.is_live()).collect();
        live.sort_by_key(|r| (r.created_at, r.id));
        let mut holds: HashMap<_, Vec<_>> = HashMap::new();
        for reservation in live {
            if let Ok(left) = reservation.left() {
                let line_item = holds.entry((reservation.account, reservation.line_item));
                line_item.or_default().push((reservation.id, left));
            }
        }
        let free = self.accounts.values().filter(|a| a.is_advertiser());
        let free = free.filter_map(|account| Some((account.id, self.free_of(account).ok()?)));
        Purse {
            holds,
            free: free.collect(),
        }
    }
}

impl Purse {
    /// Lends what a line item may draw from; [`Purse::put_back`] returns what is left.
    pub(crate) fn lend(&mut self, line_item: LineItemId, account: AccountId) -> Funds {
        Funds {
            holds: self.holds.remove(&(account, line_item)).unwrap_or_default(),
            free: self.free.get(&account).copied().unwrap_or_default(),
        }
    }

    /// Takes back what a line item did not draw.
    pub(crate) fn put_back(&mut self, line_item: LineItemId, account: AccountId, funds: Funds) {
        self.holds.insert((account, line_item), funds.holds);
        self.free.insert(account, funds.free);
    }
}
