//! What a file comes to: the things it names, and one row for each ad unit, line item and hour.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cleave_kernel::{
    AdUnitId, AdvertiserId, CampaignId, GameId, LineItemId, PublisherId, Timestamp,
};
use operations_client::pb::DeliveryCounts;

use crate::ensure::ids::uuid_of;

/// Everything to bring in.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) source: String,
    pub(crate) advertisers: BTreeMap<AdvertiserId, String>,
    pub(crate) campaigns: BTreeMap<CampaignId, Child<AdvertiserId>>,
    pub(crate) line_items: BTreeMap<LineItemId, Child<CampaignId>>,
    pub(crate) publishers: BTreeMap<PublisherId, String>,
    pub(crate) games: BTreeMap<GameId, Child<PublisherId>>,
    pub(crate) ad_units: BTreeMap<AdUnitId, Child<GameId>>,
    pub(crate) rows: BTreeMap<RowKey, Row>,
    /// Lines of the file that the plan holds.
    pub(crate) lines: u64,
}

/// A thing that belongs to another.
#[derive(Clone, Debug)]
pub(crate) struct Child<Parent> {
    pub(crate) name: String,
    pub(crate) parent: Parent,
}

/// Names a row of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowKey {
    pub(crate) line_item: LineItemId,
    pub(crate) ad_unit: AdUnitId,
    pub(crate) hour: Timestamp,
}

/// What was counted, and the line that said so first.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) counts: DeliveryCounts,
}

/// One line of the file, understood.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) names: Names,
    pub(crate) hour: Timestamp,
    pub(crate) counts: DeliveryCounts,
}

/// What a line is about, by name.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) advertiser: String,
    pub(crate) campaign: String,
    pub(crate) line_item: String,
    pub(crate) publisher: String,
    pub(crate) game: String,
    pub(crate) ad_unit: String,
}

impl Plan {
    /// Adds a line. With `sum`, the counts of lines with the same key are added up.
    pub(crate) fn add(&mut self, line: Line, sum: bool) -> Result<(), String> {
        let key = self.key_of(&line.names, line.hour);
        match self.rows.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Row {
                    line: line.number,
                    counts: line.counts,
                });
            }
            Entry::Occupied(mut row) if sum => {
                let counts = plus(&row.get().counts, &line.counts)
                    .ok_or_else(|| "is too large together with the lines before it".to_owned())?;
                row.get_mut().counts = counts;
            }
            Entry::Occupied(row) => {
                return Err(format!(
                    "has the ad unit, line item and hour of line {}; `sum = true` adds such lines up",
                    row.get().line
                ));
            }
        }
        self.name(line.names, key);
        self.lines += 1;
        Ok(())
    }

    /// The instants between which all rows lie, the second one excluded.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let hours = || self.rows.keys().map(|key| key.hour);
        let end = hours().max()?.plus(std::time::Duration::from_secs(3600));
        Some((hours().min()?, end))
    }

    fn key_of(&self, names: &Names, hour: Timestamp) -> RowKey {
        let Names {
            advertiser,
            campaign,
            line_item,
            publisher,
            game,
            ad_unit,
        } = names;
        let buyer = ["line_item", &self.source, advertiser, campaign, line_item];
        let seller = ["ad_unit", &self.source, publisher, game, ad_unit];
        RowKey {
            line_item: LineItemId::from_uuid(uuid_of(&buyer)),
            ad_unit: AdUnitId::from_uuid(uuid_of(&seller)),
            hour,
        }
    }

    /// Notes what a row names.
    fn name(&mut self, names: Names, key: RowKey) {
        let source = self.source.as_str();
        let Names {
            advertiser,
            campaign,
            line_item,
            publisher,
            game,
            ad_unit,
        } = names;

        let id = uuid_of(&["advertiser", source, &advertiser]);
        let advertiser_id = AdvertiserId::from_uuid(id);
        let id = uuid_of(&["campaign", source, &advertiser, &campaign]);
        let campaign_id = CampaignId::from_uuid(id);
        let of_advertiser = Child {
            name: campaign,
            parent: advertiser_id,
        };
        let of_campaign = Child {
            name: line_item,
            parent: campaign_id,
        };
        self.advertisers.entry(advertiser_id).or_insert(advertiser);
        self.campaigns.entry(campaign_id).or_insert(of_advertiser);
        self.line_items.entry(key.line_item).or_insert(of_campaign);

        let publisher_id = PublisherId::from_uuid(uuid_of(&["publisher", source, &publisher]));
        let game_id = GameId::from_uuid(uuid_of(&["game", source, &publisher, &game]));
        let of_publisher = Child {
            name: game,
            parent: publisher_id,
        };
        let of_game = Child {
            name: ad_unit,
            parent: game_id,
        };
        self.publishers.entry(publisher_id).or_insert(publisher);
        self.games.entry(game_id).or_insert(of_publisher);
        self.ad_units.entry(key.ad_unit).or_insert(of_game);
    }
}

/// The sums of two counts; nothing when one does not fit.
fn plus(one: &DeliveryCounts, two: &DeliveryCounts) -> Option<DeliveryCounts> {
    let sum = |of: fn(&DeliveryCounts) -> i64| of(one).checked_add(of(two));
    Some(DeliveryCounts {
        requests: sum(|counts| counts.requests)?,
        impressions: sum(|counts| counts.impressions)?,
        viewable_impressions: sum(|counts| counts.viewable_impressions)?,
        clicks: sum(|counts| counts.clicks)?,
        installs: sum(|counts| counts.installs)?,
        actions: sum(|counts| counts.actions)?,
        invalid_impressions: sum(|counts| counts.invalid_impressions)?,
        invalid_clicks: sum(|counts| counts.invalid_clicks)?,
        media_cost_micros: sum(|counts| counts.media_cost_micros)?,
    })
}
