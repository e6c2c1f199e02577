//! A host over real sockets, with a service that does what each test tells it.

mod admin;
mod deadline;
mod drain;
mod health;
mod limits;
mod reflection;
mod rig;
mod tasks;
