//! The statement: sums by campaign and by publisher, and the proof per currency.

use std::collections::BTreeMap;

use billing_client::pb::Charge;
use serde::Serialize;

use super::books::{Books, Counts, PlatformLedger};

/// What was delivered and what it came to.
#[derive(Debug, Serialize)]
pub(crate) struct Statement {
    pub(crate) campaigns: Vec<CampaignLine>,
    pub(crate) publishers: Vec<PublisherLine>,
    pub(crate) proofs: Vec<Proof>,
    pub(crate) rating: Rating,
}

/// What a campaign delivered and cost.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CampaignLine {
    pub(crate) campaign_id: String,
    pub(crate) campaign: String,
    pub(crate) advertiser_id: String,
    pub(crate) advertiser: String,
    pub(crate) currency_code: String,
    pub(crate) delivered: Counts,
    /// The worth of what was served.
    pub(crate) served_micros: i64,
    /// What of it lies within the cap.
    pub(crate) billed_micros: i64,
    /// What of that was charged.
    pub(crate) charged_micros: i64,
    /// Billed, and not covered yet.
    pub(crate) unfunded_micros: i64,
    /// Billed, and carried by the platform for good.
    pub(crate) written_off_micros: i64,
    /// What publishers earn.
    pub(crate) earned_micros: i64,
    /// What the platform keeps: charged less earned.
    pub(crate) kept_micros: i64,
}

/// What a publisher delivered and earned.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PublisherLine {
    pub(crate) publisher_id: String,
    pub(crate) publisher: String,
    pub(crate) currency_code: String,
    pub(crate) delivered: Counts,
    pub(crate) served_micros: i64,
    pub(crate) billed_micros: i64,
    pub(crate) earned_micros: i64,
    /// What Billing states to the publisher.
    pub(crate) stated_micros: i64,
}

/// Charges = earnings + platform revenue + overdelivery, in one currency.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Proof {
    pub(crate) currency_code: String,
    pub(crate) charges_micros: i64,
    pub(crate) earnings_micros: i64,
    pub(crate) platform_revenue_micros: i64,
    /// What the platform carries: zero or less.
    pub(crate) overdelivery_micros: i64,
    /// The platform's ledger accounts.
    pub(crate) ledger: PlatformLedger,
    /// Whether the equation holds, for each line item and in sum, and the ledger and the publishers' statements agree.
    pub(crate) holds: bool,
}

/// How much of what was delivered is rated.
#[derive(Debug, Serialize)]
pub(crate) struct Rating {
    pub(crate) delivered_rows: i64,
    pub(crate) rated_rows: i64,
    pub(crate) parked_rows: i64,
}

/// Sums that a proof is made of.
#[derive(Debug, Default)]
struct Sums {
    charged: i64,
    unfunded: i64,
    written_off: i64,
    earned: i64,
    revenue: i64,
    cost: i64,
    /// Each line item's buckets sum to its funding, and each publisher's to what it was stated.
    parts_agree: bool,
}

impl Statement {
    /// Sums up the books.
    pub(crate) fn of(books: &Books) -> Self {
        Self {
            campaigns: campaigns(books),
            publishers: publishers(books),
            proofs: proofs(books),
            rating: Rating {
                delivered_rows: books.delivered.rows,
                rated_rows: books.charges.iter().map(|charge| charge.row_count).sum(),
                parked_rows: books.parked_rows,
            },
        }
    }

    /// Whether every proof holds.
    pub(crate) fn adds_up(&self) -> bool {
        self.proofs.iter().all(|proof| proof.holds)
    }
}

fn campaigns(books: &Books) -> Vec<CampaignLine> {
    let mut lines: BTreeMap<&str, CampaignLine> = BTreeMap::new();
    let mut line_items: BTreeMap<&str, &str> = BTreeMap::new();
    for charge in &books.charges {
        line_items.insert(&charge.line_item_id, &charge.campaign_id);
        let line = lines.entry(&charge.campaign_id).or_default();
        line.currency_code.clone_from(&charge.currency_code);
        line.served_micros += charge.served_micros;
        line.billed_micros += charge.billed_micros;
        line.earned_micros += charge.earning_micros;
    }
    for (line_item, campaign) in line_items {
        if let (Some(funding), Some(line)) =
            (books.fundings.get(line_item), lines.get_mut(campaign))
        {
            line.charged_micros += funding.charged_micros;
            line.unfunded_micros += funding.unfunded_micros;
            line.written_off_micros += funding.written_off_micros;
        }
    }
    for (campaign, counts) in &books.delivered.by_campaign {
        lines.entry(campaign).or_default().delivered = *counts;
    }
    let complete = |(id, mut line): (&str, CampaignLine)| {
        line.kept_micros = line.charged_micros - line.earned_micros;
        line.campaign_id = id.to_owned();
        line.campaign = name(books, id);
        line.advertiser_id = books.advertisers.get(id).cloned().unwrap_or_default();
        line.advertiser = name(books, &line.advertiser_id);
        line
    };
    let mut lines: Vec<_> = lines.into_iter().map(complete).collect();
    lines.sort_by(|a, b| (&a.advertiser, &a.campaign).cmp(&(&b.advertiser, &b.campaign)));
    lines
}

fn publishers(books: &Books) -> Vec<PublisherLine> {
    let mut lines: BTreeMap<(&str, &str), PublisherLine> = BTreeMap::new();
    for charge in &books.charges {
        let key = (charge.publisher_id.as_str(), charge.currency_code.as_str());
        let line = lines.entry(key).or_default();
        line.served_micros += charge.served_micros;
        line.billed_micros += charge.billed_micros;
        line.earned_micros += charge.earning_micros;
    }
    let complete = |((id, currency), mut line): ((&str, &str), PublisherLine)| {
        let key = (id.to_owned(), currency.to_owned());
        line.stated_micros = books.earnings.get(&key).copied().unwrap_or_default();
        line.delivered = books
            .delivered
            .by_publisher
            .get(id)
            .copied()
            .unwrap_or_default();
        line.publisher = name(books, id);
        (line.publisher_id, line.currency_code) = key;
        line
    };
    let mut lines: Vec<_> = lines.into_iter().map(complete).collect();
    lines.sort_by(|a, b| a.publisher.cmp(&b.publisher));
    lines
}

fn proofs(books: &Books) -> Vec<Proof> {
    let mut currencies: BTreeMap<&str, Vec<&Charge>> = BTreeMap::new();
    for charge in &books.charges {
        currencies
            .entry(&charge.currency_code)
            .or_default()
            .push(charge);
    }
    let prove = |(currency, charges): (&str, Vec<&Charge>)| {
        let sums = Sums::of(books, currency, &charges);
        let ledger = books.ledgers.get(currency).copied().unwrap_or_default();
        let overdelivery = -(sums.cost + sums.written_off + sums.unfunded);
        let adds_up = sums.charged == sums.earned + sums.revenue + overdelivery;
        let ledger_agrees = ledger.network_revenue_micros == sums.revenue
            && ledger.overdelivery_cost_micros == sums.cost + sums.written_off
            && ledger.delivery_clearing_micros == 0;
        Proof {
            currency_code: currency.to_owned(),
            charges_micros: sums.charged,
            earnings_micros: sums.earned,
            platform_revenue_micros: sums.revenue,
            overdelivery_micros: overdelivery,
            ledger,
            holds: adds_up && ledger_agrees && sums.parts_agree,
        }
    };
    currencies.into_iter().map(prove).collect()
}

impl Sums {
    fn of(books: &Books, currency: &str, charges: &[&Charge]) -> Self {
        let mut sums = Self::default();
        let mut billed: BTreeMap<&str, i64> = BTreeMap::new();
        let mut earned: BTreeMap<&str, i64> = BTreeMap::new();
        for charge in charges {
            *billed.entry(&charge.line_item_id).or_default() += charge.billed_micros;
            *earned.entry(&charge.publisher_id).or_default() += charge.earning_micros;
            sums.earned += charge.earning_micros;
            sums.revenue += charge.revenue_micros;
            sums.cost += charge.cost_micros;
        }
        sums.parts_agree = true;
        for (line_item, billed) in billed {
            let funding = books.fundings.get(line_item).cloned().unwrap_or_default();
            sums.charged += funding.charged_micros;
            sums.unfunded += funding.unfunded_micros;
            sums.written_off += funding.written_off_micros;
            let funded =
                funding.charged_micros + funding.unfunded_micros + funding.written_off_micros;
            sums.parts_agree &= funded == billed;
        }
        for (publisher, earned) in earned {
            let key = (publisher.to_owned(), currency.to_owned());
            sums.parts_agree &= books.earnings.get(&key).copied().unwrap_or_default() == earned;
        }
        sums
    }
}

fn name(books: &Books, id: &str) -> String {
    books
        .names
        .get(id)
        .cloned()
        .unwrap_or_else(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_client::pb::LineItemFunding;

    /// Two buckets of one line item: 100 served, 90 billed, 70 earned on served, 63 of it paid for.
    fn books() -> Books {
        let charge = |ad_unit: &str| Charge {
            line_item_id: "line".to_owned(),
            campaign_id: "camp".to_owned(),
            ad_unit_id: ad_unit.to_owned(),
            publisher_id: "pub".to_owned(),
            currency_code: "INR".to_owned(),
            served_micros: 100,
            billed_micros: 90,
            earning_micros: 70,
            revenue_micros: 27,
            cost_micros: 7,
            ..Default::default()
        };
        let funding = LineItemFunding {
            line_item_id: "line".to_owned(),
            currency_code: "INR".to_owned(),
            charged_micros: 150,
            unfunded_micros: 10,
            written_off_micros: 20,
        };
        let ledger = PlatformLedger {
            network_revenue_micros: 54,
            overdelivery_cost_micros: 34,
            delivery_clearing_micros: 0,
        };
        Books {
            charges: vec![charge("a"), charge("b")],
            fundings: BTreeMap::from([("line".to_owned(), funding)]),
            earnings: BTreeMap::from([(("pub".to_owned(), "INR".to_owned()), 140)]),
            ledgers: BTreeMap::from([("INR".to_owned(), ledger)]),
            ..Default::default()
        }
    }

    #[test]
    fn charges_are_earnings_and_revenue_and_overdelivery() {
        let statement = Statement::of(&books());
        assert!(statement.adds_up());
        let proof = &statement.proofs[0];
        assert_eq!(proof.charges_micros, 150);
        assert_eq!(proof.overdelivery_micros, -44);
        assert_eq!(150, 140 + 54 - 44);
        assert_eq!(statement.campaigns[0].kept_micros, 10);
    }

    #[test]
    fn a_micro_too_much_anywhere_is_seen() {
        let wrong: [fn(&mut Books); 4] = [
            |books| books.charges[0].earning_micros += 1,
            |books| books.charges[0].billed_micros += 1,
            |books| {
                books
                    .fundings
                    .values_mut()
                    .for_each(|f| f.charged_micros += 1);
            },
            |books| {
                books
                    .ledgers
                    .values_mut()
                    .for_each(|l| l.network_revenue_micros += 1);
            },
        ];
        for change in wrong {
            let mut books = books();
            change(&mut books);
            assert!(!Statement::of(&books).adds_up());
        }
    }
}
