//! Known callers, and what every check of keys must keep to.

use std::collections::HashMap;

use crewd_domain::shared::TenantId;

use crate::ports::{Authenticator, Caller};

/// Knows the keys a test tells it. Needs a key as soon as it knows one.
#[derive(Clone, Debug, Default)]
pub struct FixedKeys {
    callers: HashMap<String, Caller>,
}

impl FixedKeys {
    /// Lets everybody in.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a key of a tenant.
    #[must_use]
    pub fn with(mut self, key: &str, tenant: TenantId, name: &str) -> Self {
        self.callers.insert(key.to_owned(), Caller { tenant, name: name.to_owned() });
        self
    }
}

impl Authenticator for FixedKeys {
    fn is_required(&self) -> bool {
        !self.callers.is_empty()
    }

    fn authenticate(&self, key: &str) -> Option<Caller> {
        self.callers.get(key).cloned()
    }
}

/// Checks the promises of [`Authenticator`] with one that knows `good_key`, of at least eight letters in upper and
/// lower case.
///
/// # Panics
/// Where one is broken.
pub fn check_authenticator(authenticator: &dyn Authenticator, good_key: &str) {
    assert!(authenticator.is_required(), "who has keys wants to see one");
    let caller = authenticator.authenticate(good_key);
    assert!(caller.is_some(), "the key is good");
    assert_eq!(caller, authenticator.authenticate(good_key), "and stays good");
    let name = caller.map(|caller| caller.name).unwrap_or_default();
    assert!(!name.is_empty() && !name.contains(good_key) && !good_key.contains(&name), "the name gives nothing of the key away");
    let near_misses = [
        String::new(),
        good_key.to_uppercase(),
        good_key.to_lowercase(),
        format!("{good_key} "),
        format!(" {good_key}"),
        format!("{good_key}{good_key}"),
        format!("{good_key}\0"),
        good_key.chars().skip(1).collect(),
        good_key.chars().rev().collect(),
        name,
    ];
    for miss in near_misses {
        assert_eq!(authenticator.authenticate(&miss), None, "{miss:?} is another key");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fake_keeps_the_promises_of_the_port() {
        check_authenticator(&FixedKeys::none().with("Secret-Key-1", TenantId::default_tenant(), "tester"), "Secret-Key-1");
        assert!(!FixedKeys::none().is_required());
    }
}
