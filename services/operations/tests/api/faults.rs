//! What goes wrong below: told with a code that says whether to come back, and never with what is inside.

use cleave_storage::StorageError;
use operations::app::Error;
use operations_client::{CallError, pb};
use sea_orm::{ConnectionTrait, DbErr};
use tonic::{Code, Status};

use crate::make::advertiser;
use crate::server::{Server, refused};

#[tokio::test]
async fn given_a_row_that_cannot_be_when_read_then_internal_tells_nothing_of_it() {
    let server = Server::alone().await;
    let subject = advertiser(&server).await;
    let tampered = server
        .database
        .db()
        .transaction("tamper", |txn| async move {
            txn.execute_unprepared("UPDATE advertisers SET state = 'SECRET'")
                .await?;
            Ok::<_, StorageError>(())
        })
        .await;
    tampered.unwrap();

    let request = pb::GetAdvertiserRequest { id: subject.id };
    let answer = server.client.get_advertiser(request).await;

    let error = refused(answer, Code::Internal, "INTERNAL");
    assert!(!error.message.contains("SECRET"), "{error:?}");
}

#[test]
fn faults_that_pass_are_told_from_those_that_stay() {
    let broken =
        |make: fn(DbErr) -> StorageError| Error::from(make(DbErr::Custom("secret".to_owned())));
    let cases = [
        (
            broken(|source| StorageError::Unavailable { source }),
            Code::Unavailable,
            "DATABASE_UNAVAILABLE",
        ),
        (
            broken(|source| StorageError::TimedOut { source }),
            Code::Unavailable,
            "DATABASE_UNAVAILABLE",
        ),
        (
            broken(|source| StorageError::Contention { source }),
            Code::Aborted,
            "CONTENTION",
        ),
        (
            broken(|source| StorageError::Internal { source }),
            Code::Internal,
            "INTERNAL",
        ),
        (Error::Overloaded, Code::ResourceExhausted, "OVERLOADED"),
        (Error::ShuttingDown, Code::Unavailable, "SHUTTING_DOWN"),
        (
            Error::Fault("secret".to_owned()),
            Code::Internal,
            "INTERNAL",
        ),
    ];
    for (error, code, reason) in cases {
        let told = CallError::from(Status::from(error));
        assert!(!told.message.contains("secret"), "{told:?}");
        let pauses = matches!(reason, "OVERLOADED" | "DATABASE_UNAVAILABLE");
        assert_eq!(told.retry_after.is_some(), pauses, "{told:?}");
        refused(Err::<(), _>(told), code, reason);
    }
}
