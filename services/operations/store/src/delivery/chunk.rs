//! Lists cut into few fixed lengths: a statement's text depends on its length, and every new text has to be
//! built, parsed and planned.

use cleave_storage::Engine;

/// The lengths, longest first; 4 lets a rest of any size end in at most a few single rows.
const LENGTHS: [usize; 6] = [1024, 256, 64, 16, 4, 1];

/// `items` in slices of the fixed lengths, none of which binds more than `engine` allows at `binds` an item.
pub(super) fn fixed<T>(engine: Engine, binds: usize, mut items: &[T]) -> Vec<&[T]> {
    let most = engine.bind_limit() / binds.max(1);
    let mut slices = Vec::new();
    for length in LENGTHS
        .into_iter()
        .filter(|&length| length <= most || length == 1)
    {
        while items.len() >= length {
            let (slice, rest) = items.split_at(length);
            slices.push(slice);
            items = rest;
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_items_then_slices_have_fixed_lengths_and_keep_order() {
        let items: Vec<u32> = (0..1367).collect();
        let slices = fixed(Engine::Sqlite, 20, &items);
        let lengths: Vec<usize> = slices.iter().map(|slice| slice.len()).collect();
        assert_eq!(lengths, [1024, 256, 64, 16, 4, 1, 1, 1]);
        assert_eq!(slices.concat(), items);
    }

    #[test]
    fn given_many_binds_then_the_limit_holds() {
        let items = [0; 300];
        let slices = fixed(Engine::Sqlite, 200, &items);
        assert!(slices.iter().all(|slice| slice.len() * 200 <= 32_766));
        assert!(fixed(Engine::Sqlite, 20, &items[..0]).is_empty());
    }
}
