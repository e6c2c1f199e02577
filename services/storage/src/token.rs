//! Opaque tokens that a client hands back: where to resume a feed, where to go on with a list. They carry no
//! secret and are not signed; what they claim is checked against the database and against the request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::feed::FeedPosition;

const RESUME_VERSION: u8 = 1;
const PAGE_VERSION: u8 = 2;
/// Longest token that is looked at; ours are far shorter.
const LONGEST: usize = 1024;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is not one of ours.
    #[error("the token is not one that this service gave out")]
    Malformed,
    /// It was given out for a request with another filter or order.
    #[error("the token belongs to a request with another filter")]
    OtherRequest,
    /// The feed cannot go on from there: start again from the beginning.
    #[error("the token is too old or of another history: {0}")]
    Expired(Expiry),
}

/// Why a feed cannot go on from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Expiry {
    /// The database was restored from a backup since.
    #[error("the data was restored since")]
    OtherEpoch,
    /// The changes after it were compacted away.
    #[error("changes after it are gone")]
    BelowFloor,
    /// It lies ahead of the newest change.
    #[error("it lies ahead of the newest change")]
    AheadOfHead,
}

/// Where a reader of a feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeToken {
    /// The history that `seq` belongs to.
    pub epoch: Uuid,
    /// The last change that the reader has.
    pub seq: i64,
    /// [`filter_hash`] of the request's filter.
    pub filter_hash: u64,
}

impl ResumeToken {
    /// The token as text.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(33);
        bytes.push(RESUME_VERSION);
        bytes.extend_from_slice(self.epoch.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.filter_hash.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token back.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let bytes = decode_text(text, RESUME_VERSION)?;
        let (epoch, rest) = take::<16>(&bytes)?;
        let (seq, rest) = take::<8>(rest)?;
        let (filter_hash, rest) = take::<8>(rest)?;
        if !rest.is_empty() {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            epoch: Uuid::from_bytes(epoch),
            seq: i64::from_be_bytes(seq),
            filter_hash: u64::from_be_bytes(filter_hash),
        })
    }

    /// The seq to go on after, if the feed at `position` can serve this token to a request with `filter_hash`.
    pub fn check(&self, position: &FeedPosition, filter_hash: u64) -> Result<i64, TokenError> {
        if self.filter_hash != filter_hash {
            return Err(TokenError::OtherRequest);
        }
        if self.epoch != position.epoch {
            return Err(TokenError::Expired(Expiry::OtherEpoch));
        }
        if self.seq < position.floor {
            return Err(TokenError::Expired(Expiry::BelowFloor));
        }
        if self.seq > position.seq {
            return Err(TokenError::Expired(Expiry::AheadOfHead));
        }
        Ok(self.seq)
    }
}

/// Where the next page of a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    filter_hash: u64,
    position: Vec<u8>,
}

impl PageToken {
    /// A token for the page after `last`, the sort key of this page's last row.
    pub fn after<K: Serialize>(filter_hash: u64, last: &K) -> Result<Self, serde_json::Error> {
        Ok(Self {
            filter_hash,
            position: serde_json::to_vec(last)?,
        })
    }

    /// The token as text.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(9 + self.position.len());
        bytes.push(PAGE_VERSION);
        bytes.extend_from_slice(&self.filter_hash.to_be_bytes());
        bytes.extend_from_slice(&self.position);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token back.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let bytes = decode_text(text, PAGE_VERSION)?;
        let (filter_hash, position) = take::<8>(&bytes)?;
        Ok(Self {
            filter_hash: u64::from_be_bytes(filter_hash),
            position: position.to_vec(),
        })
    }

    /// The sort key to go on after, if the token belongs to a request with `filter_hash`.
    pub fn position<K: DeserializeOwned>(&self, filter_hash: u64) -> Result<K, TokenError> {
        if self.filter_hash != filter_hash {
            return Err(TokenError::OtherRequest);
        }
        serde_json::from_slice(&self.position).map_err(|_| TokenError::Malformed)
    }
}

/// A hash of what a list or feed is filtered by, the same in every process and release. Each part is hashed
/// with its length, so that parts cannot run into each other.
pub fn filter_hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        // A part's length fits u64 on every platform there is.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

fn decode_text(text: &str, version: u8) -> Result<Vec<u8>, TokenError> {
    if text.len() > LONGEST {
        return Err(TokenError::Malformed);
    }
    let mut bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| TokenError::Malformed)?;
    if bytes.first() != Some(&version) {
        return Err(TokenError::Malformed);
    }
    bytes.remove(0);
    Ok(bytes)
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), TokenError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(TokenError::Malformed)?;
    Ok((*head, rest))
}
