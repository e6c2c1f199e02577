//! Shapes of bulk statements: chunks that stay below an engine's bind limit, and lists padded to a few
//! lengths, because every new length is a new statement to prepare on every connection.

use crate::Engine;

/// `rows` cut so that no insert of `columns` columns binds more than `engine` allows.
pub fn insert_chunks<T>(engine: Engine, columns: usize, rows: Vec<T>) -> Vec<Vec<T>> {
    let size = (engine.bind_limit() / columns.max(1)).clamp(1, 1000);
    let mut chunks = Vec::with_capacity(rows.len().div_ceil(size));
    let mut rest = rows.into_iter();
    loop {
        let chunk: Vec<T> = rest.by_ref().take(size).collect();
        if chunk.is_empty() {
            return chunks;
        }
        chunks.push(chunk);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_more_rows_than_fit_when_chunked_then_all_are_kept_in_order() {
        let chunks = insert_chunks(Engine::Sqlite, 100, (0..700).collect());
        assert_eq!(
            chunks.iter().map(Vec::len).collect::<Vec<_>>(),
            [327, 327, 46]
        );
        assert_eq!(chunks.concat(), (0..700).collect::<Vec<_>>());
    }

    #[test]
    fn given_keys_when_padded_then_the_length_is_a_power_of_two_of_the_same_keys() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1]), [1]);
        assert!(padded(Vec::<u8>::new()).is_empty());
    }
}
