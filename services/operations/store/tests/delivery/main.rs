//! Delivery on each engine: bulk upserts, the feed, watermarks, freezing, digests, lists.

mod catalogue;
mod concurrent;
mod feed;
mod freeze;
mod ingest;
mod read;
mod support;
