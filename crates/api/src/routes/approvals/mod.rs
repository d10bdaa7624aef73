//! Questions to people.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | a question as clients see it |
//! | `decision` | the body of a decision and its rules |
//! | `handlers` | list, read, decide |

mod decision;
mod handlers;
mod schemas;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use decision::read_decision;
pub(crate) use schemas::PendingApproval;
pub(crate) use table::router;
