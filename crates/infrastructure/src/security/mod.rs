//! Who is calling, and what only this installation can read.

mod api_keys;
mod rate_limit;
mod root_key;
mod sealing;

pub use api_keys::ApiKeys;
pub use rate_limit::{LocalRateLimiter, Rate};
pub use root_key::{RootKey, RootKeyError};
pub use sealing::DerivedKeys;
