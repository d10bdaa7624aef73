//! What handlers take out of a request, and every rule about it.
//!
//! | module | what it takes out |
//! |---|---|
//! | `caller` | who asks: the key, checked |
//! | `task_id` | the task named in the path |
//! | `path_ids` | other ids named in the path |
//! | `body` | a body of a content type that is understood, within its limits |
//! | `json` | a JSON value that is neither too deep nor badly encoded |
//! | `object` | typed fields of a JSON object, with all problems at once |
//! | `query` | parameters of the query, unknown ones refused |
//! | `idempotency` | the key that makes a repeated request harmless |
//! | `conditional` | what the caller has seen |
//! | `prefer` | how long the caller wants to wait |

mod body;
mod caller;
mod conditional;
mod idempotency;
mod json;
mod object;
mod path_ids;
mod prefer;
mod query;
mod task_id;

pub(crate) use body::{Body, BodyKind};
pub(crate) use caller::Caller;
pub(crate) use conditional::if_match;
pub(crate) use idempotency::idempotency_key;
pub(crate) use json::parse_json;
pub(crate) use object::ObjectReader;
pub(crate) use path_ids::PathIds;
pub(crate) use prefer::{LONGEST_WAIT_SECONDS, preferred_wait};
pub(crate) use query::Query;
pub(crate) use task_id::TaskPath;
