//! Games: DRAFT > IN_REVIEW > APPROVED or REJECTED > ARCHIVED.

use cleave_kernel::{GameId, PublisherId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::advertiser::set;
use crate::aggregate::{aggregate, require_parent, require_state};
use crate::named::named;
use crate::{Aggregate, Publisher, Refusal, Stamp};

named! {
    /// Where a game stands.
    pub enum GameState {
        /// Being described.
        Draft = "DRAFT",
        /// Waits for a decision.
        InReview = "IN_REVIEW",
        /// May carry ad units that serve.
        Approved = "APPROVED",
        /// Refused; may be submitted again.
        Rejected = "REJECTED",
        /// Put away for good.
        Archived = "ARCHIVED",
    }
}

named! {
    /// Where a game is sold.
    pub enum GameStore {
        /// Google Play.
        Play = "PLAY",
        /// Apple's App Store.
        Appstore = "APPSTORE",
        /// Anywhere else.
        Other = "OTHER",
    }
}

/// A game in which ads appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// Its id.
    pub id: GameId,
    /// Whose it is, for life.
    pub publisher_id: PublisherId,
    /// What people call it.
    pub display_name: String,
    /// Its name in the store.
    pub bundle: String,
    /// Where it is sold.
    pub store: GameStore,
    /// Its page there.
    pub store_url: Option<String>,
    /// Its genre.
    pub category: Option<String>,
    /// Its age rating.
    pub content_rating: Option<String>,
    /// Where it stands.
    pub state: GameState,
    /// What the last reviewer wrote.
    pub review_note: Option<String>,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(Game, GameId, Game);

/// What it takes to create a game.
#[derive(Debug, Clone)]
pub struct NewGame {
    /// Its id.
    pub id: GameId,
    /// Whose it is.
    pub publisher_id: PublisherId,
    /// What people call it.
    pub display_name: String,
    /// Its name in the store.
    pub bundle: String,
    /// Where it is sold.
    pub store: GameStore,
    /// Its page there.
    pub store_url: Option<String>,
    /// Its genre.
    pub category: Option<String>,
    /// Its age rating.
    pub content_rating: Option<String>,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct GameChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Its page in the store.
    pub store_url: Option<Option<String>>,
    /// Its genre.
    pub category: Option<Option<String>>,
    /// Its age rating.
    pub content_rating: Option<Option<String>>,
}

impl Game {
    /// A draft of a game.
    ///
    /// # Errors
    /// When its publisher is terminated.
    pub fn create(new: NewGame, publisher: &Publisher, now: Timestamp) -> Result<Self, Refusal> {
        publisher.require_open()?;
        Ok(Self {
            id: new.id,
            publisher_id: new.publisher_id,
            display_name: new.display_name,
            bundle: new.bundle,
            store: new.store,
            store_url: new.store_url,
            category: new.category,
            content_rating: new.content_rating,
            state: GameState::Draft,
            review_note: None,
            stamp: Stamp::first(now),
        })
    }

    /// Takes new values.
    ///
    /// # Errors
    /// While it is in review, and once it is archived.
    pub fn change(&mut self, change: GameChange, now: Timestamp) -> Result<(), Refusal> {
        let open = [GameState::Draft, GameState::Approved, GameState::Rejected];
        require_state(self, self.state, &open, "change")?;
        set(&mut self.display_name, change.display_name);
        set(&mut self.store_url, change.store_url);
        set(&mut self.category, change.category);
        set(&mut self.content_rating, change.content_rating);
        self.touch(now);
        Ok(())
    }

    /// Sends it to review.
    ///
    /// # Errors
    /// When it is neither a draft nor rejected.
    pub fn submit(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let from = [GameState::Draft, GameState::Rejected];
        require_state(self, self.state, &from, "be submitted")?;
        self.enter(GameState::InReview, None, now);
        Ok(())
    }

    /// Lets it carry ads.
    ///
    /// # Errors
    /// When it is not in review, or its publisher is not active.
    pub fn approve(
        &mut self,
        publisher: &Publisher,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        require_state(self, self.state, &[GameState::InReview], "be approved")?;
        publisher.require_active()?;
        self.enter(GameState::Approved, note, now);
        Ok(())
    }

    /// Refuses it.
    ///
    /// # Errors
    /// When it is not in review.
    pub fn reject(&mut self, note: String, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[GameState::InReview], "be rejected")?;
        self.enter(GameState::Rejected, Some(note), now);
        Ok(())
    }

    /// Puts it away.
    ///
    /// # Errors
    /// When it is put away already.
    pub fn archive(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "be archived")?;
        let note = self.review_note.clone();
        self.enter(GameState::Archived, note, now);
        Ok(())
    }

    /// Whether ad units may be added to it.
    ///
    /// # Errors
    /// When it is archived.
    pub fn require_open(&self) -> Result<(), Refusal> {
        require_parent(self, self.state, &OPEN, "be created")
    }

    fn enter(&mut self, state: GameState, note: Option<String>, now: Timestamp) {
        self.state = state;
        self.review_note = note;
        self.touch(now);
    }
}

const OPEN: [GameState; 4] = [
    GameState::Draft,
    GameState::InReview,
    GameState::Approved,
    GameState::Rejected,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PublisherState;
    use crate::named::Named;
    use crate::testing::{NOW, game, publisher};

    #[test]
    fn review_decides_and_may_be_asked_again() {
        let mut owner = publisher();
        let mut subject = game(&owner);
        subject.submit(NOW).unwrap();
        assert!(subject.change(GameChange::default(), NOW).is_err());
        subject.reject("no icon".to_owned(), NOW).unwrap();
        assert_eq!(subject.review_note.as_deref(), Some("no icon"));
        subject.submit(NOW).unwrap();
        assert!(matches!(
            subject.approve(&owner, None, NOW),
            Err(Refusal::ParentState { .. })
        ));
        owner.state = PublisherState::Active;
        subject.approve(&owner, None, NOW).unwrap();
        assert_eq!(subject.state, GameState::Approved);
    }

    #[test]
    fn only_what_is_not_archived_can_be_archived() {
        for state in GameState::ALL {
            let mut subject = game(&publisher());
            subject.state = *state;
            let allowed = *state != GameState::Archived;
            assert_eq!(subject.require_open().is_ok(), allowed);
            assert_eq!(subject.archive(NOW).is_ok(), allowed);
        }
    }

    #[test]
    fn a_terminated_publisher_gets_no_games() {
        let mut owner = publisher();
        owner.terminate(NOW).unwrap();
        let new = crate::testing::new_game(&owner);
        assert!(Game::create(new, &owner, NOW).is_err());
    }
}
