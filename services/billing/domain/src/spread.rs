//! Spreads a total over shares so that the parts are whole micros and sum to it.

use cleave_kernel::{Micros, Overflow};
use std::cmp::Reverse;

/// The parts of `total` in proportion to `weights` by largest remainder: each is the exact quotient rounded down, and
/// the micros left over go one each to the largest remainders, to the earlier weight among equals. No part exceeds
/// its weight when the total does not exceed the sum of the weights. Weights of nothing take nothing.
///
/// # Errors
/// When `total` or a weight is negative, or there is something to spread and nothing to spread it over.
pub fn spread(total: Micros, weights: &[i64]) -> Result<Vec<Micros>, Overflow> {
    let whole: i128 = weights.iter().copied().map(i128::from).sum();
    if total.is_negative() || weights.iter().any(|weight| *weight < 0) {
        return Err(Overflow);
    }
    if total.is_zero() {
        return Ok(vec![Micros::ZERO; weights.len()]);
    }
    if whole == 0 {
        return Err(Overflow);
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = i128::from(total.get());
    for (index, weight) in weights.iter().enumerate() {
        // Below 2^126: both factors fit into 63 bits.
        let product = i128::from(total.get()) * i128::from(*weight);
        let part = product / whole;
        left -= part;
        parts.push(i64::try_from(part).map_err(|_| Overflow)?);
        remainders.push((Reverse(product % whole), index));
    }
    remainders.sort_unstable();
    let extra = usize::try_from(left).map_err(|_| Overflow)?;
    for (_, index) in remainders.into_iter().take(extra) {
        parts[index] += 1;
    }
    Ok(parts.into_iter().map(Micros::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(total: i64, weights: &[i64]) -> Vec<i64> {
        let parts = spread(Micros::new(total), weights).unwrap();
        parts.into_iter().map(Micros::get).collect()
    }

    #[test]
    fn the_left_over_goes_to_the_largest_remainder_then_to_the_first() {
        assert_eq!(parts(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(parts(10, &[1, 2, 0]), [3, 7, 0]);
        assert_eq!(parts(0, &[0, 0]), [0, 0]);
        assert_eq!(
            parts(i64::MAX, &[i64::MAX, i64::MAX]),
            [i64::MAX / 2 + 1, i64::MAX / 2]
        );
    }

    #[test]
    fn there_is_no_spreading_over_nothing() {
        assert!(spread(Micros::new(1), &[]).is_err());
        assert!(spread(Micros::new(1), &[0]).is_err());
        assert!(spread(Micros::new(1), &[-1, 5]).is_err());
        assert!(spread(Micros::new(-1), &[5]).is_err());
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_total_and_stay_below_their_weights(
            weights in prop::collection::vec(0..=i64::MAX / 64, 1..40), percent in 0..=100_i128,
        ) {
            let whole: i128 = weights.iter().copied().map(i128::from).sum();
            let total = i64::try_from(whole * percent / 100).unwrap();
            prop_assume!(whole > 0);
            let parts = parts(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(part <= weight);
            }
        }
    }
}
