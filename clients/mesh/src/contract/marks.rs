//! Marks on the methods of a table of policies: one bit each.

use crate::policy::PolicyTable;

/// Some of the methods of a table.
#[derive(Debug, Default)]
pub(super) struct Marks(Box<[u64]>);

impl Marks {
    /// None of the methods of this table.
    pub(super) fn for_all(policies: PolicyTable) -> Self {
        Self(vec![0; policies.len().div_ceil(64)].into())
    }

    /// Marks the method at this place.
    pub(super) fn set(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the method at this place is marked.
    pub(super) fn has(&self, index: usize) -> bool {
        let word = self.0.get(index / 64);
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// These and the others together.
    pub(super) fn with(mut self, others: &Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
        self
    }
}
