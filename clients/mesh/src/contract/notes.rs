//! What is noted while two contracts are compared, and when that has gone on for long enough: a callee says of its
//! contract what it likes, and costs its caller neither memory nor time beyond measure.

use super::shape::FieldShape;
use super::{Finding, Level, Malformed};

/// The most fields and values of enums that are looked at for one method; our own contracts have hundreds.
const MAX_WORK: usize = 20_000;
/// The most that is told of one method.
const MAX_FOUND: usize = 100;

/// What is noted of one method.
#[derive(Debug)]
pub(super) struct Notes {
    found: Vec<Finding>,
    /// How much may still be looked at.
    left: usize,
}

impl Notes {
    /// Nothing is noted yet.
    pub(super) const fn new() -> Self {
        Self {
            found: Vec::new(),
            left: MAX_WORK,
        }
    }

    /// So much is about to be looked at.
    ///
    /// # Errors
    /// When it is more than any contract of ours has.
    pub(super) fn look_at(&mut self, more: usize) -> Result<(), Malformed> {
        self.left = self.left.checked_sub(more).ok_or(Malformed)?;
        Ok(())
    }

    /// Takes note of something about a field of the message at this place.
    pub(super) fn add(&mut self, place: &str, field: &FieldShape, level: Level, problem: String) {
        if self.has_room_for(level) {
            self.found.push(Finding::at(place, field, level, problem));
        }
    }

    /// The same for the method itself.
    pub(super) fn add_of_method(&mut self, place: &str, level: Level, problem: String) {
        if self.has_room_for(level) {
            self.found.push(Finding::new(level, place, problem));
        }
    }

    /// Whether another one is kept; for one that is worse than others, the last of those is given up.
    fn has_room_for(&mut self, level: Level) -> bool {
        if self.found.len() < MAX_FOUND {
            return true;
        }
        let milder = self.found.iter().rposition(|known| known.level < level);
        milder.map(|milder| self.found.remove(milder)).is_some()
    }

    /// Everything that was noted, the worst first.
    pub(super) fn into_found(mut self) -> Vec<Finding> {
        self.found
            .sort_by_key(|finding| std::cmp::Reverse(finding.level));
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_much_the_worst_is_kept() {
        let mut notes = Notes::new();
        let mut note = |level, times| {
            for n in 0..times {
                notes.add("request", &FieldShape::default(), level, format!("{n}"));
                assert!(notes.found.len() <= MAX_FOUND);
            }
        };
        note(Level::Conditional, 2 * MAX_FOUND);
        note(Level::Unsafe, 3);
        note(Level::Conditional, 1);

        let found = notes.into_found();

        assert_eq!(found.len(), MAX_FOUND);
        let (worst, others) = found.split_at(3);
        assert!(worst.iter().all(|one| one.level == Level::Unsafe));
        assert_eq!(worst[0].problem, "0");
        assert_eq!(others[0].problem, "0");
        assert!(others.iter().all(|one| one.level == Level::Conditional));
    }
}
