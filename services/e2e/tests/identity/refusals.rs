//! Who is refused, and whether it is said why.

use crate::{World, raw};
use anyhow::Result;
use billing_client::{BillingClient, CallError, pb as billing};
use cleave_e2e::identities::{Authority, Identity};
use cleave_mesh::{Cause, Mesh, MeshChannel, MeshError};
use std::net::SocketAddr;
use tonic::Code;

/// Why a read over this channel fails.
async fn refusal(channel: MeshChannel) -> CallError {
    let request = billing::GetBalancesRequest {
        owner: Some(billing::get_balances_request::Owner::AccountId(
            "acct_00000000000000000000000000".to_owned(),
        )),
    };
    let called = BillingClient::new(channel).get_balances(request).await;
    called.err().unwrap_or_else(|| panic!("was answered"))
}

fn expect(error: &CallError, code: Code, cause: Cause, text: &str) {
    assert_eq!((error.code, error.cause), (code, cause), "{error}");
    assert!(error.message.contains(text), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_a_caller_is_not_named_by_the_contract_then_permission_is_denied()
-> Result<()> {
    let world = World::started().await?;
    let billing = &world.pair.billing;

    let stranger = refusal(billing.channel_by(&world.workload("stranger")?)?).await;
    let nobody = raw::channel(
        &world.cleave.credentials()?,
        "billing",
        billing.addr(),
        None,
    )?;
    let nobody = refusal(nobody).await;

    for (error, reason) in [(&stranger, "CALLER_NOT_ALLOWED"), (&nobody, "NO_IDENTITY")] {
        assert_eq!(error.code, Code::PermissionDenied, "{error}");
        assert_eq!(error.domain.as_deref(), Some("mesh.cleave"));
        assert!(error.is_reason(reason), "{error}");
        assert_eq!(error.cause, Cause::Refused);
    }
    assert_eq!(stranger.metadata["caller"], "stranger");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_a_certificate_is_worthless_then_the_caller_learns_why() -> Result<()>
{
    let mut world = World::new().await?;
    // Nobody at all may connect without a certificate.
    world.pair.billing.set("host.tls.health", "identified");
    world.pair.start().await?;
    let (billing, cleave) = (&world.pair.billing, world.cleave.credentials()?);
    let to_billing = |issued| raw::channel(&cleave, "billing", billing.addr(), issued);

    let expired = world.authority.issue_expired("cleave")?;
    let error = refusal(to_billing(Some(&expired))?).await;
    let (code, cause) = (Code::Unavailable, Cause::IdentityRefused);
    expect(&error, code, cause, "CertificateExpired");

    let foreign = Authority::new()?.issue("cleave")?;
    let error = refusal(to_billing(Some(&foreign))?).await;
    expect(&error, code, cause, "UnknownCA");

    let error = refusal(to_billing(None)?).await;
    expect(&error, code, cause, "CertificateRequired");

    // An expired certificate is not even loaded.
    let own = Identity::new(&world.authority, "cleave")?;
    own.prove(&expired)?;
    let refused = own.credentials().expect_err("expired");
    assert!(format!("{refused:#}").contains("expired"), "{refused:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_the_peer_does_not_prove_who_it_is_then_nothing_is_sent() -> Result<()>
{
    let world = World::started().await?;
    let (billing, operations) = (&world.pair.billing, &world.pair.operations);
    let cleave = world.cleave.credentials()?;
    let to_billing_at = |address: SocketAddr| -> Result<MeshChannel> {
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .credentials(cleave.clone())
            .peer("billing", &format!("https://{address}"))
            .build()?;
        Ok(mesh.to("billing")?)
    };
    let (code, cause) = (Code::Unavailable, Cause::PeerUntrusted);

    let error = refusal(to_billing_at(operations.addr())?).await;
    expect(&error, code, cause, "the server is operations, not billing");

    let expired = raw::impostor(&world.authority.issue_expired("billing")?).await?;
    let error = refusal(to_billing_at(expired)?).await;
    expect(&error, code, cause, "expired");

    let foreign = raw::impostor(&Authority::new()?.issue("billing")?).await?;
    let error = refusal(to_billing_at(foreign)?).await;
    expect(&error, code, cause, "UnknownIssuer");

    // One end in plaintext.
    let error = refusal(billing.channel()?).await;
    expect(&error, code, Cause::TlsMismatch, "the peer speaks TLS");
    let plain = tonic_server_in_plaintext().await?;
    let error = refusal(to_billing_at(plain)?).await;
    expect(&error, code, Cause::TlsMismatch, "does not speak TLS");
    Ok(())
}

/// Something that answers whatever it is told, but not in TLS.
async fn tonic_server_in_plaintext() -> Result<SocketAddr> {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The settings of HTTP/2, as a server in plaintext begins.
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    });
    Ok(address)
}

#[tokio::test]
async fn given_no_leave_when_plaintext_would_go_beyond_loopback_then_no_mesh_is_built() {
    let build = |address: &str, allowed| {
        Mesh::builder(cleave_contracts::POLICIES)
            .allow_plaintext(allowed)
            .peer("billing", address)
            .build()
    };

    let refused = build("http://192.0.2.1:50052", false).expect_err("refused");

    assert!(matches!(refused, MeshError::Plaintext { .. }), "{refused}");
    build("http://192.0.2.1:50052", true).expect("asked for by name");
    build("http://localhost:50052", false).expect("loopback");
    let refused = build("https://192.0.2.1:50052", true).expect_err("no certificate");
    assert!(
        matches!(refused, MeshError::NoCredentials { .. }),
        "{refused}"
    );
    let refused = build("https://127.0.0.1:1,http://127.0.0.1:2", true).expect_err("mixed");
    assert!(matches!(refused, MeshError::MixedSchemes(_)), "{refused}");
}
