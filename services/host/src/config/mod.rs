//! Settings from four sources: documented defaults, a file, the environment, flags; the later wins.
//!
//! The defaults are the schema: a key that is not in them is unknown, a value of another type is wrong.
//! Every fault is found before the service starts, and all of them are listed at once.

mod admission;
mod documentation;
pub mod duration;
mod fault;
mod loader;
mod merge;
mod peers;
mod settings;
mod tls;

pub use admission::AdmissionSettings;
pub use fault::{Fault, Faults, Rejected};
pub use loader::{Loader, Validate};
pub use peers::LookupSettings;
pub use settings::{HostSettings, LogFormat, OtlpSettings, TelemetrySettings};
pub use tls::{Access, TlsSettings};
