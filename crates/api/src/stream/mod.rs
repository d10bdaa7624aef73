//! Event streams: which events, in which frames, at which pace.
//!
//! A stream pulls: it asks the feed for the next events only when the last ones have been taken by the socket. A
//! slow reader therefore costs no memory; it falls back to reading the database, which the feed does by itself.

mod filter;
mod frames;
mod sse;

pub(crate) use filter::EventFilter;
pub(crate) use frames::{end_json, snapshot_json};
pub(crate) use sse::{Pace, sse_body};

use std::time::Duration;

/// How often an idle stream shows that it is alive.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);
