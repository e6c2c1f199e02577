//! Which addresses the two services get.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result};

/// Where Operations listens when nobody says otherwise.
pub(crate) const OPERATIONS: &str = "127.0.0.1:50051";
/// Where Billing listens when nobody says otherwise.
pub(crate) const BILLING: &str = "127.0.0.1:50052";
/// The admin port beside Operations.
pub(crate) const OPERATIONS_ADMIN: &str = "127.0.0.1:50061";
/// The admin port beside Billing.
pub(crate) const BILLING_ADMIN: &str = "127.0.0.1:50062";

/// The addresses of one service.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) listen: SocketAddr,
    pub(super) admin: String,
}

impl Addresses {
    /// The addresses that go with where it is to listen. Each service must know the other's address before either
    /// listens, so a free port is found here.
    pub(super) fn of(listen: &str) -> Result<Self> {
        let wanted: SocketAddr = listen
            .parse()
            .with_context(|| format!("{listen:?} is no address such as {OPERATIONS}"))?;
        let free = if wanted.port() == 0 {
            // Bound and let go: nobody else is given the port again soon.
            TcpListener::bind(wanted)
                .and_then(|listener| listener.local_addr())
                .with_context(|| format!("finding a free port at {wanted}"))?
        } else {
            wanted
        };
        Ok(Self {
            listen: free,
            admin: admin(listen, free),
        })
    }
}

/// The known admin port beside a known port, else a free one.
fn admin(listen: &str, free: SocketAddr) -> String {
    match listen {
        OPERATIONS => OPERATIONS_ADMIN.to_owned(),
        BILLING => BILLING_ADMIN.to_owned(),
        _ => SocketAddr::new(free.ip(), 0).to_string(),
    }
}
