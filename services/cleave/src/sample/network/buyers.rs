//! The advertisers of the sample.

use operations_client::types::{AccountMode, OverdeliveryPolicy, PricingModel};

use super::{Buyer, Item, Order};

const RUPEE: i64 = 1_000_000;

const fn item(
    name: &'static str,
    model: PricingModel,
    rate_micros: i64,
    pace: u32,
    places: &'static [usize],
) -> Item {
    Item {
        name,
        model,
        rate_micros,
        monthly_cap_micros: None,
        overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
        pace,
        places,
    }
}

/// Every advertiser: all modes of paying, all pricing models, one cap, and one purse that runs dry.
pub(in crate::sample) const BUYERS: &[Buyer] = &[
    Buyer {
        name: "Monsoon Mobiles",
        domain: "monsoonmobiles.example",
        category: "electronics",
        mode: AccountMode::Prepaid,
        opening_payment_micros: 250_000 * RUPEE,
        credit_limit_micros: 0,
        net_days: 0,
        campaigns: &[Order {
            name: "Festive launch",
            items: &[
                item(
                    "Billboards by the road",
                    PricingModel::Cpm,
                    82_500_000,
                    900,
                    &[0, 2, 5, 9],
                ),
                item(
                    "Billboards in view",
                    PricingModel::Vcpm,
                    121_000_000,
                    500,
                    &[1, 3, 6],
                ),
            ],
        }],
    },
    Buyer {
        name: "Kettle & Leaf",
        domain: "kettleandleaf.example",
        category: "food",
        mode: AccountMode::Prepaid,
        opening_payment_micros: 150 * RUPEE,
        credit_limit_micros: 0,
        net_days: 0,
        campaigns: &[Order {
            name: "Morning tea",
            items: &[item(
                "Tea stall in the scene",
                PricingModel::Cpm,
                64_000_000,
                60,
                &[4, 8],
            )],
        }],
    },
    Buyer {
        name: "Lotus Quest Studios",
        domain: "lotusquest.example",
        category: "games",
        mode: AccountMode::Postpaid,
        opening_payment_micros: 0,
        credit_limit_micros: 500_000 * RUPEE,
        net_days: 45,
        campaigns: &[Order {
            name: "New players",
            items: &[
                item(
                    "Installs",
                    PricingModel::Cpi,
                    34_000_000,
                    1200,
                    &[0, 4, 7, 10],
                ),
                item(
                    "First level reached",
                    PricingModel::Cpa,
                    75_000_000,
                    600,
                    &[2, 11],
                ),
            ],
        }],
    },
    Buyer {
        name: "Paisa Fast",
        domain: "paisafast.example",
        category: "finance",
        mode: AccountMode::PrepaidWithCredit,
        opening_payment_micros: 20_000 * RUPEE,
        credit_limit_micros: 100_000 * RUPEE,
        net_days: 30,
        campaigns: &[Order {
            name: "Accounts in minutes",
            items: &[item(
                "Click to apply",
                PricingModel::Cpc,
                6_250_000,
                1500,
                &[1, 5, 8, 11],
            )],
        }],
    },
    Buyer {
        name: "Trailhead Shoes",
        domain: "trailheadshoes.example",
        category: "apparel",
        mode: AccountMode::Postpaid,
        opening_payment_micros: 0,
        credit_limit_micros: 150_000 * RUPEE,
        net_days: 30,
        campaigns: &[
            Order {
                name: "Stadium sponsorship",
                items: &[
                    item(
                        "Perimeter boards",
                        PricingModel::Flat,
                        25_000 * RUPEE,
                        400,
                        &[3, 9],
                    ),
                    item(
                        "Title of the day",
                        PricingModel::Cpd,
                        4_000 * RUPEE,
                        300,
                        &[6],
                    ),
                ],
            },
            Order {
                name: "Trail runners",
                items: &[Item {
                    monthly_cap_micros: Some(900 * RUPEE),
                    ..item("Capped reach", PricingModel::Cpm, 90_000_000, 160, &[2, 7])
                }],
            },
        ],
    },
    Buyer {
        name: "Roti Rocket",
        domain: "rotirocket.example",
        category: "food delivery",
        mode: AccountMode::Prepaid,
        opening_payment_micros: 60_000 * RUPEE,
        credit_limit_micros: 0,
        net_days: 0,
        campaigns: &[Order {
            name: "Resold inventory",
            items: &[item(
                "At cost and a tenth",
                PricingModel::CostPlus,
                1_100_000,
                650,
                &[0, 10],
            )],
        }],
    },
];
