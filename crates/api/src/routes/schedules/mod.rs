//! Tasks that are submitted again and again by themselves.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | schedules and fires as clients see them |
//! | `read` | the bodies of the calls and their rules |
//! | `handlers` | create, list, read, change, delete |
//! | `fires` | trigger, backfill, records |

mod fires;
mod handlers;
mod read;
mod schemas;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::router;
