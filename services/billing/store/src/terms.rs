//! Versions of terms, held against those that something was rated by.

use crate::error::StoreError;
use crate::row::{self, terms};
use crate::store::Store;
use billing_domain::terms::Terms;
use cleave_kernel::LineItemId;
use std::collections::HashMap;

impl Store {
    /// Which of `learned` differ from what was rated by under the same version: Operations has lost the first one, by a
    /// restore, and given its number out again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contradicted_terms(
        &self,
        learned: &[Terms],
    ) -> Result<Vec<(LineItemId, i64)>, StoreError> {
        if learned.is_empty() {
            return Ok(Vec::new());
        }
        let by_key: &HashMap<_, &Terms> = &learned
            .iter()
            .map(|terms| ((terms.line_item, terms.version), terms))
            .collect();
        let select = &row::select(terms::TABLE, terms::COLUMNS);
        self.database()
            .snapshot("contradicted_terms", |txn| async move {
                let ids = by_key
                    .keys()
                    .map(|(item, version)| terms::id(*item, *version));
                let mut contradicted = Vec::new();
                for row in row::by_keys(&txn, select, "id", ids).await? {
                    let rated_by = terms::read(&row, 0)?;
                    let key = (rated_by.line_item, rated_by.version);
                    if by_key
                        .get(&key)
                        .is_some_and(|learned| **learned != rated_by)
                    {
                        contradicted.push(key);
                    }
                }
                Ok(contradicted)
            })
            .await
    }
}
