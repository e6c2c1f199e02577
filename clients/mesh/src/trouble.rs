//! What goes wrong again and again is worth a line when it changes, not each time.

use std::fmt::Display;

/// What was said last of something that goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Option<String>);

impl Trouble {
    /// Whether this has not been said yet.
    pub(crate) fn is_new(&mut self, problem: &impl Display) -> bool {
        let problem = problem.to_string();
        if self.0.as_ref() == Some(&problem) {
            return false;
        }
        self.0 = Some(problem);
        true
    }

    /// It goes well; whether anything had been said.
    pub(crate) fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_when_it_changes_and_when_it_ends() {
        let mut trouble = Trouble::default();
        assert!(!trouble.is_over());
        let told = ["away", "away", "lost", "away"].map(|problem| trouble.is_new(&problem));
        assert_eq!(told, [true, false, true, true]);
        assert!(trouble.is_over());
        assert!(trouble.is_new(&"away"));
    }
}
