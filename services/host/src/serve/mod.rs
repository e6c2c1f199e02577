//! The way of a call from the socket to its handler and back.
//!
//! `accept` takes connections and deals them out to the `worker`s, one runtime per core; a `connection`
//! speaks HTTP/2; each call passes `call`, where its metadata, deadline, limits and panics are dealt with,
//! and leaves through `answer`.

mod accept;
mod answer;
mod call;
mod connection;
mod metadata;
mod request;
mod worker;

pub(crate) use accept::accept;
pub(crate) use call::Stack;
pub(crate) use worker::Workers;
