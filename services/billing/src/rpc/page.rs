//! Pages of a list: how many, from where, and the token for what comes next.

use crate::app::Error;
use cleave_kernel::Violation;
use cleave_storage::PageToken;
use serde::Serialize;
use serde::de::DeserializeOwned;

const DEFAULT: u64 = 50;
const MOST: u64 = 1000;

/// What a list was asked for.
#[derive(Debug)]
pub(crate) struct Page<K> {
    /// How many to show.
    pub(crate) size: u64,
    /// The key of the last one shown before.
    pub(crate) after: Option<K>,
    filter: u64,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Reads size and token; a token is only good for the filter it was given out for.
    pub(crate) fn read(size: i32, token: &str, filter: u64) -> Result<Self, Violation> {
        let size = match u64::try_from(size) {
            Ok(0) => DEFAULT,
            Ok(size) => size.min(MOST),
            Err(_) => {
                let mend = "give zero for the default, or how many";
                return Err(Violation::new("page_size", "NEGATIVE", mend));
            }
        };
        let after = if token.is_empty() {
            None
        } else {
            let position = PageToken::decode(token).and_then(|token| token.position(filter));
            Some(position.map_err(|error| {
                Violation::new("page_token", "INVALID_TOKEN", error.to_string())
            })?)
        };
        Ok(Self {
            size,
            after,
            filter,
        })
    }

    /// How many to ask the store for: one more than is shown, to know whether there are more.
    pub(crate) const fn limit(&self) -> u64 {
        self.size + 1
    }

    /// Cuts `items` to the page, and answers the token of the next one; empty at the end.
    pub(crate) fn cut<T>(
        &self,
        items: &mut Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<String, Error> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if items.len() <= size {
            return Ok(String::new());
        }
        items.truncate(size);
        let Some(last) = items.last() else {
            return Ok(String::new());
        };
        PageToken::after(self.filter, &key(last))
            .map(|token| token.encode())
            .map_err(|error| Error::Fault(error.to_string()))
    }
}
