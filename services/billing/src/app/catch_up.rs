//! After a restore: what is free of an account is known again only once the delivery since the backup is rated again.
//! Until then nothing is granted of it.

use super::Error;
use billing_store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether delivery is still being caught up with. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatchUp {
    /// Once so, it stays: no database is restored while it is in use.
    over: Arc<AtomicBool>,
}

impl CatchUp {
    /// Lets nobody pass before the delivery is rated.
    pub(super) async fn check(&self, store: &Store) -> Result<(), Error> {
        if self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        match store.catching_up_since().await? {
            Some(restored_at) => Err(Error::CatchingUp { restored_at }),
            None => {
                self.over.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Notes that all delivery there is was taken in.
    pub(crate) async fn done(&self, store: &Store) -> Result<(), Error> {
        if self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        if store.caught_up().await? {
            tracing::info!("the delivery since the backup is rated again; money is granted again");
        }
        self.over.store(true, Ordering::Relaxed);
        Ok(())
    }
}
