//! The service that is orchestrated.

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Operations,
    Billing,
}

impl Side {
    /// Its name, and that of everything in the manifests that is its.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Billing => "billing",
        }
    }

    /// The other one, which is not there.
    pub(crate) const fn peer(self) -> &'static str {
        match self {
            Self::Operations => Self::Billing.name(),
            Self::Billing => Self::Operations.name(),
        }
    }

    /// The binary of its image.
    pub(crate) const fn binary(self) -> &'static str {
        match self {
            Self::Operations => env!("CARGO_BIN_EXE_e2e-operations"),
            Self::Billing => env!("CARGO_BIN_EXE_e2e-billing"),
        }
    }

    /// The variable that the Secret with the database's URL fills.
    pub(crate) const fn database_variable(self) -> &'static str {
        match self {
            Self::Operations => "OPERATIONS__DATABASE__URL",
            Self::Billing => "BILLING__DATABASE__URL",
        }
    }
}
