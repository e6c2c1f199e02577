//! Who may see messages, and change something, on the admin port: this machine, unless all others may by name.

use super::Admin;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::net::SocketAddr;

/// Who asks for a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) SocketAddr);

/// The request comes from this machine, or from elsewhere by permission.
pub(super) struct Near;

impl FromRequestParts<Admin> for Near {
    type Rejection = (StatusCode, String);

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Self::Rejection> {
        let remote = parts.extensions.get::<Remote>();
        let remote = remote.map(|Remote(remote)| remote.ip().to_canonical());
        if admin.remote_control || remote.is_some_and(|remote| remote.is_loopback()) {
            return Ok(Self);
        }
        let from = remote.map_or_else(|| "elsewhere".to_owned(), |remote| remote.to_string());
        let (method, path) = (&parts.method, parts.uri.path());
        let why = format!(
            "{method} {path} is answered to this machine alone, and the request is from {from}: come by \
             `kubectl port-forward` or `ssh -L`, or set host.admin_remote_control = true\n"
        );
        Err((StatusCode::FORBIDDEN, why))
    }
}
