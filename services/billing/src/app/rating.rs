//! Rating, asked for by our own tasks, and the write-off of what cannot be rated.

use super::{App, Error, Request, unexpected};
use billing_domain::Outcome;
use billing_domain::catalogue::PreparedRow;
use billing_domain::funding::Settlement;
use billing_domain::parked_row::UnreadableRow;
use billing_domain::rate_delivery::{RateDelivery, RateReport};
use billing_domain::rating_set::Progress;
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::write_off::{WriteOffRows, WrittenOff};
use billing_store::Command;
use cleave_kernel::{LineItemId, Timestamp};

impl App {
    /// Rates rows and remembers how far their stream has come.
    pub(crate) async fn rate_delivery(
        &self,
        rows: Vec<PreparedRow>,
        unreadable: Vec<UnreadableRow>,
        progress: Option<Progress>,
    ) -> Result<RateReport, Error> {
        let command = Command::RateDelivery(Box::new(RateDelivery {
            rows,
            unreadable,
            progress,
        }));
        match self.act(command).await? {
            Outcome::Rated(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets rows go that can never be rated.
    pub(crate) async fn write_off_rows(
        &self,
        command: WriteOffRows,
        request: Request,
    ) -> Result<WrittenOff, Error> {
        match self.write(Command::WriteOffRows(command), request).await? {
            Outcome::WrittenOff(written_off) => Ok(*written_off),
            other => Err(unexpected(&other)),
        }
    }

    /// Decides on what is unfunded of a line item since `unfunded_before` or earlier.
    pub(crate) async fn settle_unfunded(
        &self,
        line_item: LineItemId,
        unfunded_before: Timestamp,
    ) -> Result<Settlement, Error> {
        let command = Command::SettleUnfunded(SettleUnfunded {
            line_item,
            unfunded_before,
        });
        match self.act(command).await? {
            Outcome::Settled(settlement) => Ok(settlement),
            other => Err(unexpected(&other)),
        }
    }
}
