//! The statement for people.

use super::summary::{Proof, Statement};
use crate::output::{amount, table};

/// Prints the statement as tables.
pub(super) fn print(statement: &Statement) {
    campaigns(statement);
    publishers(statement);
    for proof in &statement.proofs {
        print_proof(proof);
    }
    let rating = &statement.rating;
    println!(
        "\n{} of {} delivery rows are rated, {} are parked",
        rating.rated_rows, rating.delivered_rows, rating.parked_rows
    );
}

fn campaigns(statement: &Statement) {
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
    println!("{table}\n");
}

fn publishers(statement: &Statement) {
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
    println!("{table}\n");
}

fn print_proof(proof: &Proof) {
    println!(
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
    );
}
