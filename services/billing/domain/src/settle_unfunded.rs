//! Deciding on delivery that nothing covered: charged when the money is there by now, else carried by the platform.

use crate::account::{Account, OpsRef};
use crate::chart::{Code, LedgerKey};
use crate::funding::Settlement;
use crate::refusal::Refusal;
use crate::transfer::{Group, Reason};
use crate::work::Work;
use cleave_kernel::{LineItemId, Timestamp};
use serde::{Deserialize, Serialize};

/// Decides on what is unfunded of a line item, unless a hold of it still lives or the delivery is too young.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleUnfunded {
    /// The line item.
    pub line_item: LineItemId,
    /// What is unfunded since then or before is decided on.
    pub unfunded_before: Timestamp,
}

impl Work {
    /// Charges what the free balance covers of a line item's unfunded delivery and writes off the rest.
    ///
    /// # Errors
    /// When a sum leaves 64 bits.
    pub fn settle_unfunded(&mut self, command: &SettleUnfunded) -> Result<Settlement, Refusal> {
        let Some(totals) = self.rating.line_item(command.line_item) else {
            return Ok(Settlement::default());
        };
        let due = totals
            .unfunded_since
            .is_some_and(|since| since <= command.unfunded_before);
        let account = Account::id_of(OpsRef::Advertiser(totals.advertiser));
        if !due || !self.live_holds(account, command.line_item).is_empty() {
            return Ok(Settlement::default());
        }
        let mut totals = totals.clone();
        let settled = totals
            .funding
            .settle(self.free(account)?)
            .map_err(|_| Refusal::AmountOverflow { account })?;
        totals.unfunded_since = None;
        let own = |code| LedgerKey::account(account, totals.currency, code);
        let cost = LedgerKey::platform(totals.currency, Code::OverdeliveryCost);
        let unfunded = own(Code::DeliveryUnfunded);
        let mut group = Group::new(totals.line_item.to_string());
        let balance = own(Code::AdvertiserBalance);
        group.single(balance, unfunded, settled.charged, Reason::Settlement);
        group.single(cost, unfunded, settled.written_off, Reason::Overdelivery);
        if !group.is_empty() {
            self.commit(group)?;
        }
        self.rating.put_line_item(totals);
        Ok(settled)
    }
}
