//! Questions to people: may this tool be called, did that call happen, what is your answer.
//!
//! [`Approval`] is one question. It is bound to the hash of the arguments that were shown; the first valid decision
//! wins and is never changed. [`ApprovalPolicy`] says from which risk on a person is asked.

mod approval;
mod policy;

pub use approval::{Approval, ApprovalKind, ApprovalStatus, Decided, Decision, DecisionRefused, DecisionRequest, OnExpire};
pub use policy::{ApprovalPolicy, ApprovalRule};
