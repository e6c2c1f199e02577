//! What a chain of calls carries from hop to hop: the workloads it came through, and whether one of them
//! repeats it.
//!
//! Two services that call each other could call in circles, and each hop that repeats multiplies the work of
//! the last one. So a call that has come through a workload may come back to it only so often, and below a
//! caller that repeats nobody else does.

use crate::metadata::RETRIES;
use crate::names::HOPS;
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
/// Between a hop and what is said of it.
const PARAMETER: char = ';';

/// What a call brings from further up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The workloads it came through, the last one last, as the header says it.
    path: Option<Arc<str>>,
    /// The path is longer than any honest one.
    endless: bool,
}

/// How a workload adds itself to the chains that it sends on.
#[derive(Debug)]
pub(crate) struct Hop {
    plain: HeaderValue,
    repeating: HeaderValue,
}

impl Hop {
    /// The hop of the workload of this name, which may be empty; `None` when no path can hold it.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let reserved = |byte| !u8::is_ascii_graphic(&byte) || matches!(byte, b',' | b';');
        if name.bytes().any(reserved) {
            return None;
        }
        Some(Self {
            plain: HeaderValue::from_str(name).ok()?,
            repeating: HeaderValue::from_str(&format!("{name}{PARAMETER}{RETRIES}")).ok()?,
        })
    }

    /// The path of a call that begins here, and that nobody repeats.
    pub(crate) fn alone(&self) -> HeaderValue {
        self.plain.clone()
    }
}

impl Chain {
    /// What the metadata of an inbound call says.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let path = headers.get(HOPS).and_then(|path| path.to_str().ok());
        let endless = path.is_some_and(|path| path.len() > MAX_PATH);
        Self {
            endless,
            path: path
                .filter(|path| !path.is_empty() && !endless)
                .map(Arc::from),
        }
    }

    /// The workloads that the call came through, the last one last.
    pub fn hops(&self) -> impl DoubleEndedIterator<Item = &str> {
        let hops = self.path.iter().flat_map(|path| path.split(SEPARATOR));
        hops.map(|hop| hop.split_once(PARAMETER).map_or(hop, |(name, _)| name))
    }

    /// Who calls, by its own word.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        self.hops().next_back().filter(|name| !name.is_empty())
    }

    /// Whether a caller further up repeats the call when it fails.
    #[must_use]
    pub fn is_repeated_above(&self) -> bool {
        let mut hops = self.path.iter().flat_map(|path| path.split(SEPARATOR));
        hops.any(|hop| hop.split(PARAMETER).skip(1).any(|said| said == RETRIES))
    }

    /// Whether the call may go on to `peer`.
    pub(crate) fn may_reach(&self, peer: &str) -> bool {
        let returns = self.hops().filter(|hop| *hop == peer).count();
        !self.endless && returns <= MAX_RETURNS && self.hops().count() < MAX_HOPS
    }

    /// What the next hop is told, after `own`, which repeats the call or not; nothing when the path has no room for
    /// it, because a path that began anew here would hide the circle.
    pub(crate) fn header(&self, own: &Hop, repeats: bool) -> Option<HeaderValue> {
        if self.endless {
            return None;
        }
        let own = if repeats { &own.repeating } else { &own.plain };
        let Some(path) = &self.path else {
            // The usual case costs nothing.
            return Some(own.clone());
        };
        let mut whole = Vec::with_capacity(path.len() + 1 + own.len());
        whole.extend_from_slice(path.as_bytes());
        whole.push(b',');
        whole.extend_from_slice(own.as_bytes());
        HeaderValue::from_bytes(&whole).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a call that was passed on by each of these.
    fn through(hops: &[&str]) -> HeaderMap {
        hops.iter().fold(HeaderMap::new(), |headers, hop| {
            let hop = Hop::new(hop).expect("a name");
            passed_on(&Chain::read(&headers), &hop, false)
        })
    }

    fn passed_on(chain: &Chain, hop: &Hop, repeats: bool) -> HeaderMap {
        let path = chain.header(hop, repeats).expect("a path");
        HeaderMap::from_iter([(HOPS, path)])
    }

    #[test]
    fn a_call_may_come_back_once() {
        let chain = Chain::read(&through(&["operations", "billing"]));
        assert_eq!(chain.hops().collect::<Vec<_>>(), ["operations", "billing"]);
        assert_eq!(chain.caller(), Some("billing"));
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
    fn a_name_that_a_path_cannot_hold_is_refused() {
        for name in ["a,b", "a;retries", "a b", "ä", "a\n"] {
            assert!(Hop::new(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_chain_has_an_end() {
        assert!(!Chain::read(&through(&["x"; MAX_HOPS])).may_reach("y"));
        let path = HeaderValue::from_str(&"x,".repeat(MAX_PATH)).expect("text");
        let chain = Chain::read(&HeaderMap::from_iter([(HOPS, path)]));
        assert!(!chain.may_reach("y"));
        let own = Hop::new("operations").expect("a name");
        assert_eq!(chain.header(&own, false), None, "the path began anew");
    }

    #[test]
    fn who_repeats_is_told_all_the_way_down() {
        // The first has no name, and is heard all the same.
        let first = passed_on(&Chain::default(), &Hop::new("").expect("no name"), true);
        assert_eq!(Chain::read(&first).caller(), None);
        let own = Hop::new("operations").expect("a name");
        let second = Chain::read(&passed_on(&Chain::read(&first), &own, false));
        assert!(second.is_repeated_above());
        assert_eq!(second.caller(), Some("operations"));
        assert!(!Chain::read(&through(&["retries"])).is_repeated_above());
    }
}
