//! A watch stream that outlives its connections.
//!
//! A follower opens the stream, hands its messages out, and when the stream breaks opens it again from the
//! last token it handed out. What only the caller can mend, above all a resume token that the peer no longer
//! honours (OUT_OF_RANGE), ends the follower with that error.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tonic::Code;
use tracing::{debug, info, warn};

use crate::CallError;
use crate::trouble::Trouble;

/// The pace of a follower that nobody asked to hurry.
const PACE: Pace = Pace {
    first_backoff: Duration::from_millis(100),
    max_backoff: Duration::from_secs(5),
    silence: Duration::from_secs(60),
};

/// The messages of one connection.
pub type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, CallError>> + Send>>;

#[derive(Clone, Copy)]
struct Pace {
    /// The wait before the first reconnection.
    first_backoff: Duration,
    /// The longest wait between two reconnections.
    max_backoff: Duration,
    /// How long a stream may be silent before it counts as broken. Servers send heartbeats far more often.
    silence: Duration,
}

struct Follower<M, Open> {
    open: Open,
    token_of: fn(&M) -> &str,
    pace: Pace,
    messages: Option<Messages<M>>,
    token: String,
    /// Connections that broke since the last message.
    failures: u32,
    /// What was said of them.
    trouble: Trouble,
    ended: bool,
}

/// Follows a watch from `token` on (empty: from the beginning), whatever happens to the connection.
/// `token_of` says where to resume once a message is applied; `open` opens the stream after a token.
///
/// Each message is handed out before the next one is asked for, so a caller that applies a message before it
/// polls again never needs more than the token it stored last.
pub fn follow<M, Open, Opening>(
    token: String,
    token_of: fn(&M) -> &str,
    open: Open,
) -> impl Stream<Item = Result<M, CallError>> + Send
where
    M: Send + 'static,
    Open: Fn(String) -> Opening + Send,
    Opening: Future<Output = Result<Messages<M>, CallError>> + Send,
{
    follow_at(PACE, token, token_of, open)
}

fn follow_at<M, Open, Opening>(
    pace: Pace,
    token: String,
    token_of: fn(&M) -> &str,
    open: Open,
) -> impl Stream<Item = Result<M, CallError>> + Send
where
    M: Send + 'static,
    Open: Fn(String) -> Opening + Send,
    Opening: Future<Output = Result<Messages<M>, CallError>> + Send,
{
    let follower = Follower {
        open,
        token_of,
        pace,
        messages: None,
        token,
        failures: 0,
        trouble: Trouble::default(),
        ended: false,
    };
    stream::unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Some((item, follower))
    })
}

impl<M, Open, Opening> Follower<M, Open>
where
    M: Send + 'static,
    Open: Fn(String) -> Opening + Send,
    Opening: Future<Output = Result<Messages<M>, CallError>> + Send,
{
    async fn next(&mut self) -> Option<Result<M, CallError>> {
        while !self.ended {
            let error = match self.receive().await {
                Ok(message) => {
                    (self.token_of)(&message).clone_into(&mut self.token);
                    self.failures = 0;
                    if self.trouble.is_over() {
                        info!("a watch stream goes on");
                    }
                    return Some(Ok(message));
                }
                Err(error) => error,
            };
            self.messages = None;
            if !mends_itself(error.code) {
                self.ended = true;
                return Some(Err(error));
            }
            self.pause(&error).await;
        }
        None
    }

    /// The next message, unless the peer is silent for too long; a stream has no deadline that would say so.
    async fn receive(&mut self) -> Result<M, CallError> {
        let received = tokio::time::timeout(self.pace.silence, self.listen()).await;
        received.unwrap_or_else(|_| Err(broken("no message and no heartbeat came in time")))
    }

    /// The next message of the present connection, which is made if there is none.
    async fn listen(&mut self) -> Result<M, CallError> {
        let messages = match &mut self.messages {
            Some(messages) => messages,
            None => {
                let opened = (self.open)(self.token.clone()).await?;
                self.messages.insert(opened)
            }
        };
        let next = messages.next().await;
        next.unwrap_or_else(|| Err(broken("the peer ended the stream")))
    }

    async fn pause(&mut self, error: &CallError) {
        self.failures = self.failures.saturating_add(1);
        let wait = self.pace.backoff(self.failures);
        // That one breaks and is opened again is what happens at each release of a peer.
        if self.failures > 1 && self.trouble.is_new(error) {
            warn!(%error, "a watch stream cannot be opened; trying on");
        } else {
            debug!(%error, failures = self.failures, "a watch stream broke");
        }
        tokio::time::sleep(wait).await;
    }
}

fn broken(why: &'static str) -> CallError {
    CallError::from(tonic::Status::unavailable(why))
}

/// Whether opening the stream again, unchanged, may succeed.
fn mends_itself(code: Code) -> bool {
    match code {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

impl Pace {
    /// Grows by doubling, with half of it left to chance, so that many followers do not return as one.
    fn backoff(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let full = self
            .first_backoff
            .saturating_mul(1 << doublings)
            .min(self.max_backoff);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tonic::Status;

    const HURRY: Pace = Pace {
        first_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(4),
        silence: Duration::from_millis(50),
    };

    #[derive(Debug)]
    struct Message(&'static str);

    fn token_of(message: &Message) -> &str {
        message.0
    }

    fn connection(items: Vec<Result<Message, Status>>) -> Messages<Message> {
        Box::pin(stream::iter(items).map(|item| item.map_err(CallError::from)))
    }

    #[tokio::test]
    async fn a_broken_stream_is_opened_again_from_the_last_token() {
        // Given a peer that breaks off twice and then refuses the token
        let asked = Mutex::new(Vec::new());
        let open = |token: String| {
            let mut asked = asked.lock().expect("no test thread panics holding it");
            asked.push(token);
            let answer = match asked.len() {
                1 => Ok(connection(vec![Ok(Message("a")), Ok(Message("b"))])),
                2 => Err(CallError::from(Status::unavailable("restarting"))),
                3 => Ok(connection(vec![
                    Ok(Message("c")),
                    Err(Status::unavailable("draining")),
                ])),
                _ => Err(CallError::from(Status::out_of_range("too old"))),
            };
            async move { answer }
        };

        // When it is followed to the end
        let read: Vec<_> = follow_at(HURRY, "0".to_owned(), token_of, open)
            .collect()
            .await;

        // Then every message came once, and the last thing is what the caller must mend
        let tokens: Vec<_> = read.iter().flatten().map(|message| message.0).collect();
        assert_eq!(tokens, ["a", "b", "c"]);
        let last = read.last().and_then(|item| item.as_ref().err());
        assert_eq!(last.map(|error| error.code), Some(Code::OutOfRange));
        let asked = asked.lock().expect("no test thread panics holding it");
        assert_eq!(*asked, ["0", "b", "b", "c"]);
    }

    #[tokio::test]
    async fn a_silent_stream_counts_as_broken() {
        let opened = Mutex::new(0);
        let open = |_token: String| {
            let mut opened = opened.lock().expect("no test thread panics holding it");
            *opened += 1;
            let answer: Messages<Message> = match *opened {
                1 => Box::pin(stream::pending()),
                _ => connection(vec![Ok(Message("a"))]),
            };
            async move { Ok(answer) }
        };
        let mut followed = Box::pin(follow_at(HURRY, String::new(), token_of, open));
        let first = followed.next().await;
        assert!(matches!(first, Some(Ok(Message("a")))));
    }

    #[tokio::test]
    async fn a_stream_that_is_not_opened_in_time_counts_as_broken() {
        let opened = Mutex::new(0);
        let open = |_token: String| {
            let mut opened = opened.lock().expect("no test thread panics holding it");
            *opened += 1;
            let first = *opened == 1;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(connection(vec![Ok(Message("a"))]))
            }
        };
        let mut followed = Box::pin(follow_at(HURRY, String::new(), token_of, open));
        let first = tokio::time::timeout(Duration::from_secs(10), followed.next()).await;
        assert!(matches!(first, Ok(Some(Ok(Message("a"))))));
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        for failures in 1..100 {
            let wait = PACE.backoff(failures);
            assert!(wait >= PACE.first_backoff / 2 && wait <= PACE.max_backoff);
        }
    }
}
