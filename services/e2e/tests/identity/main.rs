//! Both services as processes that prove to each other who they are.

mod matrix;
mod pair;
mod raw;
mod refusals;
mod rotation;

use anyhow::Context as _;
use cleave_e2e::identities::{Authority, Identity};
use cleave_e2e::{Engine, Identities, Pair, Programs};
use cleave_mesh::tls::Credentials;
use std::path::Path;
use std::sync::Arc;

/// The pair, with everything that proves who is who.
struct World {
    authority: Authority,
    pair: Pair,
    identities: Identities,
    /// The command, and thereby the test.
    cleave: Arc<Identity>,
}

impl World {
    /// A pair with identities, not started yet.
    async fn new() -> anyhow::Result<Self> {
        let programs = Programs {
            operations: Path::new(env!("CARGO_BIN_EXE_e2e-operations")),
            billing: Path::new(env!("CARGO_BIN_EXE_e2e-billing")),
        };
        let pair = Pair::new(Engine::Sqlite, programs).await?;
        let mut pair = pair.context("SQLite is always at hand")?;
        let authority = Authority::new()?;
        let identities = pair.identify(&authority)?;
        let cleave = Arc::new(Identity::new(&authority, "cleave")?);
        Ok(Self {
            authority,
            pair,
            identities,
            cleave,
        })
    }

    /// A pair with identities, started.
    async fn started() -> anyhow::Result<Self> {
        let mut world = Self::new().await?;
        world.pair.start().await?;
        Ok(world)
    }

    /// The credentials of a workload of this name.
    fn workload(&self, name: &str) -> anyhow::Result<Credentials> {
        Identity::new(&self.authority, name)?.credentials()
    }
}
