//! The limit of writes: the statements that Billing issues, prepared and issued bare, one transaction a call.
//!
//! No rule is applied, nothing is answered over a wire, and nothing is gathered: each caller has a transaction of
//! its own, as a service without the ledger writer would.

use anyhow::Result;
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Engine, StorageError};
use fastrand::usize as random;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::billing::CURRENCY;
use crate::service::unused_database;
use crate::setup::Bench;

/// Bytes of a remembered outcome, as long as a reservation's.
const OUTCOME: usize = 600;
/// An instant; which one costs nothing.
const NOW: i64 = 1_800_000_000_000_000;

/// A database with Billing's schema, which no service uses.
pub(crate) struct Bare {
    database: TestDatabase,
    backend: DbBackend,
    accounts: Vec<Account>,
    /// The platform's side of every transfer.
    clearing: Uuid,
    /// What makes a SELECT take row locks.
    for_update: &'static str,
}

/// An advertiser's account and the ledger account of its balance.
#[derive(Clone, Copy)]
struct Account {
    id: Uuid,
    balance: Uuid,
}

impl Bare {
    /// A migrated database on `engine` with `count` accounts; `None` when that engine is not at hand.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) async fn prepare(
        bench: &Bench,
        engine: Engine,
        count: usize,
    ) -> Result<Option<Self>> {
        let Some(database) = unused_database(&bench.billing, engine).await? else {
            return Ok(None);
        };
        let (backend, for_update) = match engine {
            Engine::Sqlite => (DbBackend::Sqlite, ""),
            Engine::Postgres => (DbBackend::Postgres, " FOR UPDATE"),
            Engine::MySql => (DbBackend::MySql, " FOR UPDATE"),
        };
        let account = || Account {
            id: Uuid::now_v7(),
            balance: Uuid::now_v7(),
        };
        let accounts = (0..count).map(|_| account()).collect();
        let bare = Self {
            database,
            backend,
            accounts,
            clearing: Uuid::now_v7(),
            for_update,
        };
        bare.seed().await?;
        Ok(Some(bare))
    }

    async fn seed(&self) -> Result<()> {
        self.transaction(|run| async move {
            run.ledger_account(self.clearing, None).await?;
            run.execute("INSERT INTO sequences (name, taken) VALUES ('bare', 0)", [])
                .await?;
            for account in &self.accounts {
                run.account(account).await?;
                run.ledger_account(account.balance, Some(account.id))
                    .await?;
            }
            Ok(())
        })
        .await
    }

    /// Holds money on one account, as ReserveBudget does.
    ///
    /// # Errors
    /// When a statement fails.
    pub(crate) async fn reserve(&self) -> Result<()> {
        let account = self.accounts[random(..self.accounts.len())];
        self.transaction(|run| async move {
            let (lock, ids) = (
                self.for_update,
                [
                    account.balance.min(self.clearing),
                    account.balance.max(self.clearing),
                ],
            );
            run.query(
                &format!("SELECT * FROM accounts WHERE id = $1{lock}"),
                [account.id.into()],
            )
            .await?;
            let ledger =
                format!("SELECT * FROM ledger_accounts WHERE id IN ($1, $2) ORDER BY id{lock}");
            run.query(&ledger, ids.map(Value::from)).await?;
            run.query(
                "SELECT outcome FROM idempotency WHERE request_id = $1",
                [Uuid::now_v7().into()],
            )
            .await?;
            run.execute(
                "UPDATE accounts SET revision = revision + 1 WHERE id = $1",
                [account.id.into()],
            )
            .await?;
            let hold =
                "UPDATE ledger_accounts SET debits_pending = debits_pending + 1000 WHERE id = $1";
            run.execute(hold, [account.balance.into()]).await?;
            let clear =
                "UPDATE ledger_accounts SET credits_pending = credits_pending + 1000 WHERE id = $1";
            run.execute(clear, [self.clearing.into()]).await?;
            let reservation = Uuid::now_v7();
            run.reservation(reservation, &account).await?;
            run.remember().await?;
            run.transfer(reservation, &account, self.clearing).await?;
            run.change(account.id).await
        })
        .await
    }

    /// Stores a batch of rated rows and moves the cursor, as the rating of a batch does at least.
    ///
    /// # Errors
    /// When a statement fails.
    pub(crate) async fn store_rows(&self, count: usize) -> Result<()> {
        const COLUMNS: usize = 6;
        // SQLite takes what bears a number for a name, and looks each name up among all others.
        let place = |number: usize| match self.backend {
            DbBackend::Sqlite => "?".to_owned(),
            _ => format!("${number}"),
        };
        let places: Vec<String> = (0..count)
            .map(|row| {
                let places: Vec<_> = (1..=COLUMNS).map(|n| place(row * COLUMNS + n)).collect();
                format!("({})", places.join(", "))
            })
            .collect();
        let insert = format!(
            "INSERT INTO rated_rows (id, bucket_id, source, hour, revision, quantity) VALUES {} ON CONFLICT (id) DO UPDATE SET \
             bucket_id = excluded.bucket_id, revision = excluded.revision, quantity = excluded.quantity",
            places.join(", ")
        );
        let (insert, bucket) = (&insert, Uuid::now_v7());
        self.transaction(|run| async move {
            let cursor = format!(
                "SELECT * FROM rating_cursor WHERE name = 'delivery'{}",
                self.for_update
            );
            run.query(&cursor, []).await?;
            let rows = (0..count).flat_map(|_| -> [Value; COLUMNS] {
                let id = Uuid::now_v7();
                [
                    id.into(),
                    bucket.into(),
                    "bench".into(),
                    NOW.into(),
                    1_i64.into(),
                    100_i64.into(),
                ]
            });
            run.execute(insert, rows).await?;
            run.execute(
                "UPDATE rating_cursor SET revision = revision + 1 WHERE name = 'delivery'",
                [],
            )
            .await
        })
        .await
    }

    async fn transaction<'a, Body, Done>(&'a self, body: Body) -> Result<()>
    where
        Body: Fn(Run<cleave_storage::Transaction>) -> Done,
        Done: Future<Output = Result<(), StorageError>> + 'a,
    {
        let body = &body;
        let run = |txn| {
            body(Run {
                txn,
                backend: self.backend,
            })
        };
        Ok(self.database.db().transaction("bare", run).await?)
    }
}

/// Statements within one transaction.
struct Run<C> {
    txn: C,
    backend: DbBackend,
}

impl<C: ConnectionTrait> Run<C> {
    async fn execute(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<(), StorageError> {
        self.txn
            .execute_raw(Statement::from_sql_and_values(self.backend, sql, values))
            .await?;
        Ok(())
    }

    async fn query(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<i64, StorageError> {
        let rows = self
            .txn
            .query_all_raw(Statement::from_sql_and_values(self.backend, sql, values))
            .await?;
        let number = rows.first().and_then(|row| row.try_get_by_index(0).ok());
        Ok(number.unwrap_or_default())
    }

    async fn account(&self, account: &Account) -> Result<(), StorageError> {
        let insert = "INSERT INTO accounts (id, party, ops_id, display_name, currency, mode, credit_limit, net_days, state, \
                      version, revision, created_at, updated_at) VALUES ($1, 1, $2, 'Bare', $3, 1, 0, 30, 1, 1, 1, $4, $4)";
        let ops_id = Uuid::now_v7();
        self.execute(
            insert,
            [
                account.id.into(),
                ops_id.into(),
                CURRENCY.into(),
                NOW.into(),
            ],
        )
        .await
    }

    async fn ledger_account(&self, id: Uuid, owner: Option<Uuid>) -> Result<(), StorageError> {
        let insert = "INSERT INTO ledger_accounts (id, account_id, code, currency, debits_posted, credits_posted, \
                      debits_pending, credits_pending) VALUES ($1, $2, 1, $3, 0, 0, 0, 0)";
        self.execute(insert, [id.into(), owner.into(), CURRENCY.into()])
            .await
    }

    async fn reservation(&self, id: Uuid, account: &Account) -> Result<(), StorageError> {
        let insert = "INSERT INTO reservations (id, account_id, advertiser_id, line_item_id, terms_version, currency, granted, \
                      posted, freed, state, serve_until, settle_until, due_at, created_at) \
                      VALUES ($1, $2, $3, $4, 1, $5, 1000, 0, 0, 1, $6, $6, $6, $6)";
        let (advertiser, line_item) = (Uuid::now_v7(), Uuid::now_v7());
        let values: [Value; 6] = [
            id.into(),
            account.id.into(),
            advertiser.into(),
            line_item.into(),
            CURRENCY.into(),
            NOW.into(),
        ];
        self.execute(insert, values).await
    }

    async fn remember(&self) -> Result<(), StorageError> {
        let insert = "INSERT INTO idempotency (request_id, method, fingerprint, outcome, recorded_at) \
                      VALUES ($1, 'ReserveBudget', $2, $3, $4)";
        let (fingerprint, outcome) = (vec![7_u8; 32], vec![b'x'; OUTCOME]);
        self.execute(
            insert,
            [
                Uuid::now_v7().into(),
                fingerprint.into(),
                outcome.into(),
                NOW.into(),
            ],
        )
        .await
    }

    async fn transfer(
        &self,
        reservation: Uuid,
        account: &Account,
        clearing: Uuid,
    ) -> Result<(), StorageError> {
        let next = "UPDATE sequences SET taken = taken + 1 WHERE name = 'bare' RETURNING taken";
        let seq = self.query(next, []).await?;
        let insert = "INSERT INTO transfers (seq, id, debit_id, credit_id, amount, kind, group_id, booked_at, period, source_ref, \
                      reason) VALUES ($1, $2, $3, $4, 1000, 2, $5, $6, 202601, $7, 1)";
        let values: [Value; 7] = [
            seq.into(),
            reservation.into(),
            account.balance.into(),
            clearing.into(),
            Uuid::now_v7().into(),
            NOW.into(),
            reservation.to_string().into(),
        ];
        self.execute(insert, values).await
    }

    async fn change(&self, subject: Uuid) -> Result<(), StorageError> {
        let next = "UPDATE change_feed SET head_seq = head_seq + 1 RETURNING head_seq";
        let seq = self.query(next, []).await?;
        let insert = "INSERT INTO changes (seq, topic, subject, changed_at) VALUES ($1, 1, $2, $3) \
                      ON CONFLICT (topic, subject) DO UPDATE SET seq = excluded.seq, changed_at = excluded.changed_at";
        self.execute(insert, [seq.into(), subject.into(), NOW.into()])
            .await
    }
}
