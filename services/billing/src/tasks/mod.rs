//! What the service does on its own. A task is safe to run at any moment, any number of times, on every replica.

pub(crate) mod expiry;
