//! Event streams: which events, in which frames, at which pace.
//!
//! A stream pulls: it asks the feed for the next events only when the last ones have been taken by the socket. A
//! slow reader therefore costs no memory; it falls back to reading the database, which the feed does by itself.

mod filter;
mod frames;
mod pace;
mod sse;

pub(crate) use filter::EventFilter;
pub(crate) use frames::{end_json, snapshot_json};
pub(crate) use pace::{KEEP_ALIVE, Pace};
pub(crate) use sse::sse_body;
