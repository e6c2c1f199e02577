//! The beginning of a connection: TLS by the credentials of the day, and who is at the other end.

use super::listen::Socket;
use super::origin::{Identity, Proof};
use super::wire::Wire;
use crate::config::{Access, TlsSettings};
use arc_swap::ArcSwapOption;
use cleave_mesh::tls::{Anonymous, Credentials, Snapshot};
use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

/// What a client that was refused gets to hear why.
const PARTING: Duration = Duration::from_millis(500);
/// So many kilobytes of it are thrown away meanwhile.
const MAX_UNREAD: usize = 64;

/// Shakes hands with clients. Clones are the same object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handshake {
    tls: Option<Arc<Tls>>,
}

#[derive(Debug)]
struct Tls {
    credentials: Credentials,
    anonymous: Anonymous,
    /// Made of the snapshot of one generation, for as long as that is the current one.
    config: ArcSwapOption<Made>,
}

#[derive(Debug)]
struct Made {
    snapshot: Arc<Snapshot>,
    config: Arc<ServerConfig>,
}

impl Handshake {
    /// By these credentials; plaintext without any.
    pub(crate) fn new(
        settings: &TlsSettings,
        credentials: Option<Credentials>,
    ) -> anyhow::Result<Self> {
        let Some(credentials) = credentials else {
            return Ok(Self::default());
        };
        let open =
            [settings.health, settings.reflection, settings.contract].contains(&Access::Everyone);
        let tls = Tls {
            credentials,
            anonymous: if open {
                Anonymous::Admitted
            } else {
                Anonymous::Refused
            },
            config: ArcSwapOption::empty(),
        };
        tls.config()?;
        Ok(Self {
            tls: Some(Arc::new(tls)),
        })
    }

    /// The credentials, when the port speaks TLS.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.tls.as_ref().map(|tls| &tls.credentials)
    }

    /// Whether callers have identities.
    pub(crate) fn has_identities(&self) -> bool {
        self.credentials()
            .is_some_and(|credentials| credentials.current().has_identities())
    }

    /// Shakes hands; tells who the client is, and on the strength of what.
    pub(super) async fn accept(
        &self,
        socket: Socket,
    ) -> io::Result<(Wire, Identity, Option<Proof>)> {
        let Some(tls) = &self.tls else {
            return Ok((Wire::Plain(socket), Identity::Believed, None));
        };
        let made = tls.config().map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&made.config));
        let stream = match acceptor.accept(socket).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                part(socket).await;
                return Err(error);
            }
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let proof = Proof::new(made.snapshot.generation(), certificates);
        let identity = if made.snapshot.has_identities() {
            let workload = made.snapshot.workload_of(certificates);
            workload.map_or(Identity::Anonymous, |workload| {
                Identity::Workload(workload.shared())
            })
        } else {
            Identity::Believed
        };
        Ok((Wire::Tls(Box::new(stream)), identity, Some(proof)))
    }
}

/// Lets the client hear why it is refused: bytes of it that were left unread would have the system reset the
/// connection, and what was said last would be lost.
async fn part(mut socket: Socket) {
    let parting = async {
        socket.shutdown().await?;
        let mut unread = [0; 1024];
        for _ in 0..MAX_UNREAD {
            if socket.read(&mut unread).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whether it heard is its own affair.
    let _ = tokio::time::timeout(PARTING, parting).await;
}

impl Tls {
    /// What handshakes go by now.
    fn config(&self) -> Result<Arc<Made>, rustls::Error> {
        let snapshot = self.credentials.current();
        if let Some(made) = self.config.load_full()
            && made.snapshot.generation() == snapshot.generation()
        {
            return Ok(made);
        }
        let config = snapshot.server(self.anonymous)?;
        let made = Arc::new(Made {
            snapshot,
            config: Arc::new(config),
        });
        self.config.store(Some(Arc::clone(&made)));
        Ok(made)
    }
}
