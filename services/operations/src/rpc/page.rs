//! Pages of lists: sizes, and tokens that are bound to the request that they were given out for.

use cleave_kernel::Violation;
use cleave_storage::{PageToken, filter_hash};
use operations_store::{PageRequest, Position};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{Error, Listed};

/// Rows of a page that asks for no number.
pub(crate) const USUAL: u64 = 50;
/// Most rows of a page.
pub(crate) const MOST: u64 = 1000;
/// Bytes with which a page is full, whatever it was asked for: well below what a message may have.
const FULL: usize = 1 << 20;

/// A page that somebody asked for.
pub(crate) struct Page {
    filter_hash: u64,
    /// Most rows.
    pub(crate) limit: u64,
    token: Option<PageToken>,
}

impl Page {
    /// The page that a request to `method` asks for; `filter` is the request without its size and token.
    pub(crate) fn parse<M: Message>(
        method: &str,
        size: i32,
        token: &str,
        filter: &M,
    ) -> Result<Self, Error> {
        let limit = match u64::try_from(size) {
            Ok(0) => USUAL,
            Ok(size) => size.min(MOST),
            Err(_) => {
                let fault = Violation::new("page_size", "NEGATIVE", "a page size is not negative");
                return Err(fault.into());
            }
        };
        let token = (!token.is_empty())
            .then(|| PageToken::decode(token))
            .transpose()
            .map_err(|_| Error::PageToken)?;
        Ok(Self {
            filter_hash: filter_hash(&[method.as_bytes(), &filter.encode_to_vec()]),
            limit,
            token,
        })
    }

    /// Where the page starts, if it is not the first.
    pub(crate) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Error> {
        self.token
            .as_ref()
            .map(|token| token.position(self.filter_hash))
            .transpose()
            .map_err(|_| Error::PageToken)
    }

    /// The token of the page that starts after `end`; empty when there is none.
    pub(crate) fn next<K: Serialize>(&self, end: Option<K>) -> Result<String, Error> {
        let Some(end) = end else {
            return Ok(String::new());
        };
        PageToken::after(self.filter_hash, &end)
            .map(|token| token.encode())
            .map_err(|error| Error::Fault(format!("a page token cannot be made: {error}")))
    }

    /// The rows of the page as `wire` writes them, as many as fit, and the token of the next page.
    pub(crate) fn answer<R, W: Message>(
        &self,
        listed: Listed<R>,
        wire: impl Fn(R) -> W,
    ) -> Result<(Vec<W>, String), Error> {
        let mut more = listed.more;
        let mut bytes = 0;
        let mut end = None;
        let mut answers = Vec::with_capacity(listed.rows.len());
        for (row, position) in listed.rows {
            let answer = wire(row);
            bytes += answer.encoded_len();
            if bytes > FULL && !answers.is_empty() {
                more = true;
                break;
            }
            answers.push(answer);
            end = Some(position);
        }
        Ok((answers, self.next(end.filter(|_| more))?))
    }

    /// The page, for lists of nouns.
    pub(crate) fn request(&self) -> Result<PageRequest, Error> {
        Ok(PageRequest {
            after: self.after::<Position>()?,
            limit: self.limit,
        })
    }
}

/// The page that `$message` asks for, by its fields `page_size` and `page_token`, which are taken out of it.
macro_rules! page {
    ($method:literal, $message:expr) => {{
        let size = std::mem::take(&mut $message.page_size);
        let token = std::mem::take(&mut $message.page_token);
        $crate::rpc::page::Page::parse($method, size, &token, &$message)
    }};
}

pub(crate) use page;

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_contracts::operations::v1::ListGamesRequest;

    fn asked(size: i32, token: &str, bundle: &str) -> Result<Page, Error> {
        let filter = ListGamesRequest {
            bundle: bundle.to_owned(),
            ..ListGamesRequest::default()
        };
        Page::parse("ListGames", size, token, &filter)
    }

    #[test]
    fn sizes_are_clamped_and_never_negative() {
        assert_eq!(asked(0, "", "").unwrap().limit, 50);
        assert_eq!(asked(i32::MAX, "", "").unwrap().limit, 1000);
        assert!(asked(-1, "", "").is_err());
    }

    #[test]
    fn a_page_is_cut_where_it_would_grow_too_large_and_goes_on_there() {
        let position = |number| Position {
            created_at: cleave_kernel::Timestamp::from_micros(number),
            id: uuid::Uuid::nil(),
        };
        let rows = (1..=5).map(|number| (number, position(number))).collect();
        let listed = Listed { rows, more: false };
        let half = |_| ListGamesRequest {
            bundle: "x".repeat(FULL / 2 - 100),
            ..ListGamesRequest::default()
        };
        let page = asked(5, "", "a").unwrap();

        let (answers, token) = page.answer(listed, half).unwrap();

        assert_eq!(answers.len(), 2);
        let next = asked(5, &token, "a").unwrap().request().unwrap();
        assert_eq!(next.after, Some(position(2)));
    }

    #[test]
    fn a_token_serves_the_request_it_was_given_out_for() {
        let token = asked(1, "", "a").unwrap().next(Some(7)).unwrap();
        assert_eq!(
            asked(9, &token, "a").unwrap().after::<i32>().unwrap(),
            Some(7)
        );
        assert!(asked(9, &token, "b").unwrap().after::<i32>().is_err());
        assert!(asked(9, "rubbish", "a").is_err());
    }
}
