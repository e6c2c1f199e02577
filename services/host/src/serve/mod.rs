//! The way of a call from the socket to its handler and back.
//!
//! `accept` takes connections while there are `slot`s and deals them out to the `worker`s, one runtime per
//! core; after the `handshake` a `connection` speaks HTTP/2 over its `wire`; each call runs on a
//! `stream` and passes `admit`, where its metadata, caller and place are dealt with, and `call`, where its
//! deadline, limits and panics are, and leaves through `answer`.

mod accept;
mod activity;
mod admit;
mod answer;
mod authorize;
mod call;
mod census;
mod connection;
mod handshake;
mod listen;
mod metadata;
mod origin;
mod request;
mod slot;
mod stream;
mod unsent;
mod wire;
mod worker;

pub(crate) use accept::{REST, accept};
pub(crate) use activity::Busy;
pub(crate) use call::Stack;
pub(crate) use census::Census;
pub(crate) use handshake::Handshake;
pub use listen::{Listen, Listener};
pub(crate) use listen::{Network, Port, Socket};
pub(crate) use slot::Slots;
pub(crate) use worker::Workers;
