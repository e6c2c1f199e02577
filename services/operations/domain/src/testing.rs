//! Aggregates for tests, plain and valid; a test changes what it is about.

use cleave_kernel::{
    AccountId, AdUnitId, AdvertiserId, CampaignId, Currency, GameId, LineItemId, Micros,
    PublisherId, Timestamp,
};

use crate::account::{
    AccountFacts, AccountParty, AccountProjection, AccountStanding, AccountState,
};
use crate::*;

/// The present of the tests: 2023-11-14.
pub const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn inr() -> Currency {
    Currency::from_code("INR").expect("INR is listed")
}

/// Somebody without anything to say.
pub fn by(actor: &str) -> Statement {
    Statement {
        actor: actor.to_owned(),
        note: None,
    }
}

/// An advertiser that waits for its account.
pub fn advertiser() -> Advertiser {
    let new = NewAdvertiser {
        id: AdvertiserId::generate(),
        display_name: "Tea House".to_owned(),
        domain: None,
        category: None,
        time_zone: "Asia/Kolkata".to_owned(),
        currency: inr(),
        external_ref: None,
        billing: BillingProposal::new(AccountMode::Prepaid, Micros::ZERO, 0).expect("valid"),
    };
    Advertiser::create(new, NOW)
}

/// A publisher that has applied.
pub fn publisher() -> Publisher {
    let new = NewPublisher {
        id: PublisherId::generate(),
        display_name: "Game House".to_owned(),
        seller: None,
        contact_emails: Vec::new(),
        currency: inr(),
        external_ref: None,
        billing: BillingProposal::for_publisher(60).expect("valid"),
    };
    Publisher::create(new, NOW)
}

/// What it takes to create a game of `publisher`.
pub fn new_game(publisher: &Publisher) -> NewGame {
    let id = GameId::generate();
    NewGame {
        id,
        publisher_id: publisher.id,
        display_name: "Cricket".to_owned(),
        bundle: format!("com.example.{id}"),
        store: GameStore::Play,
        store_url: None,
        category: None,
        content_rating: None,
    }
}

/// A draft of a game of `publisher`.
pub fn game(publisher: &Publisher) -> Game {
    Game::create(new_game(publisher), publisher, NOW).expect("the publisher is open")
}

/// An ad unit of `game`.
pub fn ad_unit(game: &Game) -> AdUnit {
    let new = NewAdUnit {
        id: AdUnitId::generate(),
        game_id: game.id,
        display_name: "Billboard".to_owned(),
        format: AdFormat::NativeInScene,
        shape: AdUnitShape {
            width: 0,
            height: 0,
            floor: Micros::ZERO,
            currency: None,
        },
        tag_id: None,
    };
    AdUnit::create(new, game, NOW).expect("the game is open")
}

/// What it takes to create a campaign of `advertiser`.
pub fn new_campaign(advertiser: &Advertiser) -> NewCampaign {
    NewCampaign {
        id: CampaignId::generate(),
        advertiser_id: advertiser.id,
        display_name: "Spring".to_owned(),
        po_number: None,
        external_ref: None,
        budget: None,
        flight: Flight {
            starts_at: NOW,
            ends_at: None,
        },
    }
}

/// A draft of a campaign of `advertiser`.
pub fn campaign(advertiser: &Advertiser) -> Campaign {
    Campaign::create(new_campaign(advertiser), advertiser, NOW).expect("the advertiser is open")
}

/// What it takes to create a line item of `campaign`.
pub fn new_line_item(campaign: &Campaign) -> NewLineItem {
    NewLineItem {
        id: LineItemId::generate(),
        campaign_id: campaign.id,
        display_name: "Billboards".to_owned(),
        external_ref: None,
        kind: LineItemKind::Network,
        priority: PRIORITY_USUAL,
        flight: campaign.flight,
        limits: Limits::default(),
        pacing: Pacing::Even,
    }
}

/// A draft of a line item of `campaign`.
pub fn line_item(campaign: &Campaign) -> LineItem {
    LineItem::create(new_line_item(campaign), campaign, Micros::ZERO, NOW).expect("it fits")
}

/// What is known of the account of `owner`, `age` seconds after it was heard of.
pub fn account(owner: &Advertiser, standing: AccountStanding, age: u64) -> AccountFacts {
    AccountFacts {
        account: AccountProjection {
            account: AccountId::generate(),
            owner: owner.id.uuid(),
            party: AccountParty::Advertiser,
            currency: owner.currency,
            state: AccountState::Open,
            standing,
            reasons: Vec::new(),
            available: Micros::ZERO,
            held: Micros::ZERO,
            credit_limit: Micros::ZERO,
            revision: 1,
            as_of: NOW,
        },
        age: std::time::Duration::from_secs(age),
    }
}

/// 1.234567 per thousand impressions.
pub fn spec() -> TermsSpec {
    TermsSpec {
        model: PricingModel::Cpm,
        rate: Micros::new(1_234_567),
        unit: MILLE,
        billing_source: BillingSource::Own,
        billing_cap: None,
        overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
    }
}
