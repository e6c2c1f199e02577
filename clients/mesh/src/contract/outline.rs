//! Comes to a judgement of a callee: by fingerprints as far as they go, by shapes where they differ.

use super::judgement::{ContractState, Judgement, Skew};
use super::marks::Marks;
use super::messages::ServiceContract;
use super::shape::Shape;
use super::{Level, Side, compare};
use crate::policy::{MethodPolicy, PolicyTable};
use prost::Message as _;
use std::collections::HashMap;

/// The most differences that are told of one method.
const MAX_TOLD: usize = 5;

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
        let state = ContractState {
            level: Some(level.unwrap_or(Level::Same)),
            skews,
        };
        Judgement::new(refused, self.absent, state)
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
