//! The statement for people.

use super::summary::{Proof, Statement};
use crate::output::say;
use crate::output::{amount, table};
use std::io;

/// Prints the statement as tables.
pub(super) fn print(statement: &Statement) -> io::Result<()> {
    campaigns(statement)?;
    publishers(statement)?;
    for proof in &statement.proofs {
        print_proof(proof)?;
    }
    let rating = &statement.rating;
    say!(
        "\n{} of {} delivery rows are rated, {} are parked",
        rating.rated_rows,
        rating.delivered_rows,
        rating.parked_rows
    )?;
    Ok(())
}

fn campaigns(statement: &Statement) -> io::Result<()> {
    let header = [
        "Advertiser",
        "Campaign",
        "",
        "Impressions",
        "Clicks",
        "Installs",
        "Actions",
        "Served",
        "Charged",
        "Not charged",
        "Earned",
        "Kept",
    ];
    let mut table = table(&header, 3);
    for line in &statement.campaigns {
        table.add_row([
            line.advertiser.clone(),
            line.campaign.clone(),
            line.currency_code.clone(),
            line.delivered.impressions.to_string(),
            line.delivered.clicks.to_string(),
            line.delivered.installs.to_string(),
            line.delivered.actions.to_string(),
            amount(line.served_micros),
            amount(line.charged_micros),
            amount(line.served_micros - line.charged_micros),
            amount(line.earned_micros),
            amount(line.kept_micros),
        ]);
    }
    say!("{table}\n")?;
    Ok(())
}

fn publishers(statement: &Statement) -> io::Result<()> {
    let header = [
        "Publisher",
        "",
        "Impressions",
        "Clicks",
        "Served",
        "Billed",
        "Earned",
    ];
    let mut table = table(&header, 2);
    for line in &statement.publishers {
        table.add_row([
            line.publisher.clone(),
            line.currency_code.clone(),
            line.delivered.impressions.to_string(),
            line.delivered.clicks.to_string(),
            amount(line.served_micros),
            amount(line.billed_micros),
            amount(line.stated_micros),
        ]);
    }
    say!("{table}\n")?;
    Ok(())
}

fn print_proof(proof: &Proof) -> io::Result<()> {
    say!(
        "{}  charges {} = earnings {} + platform revenue {} + overdelivery {}  {}",
        proof.currency_code,
        amount(proof.charges_micros),
        amount(proof.earnings_micros),
        amount(proof.platform_revenue_micros),
        amount(proof.overdelivery_micros),
        if proof.holds {
            "holds, in the ledger too"
        } else {
            "DOES NOT HOLD"
        },
    )?;
    Ok(())
}
