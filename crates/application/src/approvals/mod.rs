//! Questions to people: reading them and taking their answers.
//!
//! | module | what is in it |
//! |---|---|
//! | `service` | [`ApprovalService`]: list, read |
//! | `decide` | taking an answer: checked, written with what follows for the run |

mod decide;
mod service;
#[cfg(test)]
mod tests;

pub use decide::{DecideApproval, DecisionTaken};
pub use service::{ApprovalPage, ApprovalService, ApprovalServiceParts, revision};
