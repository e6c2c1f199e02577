//! Calls over real sockets, against peers that do what each test tells them.

mod cache;
mod chain;
mod choice;
mod contract;
mod deadline;
mod failure;
mod fleet;
mod hedging;
mod keepalive;
mod names;
mod peer;
mod proxy;
mod replica;
mod retry;
mod span;
