//! Lists that come in pages, as one stream of items.

use std::collections::VecDeque;
use std::future::Future;

use futures::stream::{self, Stream};

/// The size of a page when a whole list is read: the most that a server gives.
const WHOLE_LIST: i32 = 1000;

/// The page size to ask for: what the caller wants, else as much as there is.
#[must_use]
pub const fn size(wanted: i32) -> i32 {
    if wanted == 0 { WHOLE_LIST } else { wanted }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Where the next page begins; empty at the end.
    pub next_page_token: String,
}

/// What is left of a list that is being read.
struct Rest<T> {
    items: VecDeque<T>,
    /// Where to read on; `None` once the last page is here.
    token: Option<String>,
}

/// Every item of a list: pages are fetched one at a time, each when the one before it is used up.
///
/// An empty page is not the end, only an empty token is. The stream ends after its first error.
pub fn items<T, E, Fetch, Fetched>(fetch: Fetch) -> impl Stream<Item = Result<T, E>>
where
    Fetch: Fn(String) -> Fetched,
    Fetched: Future<Output = Result<Page<T>, E>>,
{
    let start = Rest {
        items: VecDeque::new(),
        token: Some(String::new()),
    };
    stream::try_unfold((start, fetch), |(mut rest, fetch)| async move {
        loop {
            if let Some(item) = rest.items.pop_front() {
                return Ok(Some((item, (rest, fetch))));
            }
            let Some(token) = rest.token.take() else {
                return Ok(None);
            };
            let page = fetch(token).await?;
            rest.items = page.items.into();
            rest.token = Some(page.next_page_token).filter(|token| !token.is_empty());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    fn page(items: &[u8], next: &str) -> Page<u8> {
        Page {
            items: items.to_vec(),
            next_page_token: next.to_owned(),
        }
    }

    #[tokio::test]
    async fn an_empty_page_in_the_middle_is_not_the_end() {
        let list = items(|token: String| async move {
            match token.as_str() {
                "" => Ok::<_, String>(page(&[1, 2], "a")),
                "a" => Ok(page(&[], "b")),
                _ => Ok(page(&[3], "")),
            }
        });
        let read: Vec<_> = list.collect().await;
        assert_eq!(read, [Ok(1), Ok(2), Ok(3)]);
    }

    #[tokio::test]
    async fn an_error_is_the_last_thing_read() {
        let list = items(|token: String| async move {
            if token.is_empty() {
                Ok(page(&[1], "a"))
            } else {
                Err("gone")
            }
        });
        let read: Vec<_> = list.collect().await;
        assert_eq!(read, [Ok(1), Err("gone")]);
    }
}
