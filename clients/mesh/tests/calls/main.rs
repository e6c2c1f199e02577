//! Calls over real sockets, against a peer that does what each test tells it.

mod deadline;
mod failure;
mod peer;
mod retry;
