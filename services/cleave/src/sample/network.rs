//! Who is in the sample network. Names identify: ids follow from them.

use operations_client::pb::{AdFormat, GameStore};
use operations_client::types::{AccountMode, OverdeliveryPolicy, PricingModel};

/// The currency of the whole sample.
pub(super) const CURRENCY: &str = "INR";
/// What publishers earn where nothing else is agreed, in parts per million.
pub(super) const NETWORK_SHARE_PPM: i64 = 700_000;
/// Who submits campaigns.
pub(super) const SUBMITTER: &str = "asha@adnetwork.example";
/// Who approves them.
pub(super) const APPROVER: &str = "ravi@adnetwork.example";

/// An advertiser: how it pays, what it paid in, and its campaigns.
pub(super) struct Buyer {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) category: &'static str,
    pub(super) mode: AccountMode,
    pub(super) opening_payment_micros: i64,
    pub(super) credit_limit_micros: i64,
    pub(super) net_days: i32,
    pub(super) campaigns: &'static [Order],
}

/// A campaign with its line items.
pub(super) struct Order {
    pub(super) name: &'static str,
    pub(super) items: &'static [Item],
}

/// A line item: what is charged, and where it is shown.
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) model: PricingModel,
    /// The price, or the markup in parts per million of cost.
    pub(super) rate_micros: i64,
    pub(super) monthly_cap_micros: Option<i64>,
    pub(super) overdelivery: OverdeliveryPolicy,
    /// Impressions it wins in a minute on each of its ad units.
    pub(super) pace: u32,
    /// Its ad units: places in the list of all of them.
    pub(super) places: &'static [usize],
}

/// A publisher: what it earns where something else is agreed, and its games.
pub(super) struct Seller {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) share_ppm: Option<i64>,
    pub(super) games: &'static [Title],
}

/// A game with its ad units.
pub(super) struct Title {
    pub(super) name: &'static str,
    pub(super) bundle: &'static str,
    pub(super) store: GameStore,
    pub(super) category: &'static str,
    pub(super) units: &'static [Unit],
}

/// An ad unit.
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) format: AdFormat,
}

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
pub(super) const BUYERS: &[Buyer] = &[
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
                700,
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
                    ..item("Capped reach", PricingModel::Cpm, 90_000_000, 110, &[2, 7])
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

const fn unit(name: &'static str, format: AdFormat) -> Unit {
    Unit { name, format }
}

/// Every publisher.
pub(super) const SELLERS: &[Seller] = &[
    Seller {
        name: "Banyan Play",
        domain: "banyanplay.example",
        share_ppm: Some(750_000),
        games: &[
            Title {
                name: "Highway Dhaba",
                bundle: "example.banyan.dhaba",
                store: GameStore::Play,
                category: "simulation",
                units: &[
                    unit("Roadside billboard", AdFormat::NativeInScene),
                    unit("Fuel station screen", AdFormat::NativeInScene),
                ],
            },
            Title {
                name: "Gully Cricket",
                bundle: "example.banyan.gully",
                store: GameStore::Play,
                category: "sports",
                units: &[
                    unit("Boundary boards", AdFormat::NativeInScene),
                    unit("Scoreboard", AdFormat::NativeInScene),
                ],
            },
        ],
    },
    Seller {
        name: "Chalk & Slate Games",
        domain: "chalkandslate.example",
        share_ppm: None,
        games: &[
            Title {
                name: "Tea Garden Tycoon",
                bundle: "example.chalk.tea",
                store: GameStore::Play,
                category: "simulation",
                units: &[unit("Market stall", AdFormat::NativeInScene)],
            },
            Title {
                name: "Word Peepal",
                bundle: "example.chalk.words",
                store: GameStore::Appstore,
                category: "puzzle",
                units: &[unit("Footer", AdFormat::Banner)],
            },
        ],
    },
    Seller {
        name: "Neon Auto Labs",
        domain: "neonauto.example",
        share_ppm: None,
        games: &[
            Title {
                name: "Rickshaw Drift",
                bundle: "example.neon.drift",
                store: GameStore::Play,
                category: "racing",
                units: &[
                    unit("Finish arch", AdFormat::NativeInScene),
                    unit("Between races", AdFormat::Interstitial),
                ],
            },
            Title {
                name: "Metro Builder",
                bundle: "example.neon.metro",
                store: GameStore::Appstore,
                category: "strategy",
                units: &[unit("Platform posters", AdFormat::NativeInScene)],
            },
        ],
    },
    Seller {
        name: "Tiffin Box Studio",
        domain: "tiffinbox.example",
        share_ppm: Some(680_000),
        games: &[
            Title {
                name: "Lunch Rush",
                bundle: "example.tiffin.lunch",
                store: GameStore::Play,
                category: "casual",
                units: &[
                    unit("Shop front", AdFormat::NativeInScene),
                    unit("Second chance", AdFormat::Rewarded),
                ],
            },
            Title {
                name: "Kite Season",
                bundle: "example.tiffin.kites",
                store: GameStore::Other,
                category: "arcade",
                units: &[unit("Rooftop banner", AdFormat::Video)],
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_place_exists_and_every_model_is_sold() {
        let units = SELLERS
            .iter()
            .flat_map(|seller| seller.games)
            .map(|game| game.units.len());
        let units: usize = units.sum();
        let orders = BUYERS.iter().flat_map(|buyer| buyer.campaigns);
        let items: Vec<_> = orders.flat_map(|order| order.items).collect();
        assert!(
            items
                .iter()
                .flat_map(|item| item.places)
                .all(|place| *place < units)
        );
        let models: BTreeSet<i32> = items.iter().map(|item| item.model.into()).collect();
        assert_eq!(models.len(), 8);
    }
}
