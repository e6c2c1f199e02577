//! Ad units: ACTIVE <> PAUSED > ARCHIVED. Each belongs to one game for life.

use cleave_kernel::{AdUnitId, Currency, GameId, Micros, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::advertiser::set;
use crate::aggregate::{aggregate, require_state};
use crate::named::named;
use crate::{Aggregate, Game, Refusal, Stamp};

/// Most pixels either way.
pub const PIXELS_MAX: i32 = 16_384;

named! {
    /// Where an ad unit stands.
    pub enum AdUnitState {
        /// Serves, when its game and publisher do.
        Active = "ACTIVE",
        /// Stopped by people.
        Paused = "PAUSED",
        /// Put away for good.
        Archived = "ARCHIVED",
    }
}

named! {
    /// What an ad unit shows.
    pub enum AdFormat {
        /// Part of the scene.
        NativeInScene = "NATIVE_IN_SCENE",
        /// A strip over the game.
        Banner = "BANNER",
        /// Fills the screen between two scenes.
        Interstitial = "INTERSTITIAL",
        /// Watched for a reward.
        Rewarded = "REWARDED",
        /// Video beside or within the game.
        Video = "VIDEO",
    }
}

/// Size and lowest price of an ad unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdUnitShape {
    /// Pixels across, 0 without a size.
    pub width: i32,
    /// Pixels down, 0 without a size.
    pub height: i32,
    /// Lowest price of a thousand impressions.
    pub floor: Micros,
    /// What the floor is counted in.
    pub currency: Option<Currency>,
}

impl AdUnitShape {
    /// The shape, if its parts are within bounds.
    ///
    /// # Errors
    /// When a number is out of bounds, or a floor has no currency.
    pub fn checked(self) -> Result<Self, Violation> {
        for (field, pixels) in [("width", self.width), ("height", self.height)] {
            if !(0..=PIXELS_MAX).contains(&pixels) {
                return Err(Violation::new(
                    field,
                    "OUT_OF_RANGE",
                    format!("pixels lie between 0 and {PIXELS_MAX}"),
                ));
            }
        }
        if self.floor.is_negative() {
            return Err(Violation::new(
                "floor_micros",
                "NEGATIVE",
                "the floor may not be negative",
            ));
        }
        if self.floor.is_positive() && self.currency.is_none() {
            return Err(Violation::required("currency_code"));
        }
        Ok(self)
    }
}

/// A place where ads appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdUnit {
    /// Its id.
    pub id: AdUnitId,
    /// Where it is, for life.
    pub game_id: GameId,
    /// What people call it.
    pub display_name: String,
    /// What it shows.
    pub format: AdFormat,
    /// Its size and lowest price.
    pub shape: AdUnitShape,
    /// Its name in the game's code.
    pub tag_id: Option<String>,
    /// Where it stands.
    pub state: AdUnitState,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(AdUnit, AdUnitId, AdUnit);

/// What it takes to create an ad unit.
#[derive(Debug, Clone)]
pub struct NewAdUnit {
    /// Its id.
    pub id: AdUnitId,
    /// Where it is.
    pub game_id: GameId,
    /// What people call it.
    pub display_name: String,
    /// What it shows.
    pub format: AdFormat,
    /// Its size and lowest price.
    pub shape: AdUnitShape,
    /// Its name in the game's code.
    pub tag_id: Option<String>,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct AdUnitChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Pixels across.
    pub width: Option<i32>,
    /// Pixels down.
    pub height: Option<i32>,
    /// Lowest price of a thousand impressions.
    pub floor: Option<Micros>,
    /// What the floor is counted in.
    pub currency: Option<Option<Currency>>,
    /// Its name in the game's code.
    pub tag_id: Option<Option<String>>,
}

impl AdUnit {
    /// A new ad unit, active at once.
    ///
    /// # Errors
    /// When its game is archived.
    pub fn create(new: NewAdUnit, game: &Game, now: Timestamp) -> Result<Self, Refusal> {
        game.require_open()?;
        Ok(Self {
            id: new.id,
            game_id: new.game_id,
            display_name: new.display_name,
            format: new.format,
            shape: new.shape,
            tag_id: new.tag_id,
            state: AdUnitState::Active,
            stamp: Stamp::first(now),
        })
    }

    /// Takes new values.
    ///
    /// # Errors
    /// When it is archived, or its size or price would be out of bounds.
    pub fn change(&mut self, change: AdUnitChange, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "change")?;
        let mut shape = self.shape;
        set(&mut shape.width, change.width);
        set(&mut shape.height, change.height);
        set(&mut shape.floor, change.floor);
        set(&mut shape.currency, change.currency);
        self.shape = shape.checked().map_err(|fault| fault.under("ad_unit"))?;
        set(&mut self.display_name, change.display_name);
        set(&mut self.tag_id, change.tag_id);
        self.touch(now);
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it is not active.
    pub fn pause(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[AdUnitState::Active], "be paused")?;
        self.enter(AdUnitState::Paused, now);
        Ok(())
    }

    /// Lets it serve again.
    ///
    /// # Errors
    /// When it is not paused.
    pub fn resume(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[AdUnitState::Paused], "resume")?;
        self.enter(AdUnitState::Active, now);
        Ok(())
    }

    /// Puts it away.
    ///
    /// # Errors
    /// When it is put away already.
    pub fn archive(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "be archived")?;
        self.enter(AdUnitState::Archived, now);
        Ok(())
    }

    fn enter(&mut self, state: AdUnitState, now: Timestamp) {
        self.state = state;
        self.touch(now);
    }
}

const OPEN: [AdUnitState; 2] = [AdUnitState::Active, AdUnitState::Paused];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, ad_unit, game, publisher};

    #[test]
    fn paused_and_back_then_never_again() {
        let mut subject = ad_unit(&game(&publisher()));
        subject.pause(NOW).unwrap();
        assert!(subject.pause(NOW).is_err());
        subject.resume(NOW).unwrap();
        subject.archive(NOW).unwrap();
        assert!(subject.resume(NOW).is_err());
        assert!(subject.archive(NOW).is_err());
        assert!(subject.change(AdUnitChange::default(), NOW).is_err());
    }

    #[test]
    fn a_floor_needs_a_currency_and_bounds_hold() {
        let mut subject = ad_unit(&game(&publisher()));
        let floor = |micros| AdUnitChange {
            floor: Some(Micros::new(micros)),
            currency: Some(None),
            ..AdUnitChange::default()
        };
        assert!(subject.change(floor(1), NOW).is_err());
        assert!(subject.change(floor(-1), NOW).is_err());
        let wide = AdUnitChange {
            width: Some(PIXELS_MAX + 1),
            ..AdUnitChange::default()
        };
        assert!(subject.change(wide, NOW).is_err());
        assert_eq!(subject.stamp.version, 1);
        assert!(subject.change(floor(0), NOW).is_ok());
    }
}
