//! What a caller may ask of one callee, by the contract that the callee tells.

use super::Level;
use super::marks::Marks;
use crate::policy::MethodPolicy;
use serde::Serialize;

/// What to do about it.
const MEND: &str = "bring both to contracts that differ only in what is added, and give a changed field a new number";

/// A method that the callee knows differently.
#[derive(Debug, Clone, Serialize)]
pub struct Skew {
    /// Which method, such as `cleave.billing.v1.AccountService/GetAccount`.
    pub method: &'static str,
    /// How well both understand each other all the same.
    pub level: Level,
    /// Where they do not, the worst first.
    pub differences: Vec<String>,
}

/// How a callee's contract looks from here.
#[derive(Debug, Clone, Serialize)]
pub struct ContractState {
    /// How well its worst understood method is understood; `None` when it does not tell its contract.
    pub level: Option<Level>,
    /// The methods that it knows differently.
    pub skews: Vec<Skew>,
}

/// What a caller may ask of a callee.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The methods that are not as good as any: all that a call looks at when nothing is wrong.
    reserved: Marks,
    /// Those of them in which the callee would not understand the caller, or not be understood. Of the others
    /// the callee does not have the service.
    refused: Marks,
    state: ContractState,
}

/// How a call of a method is taken to end at a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// It is understood, as far as is known.
    Good,
    /// The callee does not say that it has the service: asked when nobody else is there.
    Absent,
    /// It is not understood, and so not sent.
    Refused,
}

impl Judgement {
    /// Of a callee that does not tell its contract: everything may be asked.
    pub(crate) fn unknown() -> Self {
        Self {
            reserved: Marks::default(),
            refused: Marks::default(),
            state: ContractState {
                level: None,
                skews: Vec::new(),
            },
        }
    }

    /// Of a callee whose contract looks so.
    pub(super) fn new(refused: Marks, absent: Marks, state: ContractState) -> Self {
        Self {
            reserved: absent.with(&refused),
            refused,
            state,
        }
    }

    /// What may be expected of a call of a method, given by its place in the table.
    pub(crate) fn prospect(&self, method: Option<usize>) -> Prospect {
        match method {
            Some(method) if self.reserved.has(method) => {
                if self.refused.has(method) {
                    Prospect::Refused
                } else {
                    Prospect::Absent
                }
            }
            _ => Prospect::Good,
        }
    }

    /// How the callee's contract looks.
    pub(crate) const fn state(&self) -> &ContractState {
        &self.state
    }

    /// Why a method is refused, when it is.
    pub(crate) fn refusal(&self, method: &MethodPolicy) -> Option<String> {
        let mut skews = self.state.skews.iter();
        let skew = skews.find(|skew| skew.method == method.name())?;
        let worst = skew.differences.first()?;
        (skew.level == Level::Unsafe).then(|| format!("{worst}; {MEND}"))
    }
}
