//! What other machines may do on the admin port.

use crate::rig::{host, page, put, reply};
use cleave_host::{Listen, Listener, Running};
use cleave_mesh::BoxIo;
use futures::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The machine's own network, on which everybody seems to come from here.
struct From(SocketAddr);

struct Port(TcpListener, SocketAddr);

impl Listen for From {
    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let remote = self.0;
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            let port: Box<dyn Listener> = Box::new(Port(listener, remote));
            Ok(port)
        })
    }
}

impl Listener for Port {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxIo, SocketAddr)>> {
        Box::pin(async move {
            let (stream, _) = self.0.accept().await?;
            let io: BoxIo = Box::new(stream);
            Ok((io, self.1))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A service whose callers all come from this address.
async fn start(remote: &str, changes: &[(&str, &str)]) -> Running {
    let remote = remote.parse().expect("an address");
    let host = host(changes, |_| async { reply("fine") });
    let running = host.network(Arc::new(From(remote))).start().await;
    running.expect("started")
}

#[tokio::test]
async fn given_another_machine_when_it_asks_for_messages_or_changes_then_it_is_told_how_to_come() {
    for remote in ["192.0.2.7:4711", "[2001:db8::7]:4711"] {
        let running = start(remote, &[]).await;
        let admin = running.admin_addr();

        let refused = [
            page(admin, "/tap?limit=0").await,
            put(admin, "/log", "off").await,
        ];

        for (code, text) in refused {
            assert_eq!(code, 403, "{text}");
            for part in [
                "this machine alone",
                "port-forward",
                "host.admin_remote_control",
            ] {
                assert!(text.contains(part), "{part} is not in: {text}");
            }
        }
        // What watches from elsewhere goes on
        for path in ["/", "/metrics", "/healthz", "/mesh", "/log"] {
            let (code, _) = page(admin, path).await;
            assert_ne!(code, 403, "{path}");
        }
    }
}

#[tokio::test]
async fn given_this_machine_or_permission_when_it_asks_for_messages_then_it_sees_them() {
    let open: &[(&str, &str)] = &[("host.admin_remote_control", "true")];
    for (remote, changes) in [
        ("127.0.0.1:4711", &[][..]),
        ("[::1]:4711", &[][..]),
        ("[::ffff:127.0.0.1]:4711", &[][..]),
        ("192.0.2.7:4711", open),
    ] {
        let running = start(remote, changes).await;

        let (code, text) = page(running.admin_addr(), "/tap?limit=0").await;

        assert_eq!(code, 200, "{remote}: {text}");
    }
}
