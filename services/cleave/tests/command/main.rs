//! The command as people run it: the real binary, real services, real databases.

mod certs;
mod check;
mod documents;
mod import;
mod network;
mod report;
mod stat;
mod unread;
mod up;
