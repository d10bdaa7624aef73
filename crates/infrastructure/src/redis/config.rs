//! What must be known of Redis.

use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use uuid::Uuid;

/// Where Redis is, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://…`, or `rediss://…` for TLS; may hold a password.
    pub url: SecretString,
    /// What all keys and channels begin with.
    pub prefix: String,
    /// Until a connection must stand.
    pub connect_timeout: Duration,
    /// Until an answer must come.
    pub timeout: Duration,
    /// This process among all; a new start is a new one.
    pub origin: Uuid,
}

/// The address cannot be one of Redis. Says nothing of the address: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the address is none of Redis: its form is redis://user:password@host:6379/0")]
pub struct RedisConfigError;

impl RedisConfig {
    pub(super) fn client(&self) -> Result<Client, RedisConfigError> {
        let info = self.url.expose_secret().into_connection_info().map_err(|_| RedisConfigError)?;
        // Small commands that somebody waits for.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Client::open(info).map_err(|_| RedisConfigError)
    }
}
