//! Failed tasks that wait for a person.

mod bulk;
mod handlers;
mod read;
mod schemas;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::router;
