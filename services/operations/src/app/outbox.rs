//! What waits to be told to Billing.

use std::time::Duration;

use cleave_kernel::{AccountId, RequestId, Timestamp};
use operations_domain::{OutboxMessage, Party};
use operations_store::outbox::{self, Waiting};
use operations_store::{advertiser, publisher};

use super::{App, Error};

/// The wait after the first failure; doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl App {
    /// Messages that are due, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_messages(&self, limit: u64) -> Result<Vec<Waiting>, Error> {
        let now = self.clock.now();
        self.store
            .db()
            .read("due_messages", |conn| async move {
                Ok::<_, Error>(outbox::due(conn, now, limit).await?)
            })
            .await
    }

    /// How many messages wait, and since when the oldest does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_depth(&self) -> Result<(i64, Option<Timestamp>), Error> {
        self.store
            .db()
            .read("outbox_depth", |conn| async move {
                Ok::<_, Error>(outbox::depth(conn).await?)
            })
            .await
    }

    /// Notes that Billing has opened the account that a message asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn message_told(&self, waiting: &Waiting, account: AccountId) -> Result<(), Error> {
        let now = self.clock.now();
        self.store
            .write("message_told", now, |unit| async move {
                match &waiting.message {
                    OutboxMessage::OpenAccount { party, .. } => match *party {
                        Party::Advertiser(id) => {
                            advertiser::account_opened(&unit, id, account).await?
                        }
                        Party::Publisher(id) => {
                            publisher::account_opened(&unit, id, account).await?
                        }
                    },
                };
                outbox::told(&unit, waiting.request).await?;
                Ok(())
            })
            .await
    }

    /// Notes that telling a message failed; it is tried again later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn message_failed(&self, waiting: &Waiting, error: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let next_at = now.plus(wait(waiting.attempts));
        let request: RequestId = waiting.request;
        self.store
            .write("message_failed", now, |unit| async move {
                outbox::failed(&unit, request, next_at, error).await?;
                Ok(())
            })
            .await
    }
}

fn wait(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<u64> = (0..8).map(|attempts| wait(attempts).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait(i64::MAX), LONGEST_WAIT);
        assert_eq!(wait(-1), FIRST_WAIT);
    }
}
