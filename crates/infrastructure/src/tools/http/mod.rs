//! Tools that the operator declares as calls over HTTP.
//!
//! Their addresses are the operator's choice, so the guard of outbound requests is told to let exactly these hosts and
//! ports pass, and nothing else. Each call has its own connection: nothing a former call left behind can make the outcome
//! of a call unclear.
//!
//! | module | what is in it |
//! |---|---|
//! | `set` | all of them: secrets put in place, destinations allowed |
//! | `tool` | one of them: call, ask what became of a call |
//! | `request` | address, headers and body out of arguments |
//! | `retry` | which failures are tried again, and when |
//! | `answer` | what the model reads |
//! | `redaction` | secrets taken out of what comes back |

mod answer;
mod redaction;
mod request;
mod retry;
mod set;
mod tool;

pub use set::{HttpTools, HttpToolsError};

#[cfg(test)]
mod tests;
