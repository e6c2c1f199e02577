//! Mutations as they come in: an id of the request, and for changes the row and the version that was read.

use cleave_kernel::{InvalidId, RequestId, Violation, Violations};
use prost::Message;
use std::str::FromStr;

use super::convert;
use crate::app::{Error, Request};

/// Most elements of one lookup.
const BATCH_MAX: usize = 1000;
/// Faults after which a lookup is read no further: a status has to fit into the trailers.
const FAULTS_MAX: usize = 20;

/// A request to change a row.
pub(crate) struct Verb<Id> {
    /// The request.
    pub(crate) request: Request,
    /// Which row.
    pub(crate) id: Id,
    /// The version that was read.
    pub(crate) version: i64,
}

/// The request that `message` is, sent to `method`.
pub(crate) fn request<M: Message>(
    method: &'static str,
    message: &M,
    request_id: &str,
) -> Result<Request, Violation> {
    if request_id.is_empty() {
        return Err(Violation::required("request_id"));
    }
    let id: RequestId = request_id.parse().map_err(|_| {
        Violation::new(
            "request_id",
            "INVALID_ID",
            "a request id is a UUID, and not the nil one",
        )
    })?;
    Ok(Request::new(id, method, &message.encode_to_vec()))
}

/// The version behind an etag. One that is not ours names a version that no row ever has.
pub(crate) fn version(etag: &str) -> Result<i64, Violation> {
    if etag.is_empty() {
        return Err(Violation::required("etag"));
    }
    Ok(etag.parse().unwrap_or(0))
}

/// The request to change the row `id` that `message` is.
pub(crate) fn parse_verb<M: Message, Id: FromStr<Err = InvalidId>>(
    method: &'static str,
    message: &M,
    request_id: &str,
    id: &str,
    etag: &str,
) -> Result<Verb<Id>, Error> {
    let mut faults = Violations::new();
    let request = faults.take(request(method, message, request_id));
    let id = faults.take(convert::id("id", id));
    let version = faults.take(version(etag));
    let verb = request.zip(id).zip(version);
    let ((request, id), version) = faults.into_result(verb)?;
    Ok(Verb {
        request,
        id,
        version,
    })
}

/// The request to change a row that the message behind the reference `$message` is, by its fields `request_id`, `id` and `etag`.
macro_rules! verb {
    ($method:literal, $message:expr) => {
        $crate::rpc::request::parse_verb(
            $method,
            $message,
            &$message.request_id,
            &$message.id,
            &$message.etag,
        )
    };
}

pub(crate) use verb;

/// The resource that a request must carry.
pub(crate) fn resource<T>(field: &str, resource: Option<T>) -> Result<T, Violation> {
    resource.ok_or_else(|| Violation::required(field))
}

/// What the elements of a lookup name, of which there must be some and not too many.
pub(crate) fn batch<T, U>(
    field: &str,
    elements: &[T],
    read: impl Fn(&T) -> Result<U, Violations>,
) -> Result<Vec<U>, Violations> {
    if elements.is_empty() {
        return Err(Violation::required(field).into());
    }
    if elements.len() > BATCH_MAX {
        let most = format!("at most {BATCH_MAX} may be asked for at once");
        return Err(Violation::new(field, "TOO_MANY", most).into());
    }
    let mut faults = Violations::new();
    let mut named = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        match read(element) {
            Ok(name) => named.push(name),
            Err(found) => {
                for fault in found {
                    faults.push(fault.at(index).under(field));
                }
            }
        }
        if faults.iter().count() >= FAULTS_MAX {
            break;
        }
    }
    faults.into_result(Some(named))
}

/// Reads the fields of a resource and notes every one that cannot be accepted.
pub(crate) struct Fields {
    parent: &'static str,
    faults: Violations,
}

impl Fields {
    /// Reads the fields of what stands in `parent`.
    pub(crate) const fn of(parent: &'static str) -> Self {
        Self {
            parent,
            faults: Violations::new(),
        }
    }

    /// The value of a field, if it can be accepted.
    pub(crate) fn take<T>(&mut self, value: Result<T, Violation>) -> Option<T> {
        let parent = self.parent;
        self.faults.take(value.map_err(|fault| fault.under(parent)))
    }

    /// What the fields make up, if all could be accepted.
    pub(crate) fn make<T>(self, whole: impl FnOnce() -> Option<T>) -> Result<T, Violations> {
        self.faults.into_result(whole())
    }
}
