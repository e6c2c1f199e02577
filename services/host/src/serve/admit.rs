//! What must hold of a call before its handler runs.

use super::authorize::{self, Authorization};
use super::metadata;
use super::origin::Origin;
use crate::admission::{Admission, Permit};
use crate::config::HostSettings;
use cleave_mesh::Deadline;
use cleave_mesh::contract::messages as contract;
use cleave_mesh::policy::MethodPolicy;
use http::{Request, Response, StatusCode};
use std::time::Duration;
use tonic::Status;
use tonic::body::Body;

/// Whom the service lets in.
#[derive(Debug)]
pub(super) struct Gate {
    authorization: Authorization,
    admission: Admission,
    max_metadata_bytes: u32,
    max_timeout: Duration,
}

/// A call that may go on.
#[derive(Debug)]
pub(super) struct Admitted {
    /// When it must be over.
    pub(super) deadline: Option<Deadline>,
    /// When its answer must have begun.
    pub(super) head: Option<Deadline>,
    /// Its place.
    pub(super) permit: Option<Permit>,
}

impl Gate {
    pub(super) fn new(service: &str, settings: &HostSettings) -> Self {
        Self {
            authorization: Authorization::new(&settings.tls),
            admission: Admission::new(service, &settings.admission),
            max_metadata_bytes: settings.max_metadata_bytes,
            max_timeout: settings.max_timeout,
        }
    }

    /// How much work there is.
    pub(super) const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Refuses what no handler should see; otherwise tells when the call must be over, and gives it a
    /// place.
    pub(super) fn admit<B>(
        &self,
        method: Option<&'static MethodPolicy>,
        request: &Request<B>,
        origin: &Origin,
    ) -> Result<Admitted, Box<Response<Body>>> {
        let kind = request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .map(|kind| kind.as_bytes());
        if !kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Box::new(response));
        }
        let refuse = |status: Status| Box::new(status.into_http());
        let path = request.uri().path();
        metadata::check(request.headers(), self.max_metadata_bytes).map_err(refuse)?;
        self.authorization
            .check(&origin.identity, path, method)
            .map_err(refuse)?;
        let asked = metadata::timeout(request.headers()).map_err(refuse)?;
        let deadline = self.timeout(method, asked).map(Deadline::after);
        let head = match method {
            Some(_) => deadline,
            None => Some(Deadline::after(self.longest(asked))),
        };
        let permit = self.place(method, path).map_err(refuse)?;
        Ok(Admitted {
            deadline,
            head,
            permit,
        })
    }

    /// A place for the call, if it takes one. What belongs to no contract, health above all, is answered under any
    /// load, and so is the question for the contract itself; but what lasts is bounded there, too.
    fn place(
        &self,
        method: Option<&'static MethodPolicy>,
        path: &str,
    ) -> Result<Option<Permit>, Status> {
        let permit = match method {
            Some(method) if method.path.starts_with(contract::PREFIX) => return Ok(None),
            Some(method) => self.admission.admit(method),
            None if authorize::lasts(path) => self.admission.admit_own(path),
            None => return Ok(None),
        };
        permit.map(Some).map_err(|refusal| refusal.into_status())
    }

    /// How long a call may take: what its caller asks for within the service's bounds, else what the
    /// policy says. A stream is bounded only by its caller or its policy: it follows what changes, so no time is
    /// too long for it, and it ends with its connection, which has an age.
    ///
    /// Of a method that no policy names nobody knows which it is. Its answer must begin in the longest time of a call,
    /// which bounds a unary call as a whole, since its answer begins when it is done.
    fn timeout(
        &self,
        method: Option<&'static MethodPolicy>,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        match method {
            Some(method) if method.is_unary() => Some(self.longest(asked.or(method.timeout))),
            Some(method) => asked.or(method.timeout),
            None => asked,
        }
    }

    /// This time within the service's bounds.
    fn longest(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or(self.max_timeout).min(self.max_timeout)
    }
}
