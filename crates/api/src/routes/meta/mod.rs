//! Health, metrics, version and documents. None of them needs a key.

mod documents;
mod handlers;
mod schemas;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use documents::parts;
pub(crate) use table::router;
