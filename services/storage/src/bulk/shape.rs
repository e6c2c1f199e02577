//! How many rows or keys go into one statement: fewer than the engine's bind limit, and few different counts,
//! because every new count is a new statement to prepare on every connection.

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait, ValueType};
use sea_orm::{DbBackend, Value};

use crate::Engine;

/// Counts up to this one are used as they come.
const SMALL: usize = 32;
/// Rows in one statement, even where the engine would bind more: its text grows with them.
const MOST: usize = 1024;

/// `rows` cut so that no insert of `columns` columns binds more than `engine` allows, into chunks that are
/// small or hold a power of two.
pub fn insert_chunks<T>(engine: Engine, columns: usize, rows: Vec<T>) -> Vec<Vec<T>> {
    let most = power_of_two_within((engine.bind_limit() / columns.max(1)).min(MOST));
    let mut chunks = Vec::new();
    let mut rest = rows.into_iter();
    while rest.len() > 0 {
        let size = match rest.len() {
            left if left <= SMALL => left.min(most),
            left => power_of_two_within(left).min(most),
        };
        chunks.push(rest.by_ref().take(size).collect());
    }
    chunks
}

/// `keys` for an `IN` list, lengthened to the next power of two by repeating its last key. An empty list
/// stays empty.
pub fn padded<K: Clone>(keys: impl IntoIterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<K> = keys.into_iter().collect();
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    keys
}

/// The condition that `column` holds one of `keys`, written so that few different statements come of it: one
/// array on PostgreSQL, a padded list elsewhere.
pub fn one_of<K>(
    backend: DbBackend,
    column: impl Into<Expr>,
    keys: impl IntoIterator<Item = K>,
) -> Expr
where
    K: Clone + Into<Value> + ValueType,
{
    let column = column.into();
    match Engine::from(backend) {
        Engine::Postgres => {
            let keys = keys.into_iter().map(Into::into).collect();
            let keys = Value::Array(K::array_type(), Some(Box::new(keys)));
            column.eq(PgFunc::any(Expr::val(keys)))
        }
        Engine::Sqlite | Engine::MySql => column.is_in(padded(keys)),
    }
}

fn power_of_two_within(number: usize) -> usize {
    1 << number.max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_more_rows_than_fit_when_chunked_then_all_are_kept_in_order() {
        let chunks = insert_chunks(Engine::Sqlite, 100, (0..700).collect());
        let sizes: Vec<_> = chunks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [256, 256, 128, 32, 28]);
        assert_eq!(chunks.concat(), (0..700).collect::<Vec<_>>());
    }

    #[test]
    fn given_any_number_of_rows_when_cut_to_sizes_then_few_sizes_occur() {
        let sizes = |rows: usize| -> Vec<usize> {
            let chunks = insert_chunks(Engine::MySql, 10, vec![(); rows]);
            chunks.iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(0), Vec::<usize>::new());
        assert_eq!(sizes(7), [7]);
        assert_eq!(sizes(31), [31]);
        assert_eq!(sizes(61), [32, 29]);
        assert_eq!(sizes(256), [256]);
        assert_eq!(sizes(3000), [1024, 1024, 512, 256, 128, 32, 24]);
    }

    #[test]
    fn given_keys_when_padded_then_the_length_is_a_power_of_two_of_the_same_keys() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1]), [1]);
        assert!(padded(Vec::<u8>::new()).is_empty());
    }
}
