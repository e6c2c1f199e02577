//! Clients and servers that are not ours: grpcurl, Python's grpcio, h2load, stock tonic.
//!
//! They come with `deploy/test`, which names the folder of Python's in `CLEAVE_FOREIGN_TOOLS`. Without it the
//! tests that need them say on stderr what is not covered, and pass; with it nothing may be missing.

mod calls;
mod gzip;
mod health;
mod load;
mod reflection;
mod retries;
mod servers;
mod services;
mod tools;
