//! One run from its claim to its end.

mod context;
mod control;
mod lease_watch;
mod limits;
mod origin;
mod rules;
mod runner;
mod stop;

pub use context::{EngineParts, RunContext, RunLimits};
pub use control::{Drain, RunControl};
pub use lease_watch::LeaseWatch;
pub use limits::{RateWindow, RunRates};
pub use origin::OriginRecord;
pub use rules::ApprovalRules;
pub use runner::{RunEnd, RunRunner};
pub use stop::{Stop, cut_off, model_failure};

#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;
