//! Redis as a helper of several processes: hints, shared limits, cache. Never a place where something is kept.

use std::time::Duration;

use secrecy::SecretString;

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("redis.url", "APP_REDIS_URL").address(),
    Variable::new("redis.prefix", "APP_REDIS_PREFIX"),
    Variable::new("redis.connect_timeout", "APP_REDIS_CONNECT_TIMEOUT"),
    Variable::new("redis.timeout", "APP_REDIS_TIMEOUT"),
];

/// A request waits for Redis at most so long, so longer times would help nobody.
const LONGEST_WAIT_IN_SECONDS: f64 = 10.0;
const LONGEST_PREFIX: usize = 64;

/// The `redis` section.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Address of Redis, if it is used; it may hold a password.
    pub url: Option<SecretString>,
    /// What all keys and channels of the installation begin with.
    pub prefix: String,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long an answer may take before Redis counts as away.
    pub timeout: Duration,
}

impl RedisSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let url = reader.text("redis.url");
        if url.as_deref().is_some_and(|url| !is_known(url)) {
            reader.reject_value("redis.url", "an address such as redis://user:password@127.0.0.1:6379/0, or rediss:// for TLS");
        }
        let prefix = reader.text("redis.prefix").unwrap_or_default();
        if !is_prefix(&prefix) {
            reader.reject_value("redis.prefix", "1 to 64 characters out of a-z, A-Z, 0-9, -, _, . and :");
        }
        Self {
            url: url.map(SecretString::from),
            prefix,
            connect_timeout: reader.seconds("redis.connect_timeout", LONGEST_WAIT_IN_SECONDS),
            timeout: reader.seconds("redis.timeout", LONGEST_WAIT_IN_SECONDS),
        }
    }
}

fn is_known(url: &str) -> bool {
    let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn is_prefix(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (1..=LONGEST_PREFIX).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_redis_are_told_from_others() {
        for good in ["redis://127.0.0.1", "rediss://user:p%40ss@cache.example.org:6380/2", "redis://:secret@[::1]:6379"] {
            assert!(is_known(good), "{good}");
        }
        for wrong in ["", "redis", "redis://", "redis:///0", "127.0.0.1:6379", "http://127.0.0.1:6379", "redis://a b"] {
            assert!(!is_known(wrong), "{wrong}");
        }
    }

    #[test]
    fn prefixes_are_plain() {
        assert!(is_prefix("crewd") && is_prefix("team-a:crewd_2.x"));
        for wrong in ["", "two words", "naïve", "{slot}", &"x".repeat(65)] {
            assert!(!is_prefix(wrong), "{wrong}");
        }
    }
}
