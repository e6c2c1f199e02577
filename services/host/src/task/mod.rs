//! Work that nobody calls for: ticks, and the consumption of streams.
//!
//! The driver owns timing, spans, metrics and back-off, and knows nothing of what a task does. A tick is
//! idempotent and takes no input: it looks at the state and does what is left to do, so that a wake-up
//! too many costs nothing and one too few is made good by the period.

mod backoff;
mod driver;
mod figures;
mod state;
mod stream;
mod tick;

pub(crate) use driver::Driver;
pub use driver::Job;
pub use stream::{Session, StreamTask};
pub use tick::{Report, Task};
