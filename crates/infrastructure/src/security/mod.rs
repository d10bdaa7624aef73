//! Who is calling, and what only this installation can read.

mod api_keys;
mod root_key;
mod sealing;

pub use api_keys::ApiKeys;
pub use root_key::{RootKey, RootKeyError};
pub use sealing::DerivedKeys;
