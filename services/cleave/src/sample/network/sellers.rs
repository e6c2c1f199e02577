//! The publishers of the sample.

use operations_client::pb::{AdFormat, GameStore};

use super::{Seller, Title, Unit};

const fn unit(name: &'static str, format: AdFormat) -> Unit {
    Unit { name, format }
}

/// Every publisher.
pub(in crate::sample) const SELLERS: &[Seller] = &[
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
