//! What agents can call.

mod handlers;
mod schemas;
mod table;

pub(crate) use table::router;
