//! Typed ids, so that a run id can never be passed where a task id belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id; version 7 keeps rows in the order of their creation.
            #[must_use]
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The wrapped id.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// A client's unit of work. Polling it always works, whatever happens to its runs.
    TaskId
);
uuid_id!(
    /// One execution of a task.
    RunId
);
uuid_id!(
    /// One worker process; a new start is a new worker.
    WorkerId
);
uuid_id!(
    /// A schedule.
    ScheduleId
);

/// The owner of everything: no row is read or written without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// Why a text is not a tenant id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a tenant id has 1 to 36 characters out of a-z, 0-9, '-' and '_'")]
pub struct InvalidTenantId;

impl TenantId {
    /// The tenant of an installation that has only one.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }

    /// The id as text, safe in file names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=36).contains(&text.len()) && text.chars().all(allowed) { Ok(Self(text)) } else { Err(InvalidTenantId) }
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_safe_in_a_path() {
        for bad in ["", "..", "a/b", "A", "é", "a.b", &"a".repeat(37)] {
            assert_eq!(TenantId::try_from(bad.to_owned()), Err(InvalidTenantId), "{bad}");
        }
        assert_eq!(TenantId::try_from("team-1_x".to_owned()).map(String::from), Ok("team-1_x".to_owned()));
    }

    #[test]
    fn ids_are_uuid_text() {
        let id = TaskId::new(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        assert!("x".parse::<RunId>().is_err());
    }
}
