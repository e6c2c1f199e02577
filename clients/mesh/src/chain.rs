//! What a chain of calls carries from hop to hop: the workloads it came through, and whether one of them
//! repeats it.
//!
//! Two services that call each other could call in circles, and each hop that repeats multiplies the work of
//! the last one. So a call that has come through a workload may come back to it only so often, and below a
//! caller that repeats nobody else does.

use crate::names::{HOPS, RETRIED_ABOVE};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// So often may a call come back to a workload that it has passed through.
const MAX_RETURNS: usize = 1;
/// A chain of more hops than this is taken to be a circle.
const MAX_HOPS: usize = 16;
/// A longer path is not read: it is taken to be full.
const MAX_PATH: usize = 1_024;
/// Between two hops.
const SEPARATOR: char = ',';

/// What a call brings from further up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The workloads it came through, the last one last.
    hops: Option<Arc<str>>,
    /// One of them repeats the call when it fails.
    repeated: bool,
    /// The path is longer than any honest one.
    endless: bool,
}

impl Chain {
    /// What the metadata of an inbound call says.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let hops = headers.get(HOPS).map(HeaderValue::to_str);
        Self {
            endless: matches!(hops, Some(Ok(path)) if path.len() > MAX_PATH),
            hops: match hops {
                Some(Ok(path)) if !path.is_empty() && path.len() <= MAX_PATH => Some(path.into()),
                _ => None,
            },
            repeated: headers.contains_key(RETRIED_ABOVE),
        }
    }

    /// The workloads that the call came through, the last one last.
    pub fn hops(&self) -> impl Iterator<Item = &str> {
        self.hops.iter().flat_map(|path| path.split(SEPARATOR))
    }

    /// Whether a caller further up repeats the call when it fails.
    #[must_use]
    pub const fn is_repeated_above(&self) -> bool {
        self.repeated
    }

    /// Whether the call may go on to `peer`.
    pub(crate) fn may_reach(&self, peer: &str) -> bool {
        let returns = self.hops().filter(|hop| *hop == peer).count();
        !self.endless && returns <= MAX_RETURNS && self.hops().count() < MAX_HOPS
    }

    /// Adds to an outbound call what the next hop must know.
    pub(crate) fn stamp(
        &self,
        caller: Option<&HeaderValue>,
        repeats: bool,
        headers: &mut HeaderMap,
    ) {
        if repeats || self.repeated {
            headers.insert(RETRIED_ABOVE, HeaderValue::from_static("1"));
        }
        let Some(caller) = caller else { return };
        let path = match &self.hops {
            // The usual case costs nothing.
            None => Ok(caller.clone()),
            Some(hops) => {
                let mut path = Vec::with_capacity(hops.len() + 1 + caller.len());
                path.extend_from_slice(hops.as_bytes());
                path.push(b',');
                path.extend_from_slice(caller.as_bytes());
                HeaderValue::from_bytes(&path)
            }
        };
        if let Ok(path) = path {
            headers.insert(HOPS, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a call that was passed on by each of these.
    fn through(hops: &[&'static str]) -> HeaderMap {
        hops.iter().fold(HeaderMap::new(), |headers, hop| {
            let mut next = HeaderMap::new();
            Chain::read(&headers).stamp(Some(&HeaderValue::from_static(hop)), false, &mut next);
            next
        })
    }

    #[test]
    fn a_call_may_come_back_once() {
        let chain = Chain::read(&through(&["operations", "billing"]));
        assert_eq!(chain.hops().collect::<Vec<_>>(), ["operations", "billing"]);
        assert!(chain.may_reach("operations"));

        let chain = Chain::read(&through(&[
            "operations",
            "billing",
            "operations",
            "billing",
        ]));
        assert!(!chain.may_reach("operations"));
        assert!(chain.may_reach("ledger"));
    }

    #[test]
    fn a_chain_has_an_end() {
        assert!(!Chain::read(&through(&["x"; MAX_HOPS])).may_reach("y"));
        let mut headers = HeaderMap::new();
        let path = HeaderValue::from_str(&"x,".repeat(MAX_PATH)).expect("text");
        headers.insert(HOPS, path);
        assert!(!Chain::read(&headers).may_reach("y"));
    }

    #[test]
    fn who_repeats_is_told_all_the_way_down() {
        let mut first = HeaderMap::new();
        Chain::default().stamp(None, true, &mut first);
        let mut second = HeaderMap::new();
        Chain::read(&first).stamp(None, false, &mut second);
        assert!(Chain::read(&second).is_repeated_above());
    }
}
