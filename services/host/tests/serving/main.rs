//! A host over real sockets, with a service that does what each test tells it.

mod admin;
mod admission;
mod channel;
mod compression;
mod connections;
mod deadline;
mod drain;
mod health;
mod identity;
mod limits;
mod metrics;
mod pki;
mod pushback;
mod reflection;
mod remote;
mod rig;
mod rotation;
mod shop;
mod skew;
mod slow;
mod tap;
mod tasks;
mod unread;
