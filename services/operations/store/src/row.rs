//! Reading rows column by column, and refusing what cannot have been written.

use std::fmt::Display;
use std::str::FromStr;

use cleave_kernel::{Currency, Micros, Timestamp};
use cleave_storage::StorageError;
use operations_domain::Flight;
use operations_domain::named::Named;
use sea_orm::{QueryResult, TryGetable, Value};

/// A row of which columns are taken from left to right.
pub struct Row<'a> {
    result: &'a QueryResult,
    next: usize,
}

impl<'a> Row<'a> {
    /// The row behind `result`, from its first column on.
    pub const fn new(result: &'a QueryResult) -> Self {
        Self { result, next: 0 }
    }

    /// The next column.
    ///
    /// # Errors
    /// When it holds something else than a `T`.
    pub fn take<T: TryGetable>(&mut self) -> Result<T, StorageError> {
        let value = self.result.try_get_by_index(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// The next column, which holds the text of a `T`.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse<T: FromStr<Err: Display>>(&mut self) -> Result<T, StorageError> {
        let text: String = self.take()?;
        text.parse().map_err(corrupt)
    }

    /// The next column, which holds a number that fits into a `T`.
    ///
    /// # Errors
    /// When the number does not.
    pub fn number<T: TryFrom<i64, Error: Display>>(&mut self) -> Result<T, StorageError> {
        T::try_from(self.take()?).map_err(corrupt)
    }

    /// The next column as an amount.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn micros(&mut self) -> Result<Micros, StorageError> {
        self.take().map(Micros::new)
    }

    /// The next column as an amount, or nothing.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn maybe_micros(&mut self) -> Result<Option<Micros>, StorageError> {
        Ok(self.take::<Option<i64>>()?.map(Micros::new))
    }

    /// The next column as an instant.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn at(&mut self) -> Result<Timestamp, StorageError> {
        self.take().map(Timestamp::from_micros)
    }

    /// The next column as an instant, or nothing.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn maybe_at(&mut self) -> Result<Option<Timestamp>, StorageError> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    /// The next column as an id, or nothing.
    ///
    /// # Errors
    /// When it is not a UUID.
    pub fn maybe_id<T>(&mut self, id: fn(uuid::Uuid) -> T) -> Result<Option<T>, StorageError> {
        Ok(self.take::<Option<uuid::Uuid>>()?.map(id))
    }

    /// The next two columns as a flight.
    ///
    /// # Errors
    /// When they are not instants.
    pub fn flight(&mut self) -> Result<Flight, StorageError> {
        Ok(Flight {
            starts_at: self.at()?,
            ends_at: self.maybe_at()?,
        })
    }
}

/// The stored form of a name.
pub(crate) fn name<N: Named>(value: N) -> Value {
    value.name().into()
}

/// The stored form of an amount.
pub(crate) fn micros(amount: Micros) -> Value {
    amount.get().into()
}

/// The stored form of an amount, or nothing.
pub(crate) fn maybe_micros(amount: Option<Micros>) -> Value {
    amount.map(Micros::get).into()
}

/// The stored form of an instant.
pub(crate) fn at(instant: Timestamp) -> Value {
    instant.micros().into()
}

/// The stored form of an instant, or nothing.
pub(crate) fn maybe_at(instant: Option<Timestamp>) -> Value {
    instant.map(Timestamp::micros).into()
}

/// The stored form of a currency.
pub(crate) fn currency(currency: Currency) -> Value {
    currency.code().into()
}

/// The stored form of a text, or nothing.
pub(crate) fn maybe_text(text: Option<&String>) -> Value {
    text.cloned().into()
}

/// The fault of a row that cannot have been written.
pub(crate) fn corrupt(error: impl Display) -> StorageError {
    StorageError::Corrupt(error.to_string())
}
