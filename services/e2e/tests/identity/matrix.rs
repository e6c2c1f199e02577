//! Every method of the contracts, called by everybody: allowed exactly when its policy names the caller.

use crate::{World, raw};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use cleave_mesh::{CallError, Cause, MeshChannel};
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt as _;

/// A message of no bytes.
const EMPTY: &[u8] = &[0; 5];

/// What is to become of a call.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Its handler had it, whatever it said.
    Let,
    /// Refused: this workload may not make it.
    NotAllowed,
    /// Refused: nobody knows who calls.
    NoIdentity,
    /// Not sent: one end speaks TLS, the other plaintext.
    TlsMismatch,
}

/// Calls a method with an empty message, and looks only as far as its headers.
async fn call(channel: MeshChannel, path: &str) -> Result<Fate> {
    let mut request = Request::new(Body::new(Full::new(Bytes::from_static(EMPTY))));
    *request.uri_mut() = path.parse()?;
    *request.method_mut() = http::Method::POST;
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert(header::CONTENT_TYPE, grpc);
    request
        .headers_mut()
        .insert("te", HeaderValue::from_static("trailers"));
    let status = match channel.oneshot(request).await {
        Err(status) => Some(status),
        Ok(response) => Status::from_header_map(response.headers()),
    };
    let Some(error) = status.map(CallError::from) else {
        return Ok(Fate::Let);
    };
    Ok(match (error.code, error.domain.as_deref(), error.cause) {
        (Code::PermissionDenied, Some("mesh.cleave"), _) => {
            match error.reason.as_deref().context("a reason")? {
                "CALLER_NOT_ALLOWED" => Fate::NotAllowed,
                "NO_IDENTITY" => Fate::NoIdentity,
                other => anyhow::bail!("{path}: {other}"),
            }
        }
        (Code::Unavailable, _, Cause::TlsMismatch) => Fate::TlsMismatch,
        (Code::Unavailable, _, cause) => anyhow::bail!("{path}: {error}: {cause}"),
        _ => Fate::Let,
    })
}

/// Everybody who might call, with a channel to each of the two services.
struct Caller {
    name: &'static str,
    identity: bool,
    operations: MeshChannel,
    billing: MeshChannel,
}

fn callers(world: &World) -> Result<Vec<Caller>> {
    let (operations, billing) = (&world.pair.operations, &world.pair.billing);
    let mut callers = Vec::new();
    for name in ["operations", "billing", "cleave", "stranger"] {
        let credentials = world.workload(name)?;
        callers.push(Caller {
            name,
            identity: true,
            operations: operations.channel_by(&credentials)?,
            billing: billing.channel_by(&credentials)?,
        });
    }
    let cleave = world.cleave.credentials()?;
    callers.push(Caller {
        name: "nobody",
        identity: false,
        operations: raw::channel(&cleave, "operations", operations.addr(), None)?,
        billing: raw::channel(&cleave, "billing", billing.addr(), None)?,
    });
    Ok(callers)
}

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_everybody_calls_everything_then_the_policies_decide() -> Result<()> {
    let world = World::started().await?;
    let mut allowed = 0;
    let mut methods = 0;
    for caller in callers(&world)? {
        // Who may ask for the contract itself is a rule of the host's, as with health.
        let of_a_side = |path: &str| !path.starts_with("/cleave.mesh.");
        for method in cleave_contracts::POLICIES
            .iter()
            .filter(|method| of_a_side(method.path))
        {
            let channel = match method.path.starts_with("/cleave.billing.") {
                true => &caller.billing,
                false => &caller.operations,
            };
            let expected = match (caller.identity, method.callers.contains(&caller.name)) {
                (true, true) => Fate::Let,
                (true, false) => Fate::NotAllowed,
                (false, _) => Fate::NoIdentity,
            };
            let fate = call(channel.clone(), method.path).await?;
            assert_eq!(fate, expected, "{} calls {}", caller.name, method.path);
            allowed += usize::from(fate == Fate::Let);
            methods += 1;
        }
    }
    println!("{allowed} of {methods} pairs of caller and method are allowed");
    assert!(allowed > 0 && allowed < methods);

    // Plaintext gets nowhere.
    let plain = world.pair.billing.channel()?;
    let path = "/cleave.billing.v1.AccountService/GetAccount";
    assert_eq!(call(plain, path).await?, Fate::TlsMismatch);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_everybody_asks_for_health_then_its_own_rule_decides() -> Result<()> {
    let mut world = World::new().await?;
    // Everyone may ask Operations for its health and no one Billing; reflection is for the identified, or
    // for no one.
    world.pair.billing.set("host.tls.health", "nobody");
    world.pair.billing.set("host.tls.reflection", "nobody");
    world.pair.start().await?;
    let health = "/grpc.health.v1.Health/Check";
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let unknown = "/cleave.operations.v1.NoService/NoMethod";
    for caller in callers(&world)? {
        let channel = &caller.operations;
        let fate = call(channel.clone(), health).await?;
        assert_eq!(fate, Fate::Let, "{}", caller.name);
        let (known, strange) = match caller.identity {
            true => (Fate::Let, Fate::NotAllowed),
            false => (Fate::NoIdentity, Fate::NoIdentity),
        };
        let fate = call(channel.clone(), reflection).await?;
        assert_eq!(fate, known, "{}", caller.name);
        let fate = call(channel.clone(), unknown).await?;
        assert_eq!(fate, strange, "{}", caller.name);

        // Where no one may ask without a certificate, no one connects without one.
        if caller.identity {
            for path in [health, reflection] {
                let fate = call(caller.billing.clone(), path).await?;
                assert_eq!(fate, Fate::NotAllowed, "{}", caller.name);
            }
        } else {
            let refused = call(caller.billing.clone(), health).await;
            let why = refused.expect_err("no connection").to_string();
            assert!(why.contains("CertificateRequired"), "{why}");
        }
    }
    Ok(())
}
