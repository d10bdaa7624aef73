//! What agents can think with.

mod handlers;
mod schemas;
mod table;

pub(crate) use table::router;
