//! What a caller may ask of one callee, by the contract that the callee tells.

use super::messages::ServiceContract;
use super::shape::Shape;
use super::{Level, Side, compare};
use crate::policy::{MethodPolicy, PolicyTable};
use prost::Message as _;
use serde::Serialize;
use std::collections::HashMap;

/// The most differences that are told of one method.
const MAX_TOLD: usize = 5;
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
    /// Whether there is anything in `refused` or `absent`.
    reserved: bool,
    /// The methods in which the callee would not understand the caller, or not be understood.
    refused: Marks,
    /// The methods whose services the callee does not have.
    absent: Marks,
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
            reserved: false,
            refused: Marks::default(),
            absent: Marks::default(),
            state: ContractState {
                level: None,
                skews: Vec::new(),
            },
        }
    }

    /// What may be expected of a call of a method, given by its place in the table.
    pub(crate) fn prospect(&self, method: Option<usize>) -> Prospect {
        match method {
            Some(method) if self.reserved => {
                if self.refused.has(method) {
                    Prospect::Refused
                } else if self.absent.has(method) {
                    Prospect::Absent
                } else {
                    Prospect::Good
                }
            }
            _ => Prospect::Good,
        }
    }

    /// How the callee's contract looks.
    pub(crate) const fn state(&self) -> &ContractState {
        &self.state
    }

    /// Why a method is refused.
    pub(crate) fn refusal(&self, method: &MethodPolicy) -> String {
        let mut skews = self.state.skews.iter();
        let skew = skews.find(|skew| skew.method == method.name());
        let first = skew.and_then(|skew| skew.differences.first());
        format!(
            "{}; {MEND}",
            first.map_or("its contract is another one", String::as_str)
        )
    }
}

/// What fingerprints alone tell of a callee's contract.
#[derive(Debug)]
pub(crate) struct Outline {
    policies: PolicyTable,
    absent: Marks,
    missing: Vec<usize>,
    differing: Vec<usize>,
}

impl Outline {
    /// Holds the fingerprints of a callee against those in the table.
    pub(crate) fn of(policies: PolicyTable, services: &[ServiceContract]) -> Self {
        let told: HashMap<&str, HashMap<&str, u64>> = (services.iter())
            .map(|service| {
                let methods = service.methods.iter();
                let methods = methods.map(|method| (&*method.name, method.fingerprint));
                (&*service.name, methods.collect())
            })
            .collect();
        let mut outline = Self {
            policies,
            absent: Marks::for_all(policies),
            missing: Vec::new(),
            differing: Vec::new(),
        };
        for (index, policy) in policies.iter().enumerate() {
            let Some((service, name)) = policy.name().split_once('/') else {
                continue;
            };
            let Some(methods) = told.get(service) else {
                outline.absent.set(index);
                continue;
            };
            match methods.get(name).copied() {
                // Nothing is known here, or there.
                _ if policy.fingerprint == 0 || methods.is_empty() => {}
                Some(0) => {}
                Some(theirs) if theirs == policy.fingerprint => {}
                Some(_) => outline.differing.push(index),
                None => outline.missing.push(index),
            }
        }
        outline
    }

    /// The paths of the methods that must be looked at more closely.
    pub(crate) fn differing(&self) -> impl Iterator<Item = &'static str> {
        let methods = self.differing.iter();
        methods.filter_map(|index| Some(self.policies.at(*index)?.path))
    }

    /// The judgement, once the callee has described the differing methods. A method whose description is
    /// missing or makes no sense is not refused.
    pub(crate) fn judge(mut self, theirs: &Shape) -> Judgement {
        let ours = Shape::decode(self.policies.shape()).unwrap_or_default();
        let mut skews = Vec::new();
        let mut refused = Marks::for_all(self.policies);
        for index in std::mem::take(&mut self.missing) {
            if let Some(policy) = self.policies.at(index) {
                refused.set(index);
                skews.push(Skew {
                    method: policy.name(),
                    level: Level::Unsafe,
                    differences: vec!["the callee does not have the method".to_owned()],
                });
            }
        }
        for index in std::mem::take(&mut self.differing) {
            let policy = self.policies.at(index);
            let Some(skew) = policy.and_then(|policy| skew(policy, &ours, theirs)) else {
                continue;
            };
            if skew.level == Level::Unsafe {
                refused.set(index);
            }
            skews.push(skew);
        }
        let level = skews.iter().map(|skew| skew.level).max();
        Judgement {
            reserved: refused.any() || self.absent.any(),
            refused,
            absent: self.absent,
            state: ContractState {
                level: Some(level.unwrap_or(Level::Same)),
                skews,
            },
        }
    }
}

/// Compares the two shapes of a method.
fn skew(policy: &'static MethodPolicy, ours: &Shape, theirs: &Shape) -> Option<Skew> {
    let side = |shape| side(shape, policy.path);
    let found = compare(side(ours)?, side(theirs)?).ok()?;
    Some(Skew {
        method: policy.name(),
        level: found.first().map_or(Level::Safe, |worst| worst.level),
        differences: (found.iter().take(MAX_TOLD))
            .map(ToString::to_string)
            .collect(),
    })
}

fn side<'a>(shape: &'a Shape, path: &str) -> Option<Side<'a>> {
    let method = shape.methods.iter().find(|method| method.path == path)?;
    Some(Side { shape, method })
}

/// Some of the methods of a table.
#[derive(Debug, Default)]
struct Marks(Box<[u64]>);

impl Marks {
    /// None of the methods of this table.
    fn for_all(policies: PolicyTable) -> Self {
        Self(vec![0; policies.len().div_ceil(64)].into())
    }

    fn set(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn has(&self, index: usize) -> bool {
        let word = self.0.get(index / 64);
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn any(&self) -> bool {
        self.0.iter().any(|word| *word != 0)
    }
}
