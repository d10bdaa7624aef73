//! Redis: hints between processes, limits and answers that they share. Nothing is kept there that could be lost: when
//! Redis is away, everything goes on without it, and each part says how.
//!
//! [`RedisLink`] is the connection, and knows whether Redis works; [`RedisHints`] carries hints, [`RedisRateLimiter`]
//! and [`RedisPlaces`] count for all processes together, [`RedisCache`] keeps answers for a while.
//!
//! Keys and channels, all behind the prefix of the installation:
//!
//! | name | what it is |
//! |---|---|
//! | `<prefix>:queue` | stream with one entry a queued run that nobody was told of, group `workers` |
//! | `<prefix>:hints` | channel of hints about logs and orders |
//! | `<prefix>:queue:compared` | held by the process that compared the stream with the queue last |
//! | `<prefix>:alive` | written by every process to see whether Redis can be written to |
//! | `<prefix>:rate:<tenant>:<limit>:<caller>` | when the caller's allowance is whole again |
//! | `<prefix>:places:<name>` | holders of places, by the end of their time |
//! | `<prefix>:cache:<space>:<tenant>:<name>` | a value |

mod cache;
mod config;
mod failure;
mod health;
mod hints;
mod link;
mod places;
mod rate_limit;
#[cfg(test)]
pub(crate) mod tests;

pub use cache::RedisCache;
pub use config::{RedisConfig, RedisConfigError};
pub use hints::RedisHints;
pub use link::RedisLink;
pub use places::RedisPlaces;
pub use rate_limit::RedisRateLimiter;
