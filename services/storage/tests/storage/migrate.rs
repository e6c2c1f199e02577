//! Migrations run once, whoever starts them and however often.

use cleave_storage::testing::TestDatabase;
use cleave_storage::{feed, migrate, migrations};
use sea_orm_migration::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_empty_schema_when_replicas_migrate_at_once_then_all_succeed() {
    for test in TestDatabase::each_engine().await {
        let replicas = [
            test.replica().await,
            test.replica().await,
            test.replica().await,
        ];
        let runs =
            replicas.map(|db| tokio::spawn(async move { migrate::run(&db, &migrations()).await }));
        let mut applied = Vec::new();
        for run in runs {
            let names = run.await.expect("a run finishes").expect("a run succeeds");
            applied.push(names.len());
        }
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, migrations().len()], "{test:?}");
        let head = feed::head(test.db().reader()).await.expect("a feed");
        assert_eq!((head.seq, head.floor), (0, 0), "{test:?}");
    }
}

#[tokio::test]
async fn given_a_newer_list_when_run_then_only_what_is_missing_is_applied() {
    for test in TestDatabase::each_engine().await {
        let older = migrations();
        let mut newer = migrations();
        newer.push(Box::new(AddNote));
        let pending = migrate::pending(test.db(), &older).await.expect("names");
        assert_eq!(pending.len(), older.len(), "{test:?}");
        migrate::run(test.db(), &older).await.expect("a run");
        let pending = migrate::pending(test.db(), &newer).await.expect("names");
        assert_eq!(pending, ["test_add_note"], "{test:?}");
        let applied = migrate::run(test.db(), &newer).await.expect("a run");
        assert_eq!(applied, ["test_add_note"], "{test:?}");
        // The older release starts against the newer schema.
        let applied = migrate::run(test.db(), &older).await.expect("a run");
        assert!(applied.is_empty(), "{test:?}");
    }
}

#[tokio::test]
async fn given_a_newer_schema_when_an_older_release_starts_then_it_runs_unless_it_lost_something() {
    for test in TestDatabase::each_engine().await {
        let older = migrations();
        let mut newer = migrations();
        newer.push(Box::new(AddNote));
        migrate::run(test.db(), &newer).await.expect("a run");
        let names = migrate::newer(test.db(), &older).await.expect("names");
        assert_eq!(names, ["test_add_note"], "{test:?}");

        // What only adds is run on, whether the older release may migrate or not.
        for apply in [false, true] {
            let ready = migrate::prepare(test.db(), &older, apply).await;
            ready.unwrap_or_else(|error| panic!("{test:?}: {error}"));
        }
        let mut newest = migrations();
        newest.push(Box::new(AddNote));
        newest.push(Box::new(DropNote));
        let error = migrate::prepare(test.db(), &newest, false).await;
        let error = error.expect_err("a step is missing");
        assert!(error.to_string().contains("1 steps"), "{test:?}: {error}");
        migrate::run(test.db(), &newest).await.expect("a run");

        // What takes something away is not.
        for apply in [false, true] {
            let error = migrate::prepare(test.db(), &older, apply).await;
            let error = error.expect_err("it lost what it uses");
            assert!(error.to_string().contains("test_contract_note"), "{error}");
        }
    }
}

#[tokio::test]
async fn given_a_migration_that_fails_when_run_again_then_it_goes_on() {
    for test in TestDatabase::each_engine().await {
        let mut broken = migrations();
        broken.push(Box::new(Broken));
        let error = migrate::run(test.db(), &broken).await.expect_err("broken");
        assert_eq!(error.kind(), "internal", "{test:?}: {error:?}");
        migrate::run(test.db(), &migrations()).await.expect("a run");
        let pending = migrate::pending(test.db(), &migrations())
            .await
            .expect("names");
        assert!(pending.is_empty(), "{test:?}");
    }
}

struct AddNote;

impl MigrationName for AddNote {
    fn name(&self) -> &str {
        "test_add_note"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AddNote {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("note")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .to_owned();
        manager.create_table(table).await
    }
}

struct DropNote;

impl MigrationName for DropNote {
    fn name(&self) -> &str {
        "test_contract_note"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for DropNote {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("note").to_owned();
        manager.drop_table(table).await
    }
}

struct Broken;

impl MigrationName for Broken {
    fn name(&self) -> &str {
        "test_broken"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Broken {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("CREATE NONSENSE").await?;
        Ok(())
    }
}
