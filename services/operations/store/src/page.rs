//! Lists, page by page: ordered by creation, then by id.

use cleave_kernel::Timestamp;
use operations_domain::named::Named;
use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait, Order, SelectStatement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// When the last row was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Which page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The end of the page before, if there is one.
    pub after: Option<Position>,
    /// Most rows to read.
    pub limit: u64,
}

impl PageRequest {
    pub(crate) fn apply(&self, select: &mut SelectStatement) {
        if let Some(Position { created_at, id }) = self.after {
            // A row comparison would do, but not every engine uses an index for one.
            let later = Expr::col("created_at").gt(created_at.micros());
            let same = Expr::col("created_at")
                .eq(created_at.micros())
                .and(Expr::col("id").gt(id));
            select
                .and_where(Expr::col("created_at").gte(created_at.micros()))
                .and_where(later.or(same));
        }
        select
            .order_by("created_at", Order::Asc)
            .order_by("id", Order::Asc)
            .limit(self.limit);
    }
}

/// What the rows of a list must have in common.
#[derive(Debug, Clone, Default)]
pub struct Filter(Vec<Condition>);

#[derive(Debug, Clone)]
enum Condition {
    Is(&'static str, Value),
    In(&'static str, Vec<Value>),
}

impl Filter {
    /// Every row.
    pub const fn all() -> Self {
        Self(Vec::new())
    }

    /// Only rows whose `column` is `value`, if there is one.
    #[must_use]
    pub fn is(mut self, column: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.push(Condition::Is(column, value.into()));
        }
        self
    }

    /// Only rows whose `column` is one of `names`, if there are any.
    #[must_use]
    pub fn any<N: Named>(mut self, column: &'static str, names: &[N]) -> Self {
        if !names.is_empty() {
            let names = names.iter().map(|name| name.name().into()).collect();
            self.0.push(Condition::In(column, names));
        }
        self
    }

    pub(crate) fn apply(self, select: &mut SelectStatement) {
        for condition in self.0 {
            match condition {
                Condition::Is(column, value) => {
                    select.and_where(Expr::col(column).eq(Expr::val(value)))
                }
                Condition::In(column, values) => select.and_where(Expr::col(column).is_in(values)),
            };
        }
    }
}
