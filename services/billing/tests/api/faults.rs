//! What goes wrong below: told with a code that says whether to come back, and never with what is inside.

use crate::server::{Server, refused};
use billing::app::Error;
use billing_client::{CallError, pb};
use billing_store::StoreError;
use cleave_storage::StorageError;
use sea_orm::{ConnectionTrait, DbErr};
use tonic::{Code, Status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_row_that_cannot_be_when_read_then_internal_tells_nothing_of_it() {
    let server = Server::start().await;
    let account = server.advertiser(1).await;
    server
        .database
        .db()
        .transaction("tamper", |txn| async move {
            txn.execute_unprepared("UPDATE accounts SET mode = 77")
                .await?;
            Ok::<_, StorageError>(())
        })
        .await
        .unwrap();
    let key = Some(pb::get_account_request::Key::AccountId(account.id));
    let answer = server
        .client
        .get_account(pb::GetAccountRequest { key })
        .await;
    let error = refused(answer, Code::Internal, "INTERNAL");
    assert!(!error.message.contains("77"), "{error:?}");
}

#[test]
fn faults_that_pass_say_so_and_when_to_come_back() {
    let broken = |make: fn(DbErr) -> StorageError| {
        Error::from(StoreError::from(make(DbErr::Custom("secret".to_owned()))))
    };
    let cases = [
        (
            broken(|source| StorageError::Unavailable { source }),
            Code::Unavailable,
            "STORE_UNAVAILABLE",
        ),
        (
            broken(|source| StorageError::Contention { source }),
            Code::Aborted,
            "CONTENTION",
        ),
        (
            Error::from(StoreError::Overloaded),
            Code::ResourceExhausted,
            "OVERLOADED",
        ),
        (
            Error::from(StoreError::Closed),
            Code::Unavailable,
            "SHUTTING_DOWN",
        ),
    ];
    for (error, code, reason) in cases {
        let told = CallError::from(Status::from(error));
        assert!(told.retry_after.is_some(), "{told:?}");
        assert!(!told.message.contains("secret"), "{told:?}");
        refused(Err::<(), _>(told), code, reason);
    }
}
