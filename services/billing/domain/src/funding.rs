//! Where the money for billed delivery comes from, and where it goes back to.

use cleave_kernel::{Micros, Overflow, ReservationId};
use serde::{Deserialize, Serialize};

/// How the billed delivery of a line item was funded so far. The three sum to what was billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Funding {
    /// Charged to the advertiser's running balance, from holds or free.
    pub charged: Micros,
    /// Billed and not covered yet.
    pub unfunded: Micros,
    /// Billed, never covered, and carried by the platform for good.
    pub written_off: Micros,
}

/// One movement that funds billed delivery, or gives it back when the amount is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// From a hold.
    Hold(ReservationId, Micros),
    /// From the free balance.
    Balance(Micros),
    /// From nowhere yet.
    Unfunded(Micros),
    /// From the platform, back from what it had written off.
    WrittenOff(Micros),
}

/// The money that a line item may draw from: its live holds, oldest first, and the free balance of its advertiser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Funds {
    /// What each live hold has left.
    pub holds: Vec<(ReservationId, Micros)>,
    /// What is free beyond all holds.
    pub free: Micros,
}

impl Funding {
    /// What was billed.
    ///
    /// # Errors
    /// When the sum does not fit.
    pub fn billed(&self) -> Result<Micros, Overflow> {
        Micros::checked_sum([self.charged, self.unfunded, self.written_off])
    }

    /// Funds a change of what is billed. More is drawn from the holds, then from the free balance, and the rest stays
    /// unfunded. Less goes back in the opposite order: first what was unfunded, then what was written off, then what
    /// was charged.
    ///
    /// # Errors
    /// When a sum does not fit, or more goes back than was billed. Both arguments may then have changed.
    pub fn fund(&mut self, delta: Micros, funds: &mut Funds) -> Result<Vec<Leg>, Overflow> {
        if delta.is_negative() {
            self.unwind(delta.checked_neg()?, funds)
        } else {
            self.draw(delta, funds)
        }
    }

    fn draw(&mut self, amount: Micros, funds: &mut Funds) -> Result<Vec<Leg>, Overflow> {
        let mut rest = amount;
        let mut legs = Vec::new();
        for (reservation, left) in &mut funds.holds {
            let part = take(&mut rest, left)?;
            if part.is_positive() {
                legs.push(Leg::Hold(*reservation, part));
            }
        }
        let part = take(&mut rest, &mut funds.free)?;
        if part.is_positive() {
            legs.push(Leg::Balance(part));
        }
        if rest.is_positive() {
            legs.push(Leg::Unfunded(rest));
        }
        self.charged = self.charged.checked_add(amount.checked_sub(rest)?)?;
        self.unfunded = self.unfunded.checked_add(rest)?;
        Ok(legs)
    }

    fn unwind(&mut self, amount: Micros, funds: &mut Funds) -> Result<Vec<Leg>, Overflow> {
        let mut rest = amount;
        let unfunded = take(&mut rest, &mut self.unfunded)?;
        let written_off = take(&mut rest, &mut self.written_off)?;
        let charged = take(&mut rest, &mut self.charged)?;
        if rest.is_positive() {
            return Err(Overflow);
        }
        // Only what further draws may take: a limit without end leaves no room above it, and needs none.
        funds.free = funds.free.checked_add(charged).unwrap_or(Micros::MAX);
        let legs = [
            Leg::Unfunded(unfunded.checked_neg()?),
            Leg::WrittenOff(written_off.checked_neg()?),
            Leg::Balance(charged.checked_neg()?),
        ];
        Ok(legs
            .into_iter()
            .filter(|leg| !leg.amount().is_zero())
            .collect())
    }

    /// Decides on what is unfunded, for good: what the free balance covers now is charged, the rest is written off.
    /// Answers both parts.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn settle(&mut self, free: Micros) -> Result<Settlement, Overflow> {
        let mut free = free;
        let charged = take(&mut self.unfunded, &mut free)?;
        let written_off = std::mem::take(&mut self.unfunded);
        self.charged = self.charged.checked_add(charged)?;
        self.written_off = self.written_off.checked_add(written_off)?;
        Ok(Settlement {
            charged,
            written_off,
        })
    }
}

/// What was decided about delivery that nothing had covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settlement {
    /// Charged after all.
    pub charged: Micros,
    /// Carried by the platform.
    pub written_off: Micros,
}

impl Leg {
    /// The amount; negative when it goes back.
    pub const fn amount(&self) -> Micros {
        match self {
            Self::Hold(_, amount)
            | Self::Balance(amount)
            | Self::Unfunded(amount)
            | Self::WrittenOff(amount) => *amount,
        }
    }
}

/// Moves as much as both have from `rest` and `source`, and answers how much. A source below zero gives nothing.
fn take(rest: &mut Micros, source: &mut Micros) -> Result<Micros, Overflow> {
    let part = (*rest).min(*source).max(Micros::ZERO);
    *rest = rest.checked_sub(part)?;
    *source = source.checked_sub(part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(amount: i64) -> Micros {
        Micros::new(amount)
    }

    #[test]
    fn holds_come_first_then_the_balance_then_nothing() {
        let (old, new) = (ReservationId::generate(), ReservationId::generate());
        let mut funds = Funds {
            holds: vec![(old, micros(30)), (new, micros(20))],
            free: micros(5),
        };
        let mut funding = Funding::default();
        assert_eq!(
            funding.fund(micros(60), &mut funds).unwrap(),
            [
                Leg::Hold(old, micros(30)),
                Leg::Hold(new, micros(20)),
                Leg::Balance(micros(5)),
                Leg::Unfunded(micros(5)),
            ]
        );
        assert_eq!((funding.charged, funding.unfunded), (micros(55), micros(5)));
    }

    #[test]
    fn what_goes_back_leaves_in_the_opposite_order() {
        let mut funding = Funding {
            charged: micros(50),
            unfunded: micros(5),
            written_off: micros(7),
        };
        let mut funds = Funds::default();
        assert_eq!(
            funding.fund(micros(-20), &mut funds).unwrap(),
            [
                Leg::Unfunded(micros(-5)),
                Leg::WrittenOff(micros(-7)),
                Leg::Balance(micros(-8)),
            ]
        );
        assert_eq!(funds.free, micros(8));
        assert!(funding.fund(micros(-43), &mut funds).is_err());
    }

    #[test]
    fn money_goes_back_also_to_a_balance_without_end() {
        let mut funding = Funding {
            charged: micros(50),
            ..Funding::default()
        };
        let mut funds = Funds {
            holds: Vec::new(),
            free: Micros::MAX,
        };
        let legs = funding.fund(micros(-50), &mut funds).unwrap();
        assert_eq!(legs, [Leg::Balance(micros(-50))]);
        assert_eq!(funding, Funding::default());
    }

    #[test]
    fn a_balance_below_zero_funds_nothing() {
        let mut funds = Funds {
            holds: Vec::new(),
            free: micros(-9),
        };
        let legs = Funding::default().fund(micros(4), &mut funds).unwrap();
        assert_eq!(legs, [Leg::Unfunded(micros(4))]);
        assert_eq!(funds.free, micros(-9));
    }

    proptest! {
        #[test]
        fn every_walk_back_to_nothing_restores_the_money(
            deltas in prop::collection::vec((-1000..1000_i64, any::<bool>()), 1..40),
            held in 0..2000_i64, free in 0..2000_i64,
        ) {
            let mut funds = Funds { holds: vec![(ReservationId::generate(), micros(held))], free: micros(free) };
            let mut funding = Funding::default();
            for (delta, settle) in deltas {
                let billed = funding.billed().unwrap();
                let delta = micros(delta).max(billed.checked_neg().unwrap());
                let legs = funding.fund(delta, &mut funds).unwrap();
                prop_assert_eq!(Micros::checked_sum(legs.iter().map(Leg::amount)), Ok(delta));
                prop_assert_eq!(funding.billed(), billed.checked_add(delta));
                if settle {
                    let settled = funding.settle(funds.free).unwrap();
                    funds.free = funds.free.checked_sub(settled.charged).unwrap();
                    prop_assert!(funding.unfunded.is_zero() && !funds.free.is_negative());
                }
            }
            let back = funding.billed().unwrap().checked_neg().unwrap();
            funding.fund(back, &mut funds).unwrap();
            prop_assert_eq!(funding, Funding::default());
            let left = Micros::checked_sum([funds.free, funds.holds[0].1]);
            prop_assert_eq!(left, Ok(micros(held + free)));
        }
    }
}
