//! Use cases and every port.
//!
//! Rule of this crate: it imports the domain alone. No SQL, no HTTP, no settings; everything outside is a trait in
//! [`ports`], and each port has a contract suite in [`testing`] that runs on its fake and on every adapter.
//!
//! | module | what is in it |
//! |---|---|
//! | [`approvals`] | questions to people and their answers |
//! | [`context`] | who asks, for which tenant: the first argument of every use case |
//! | [`fault`] | places of the write path where debug builds can be made to die |
//! | [`error`] | the closed list of error codes and the error every use case returns |
//! | [`ports`] | what the use cases and the engine need from outside |
//! | [`crews`] | reading, adding and checking crew definitions |
//! | [`duties`] | what one process of an installation does for all |
//! | [`runs`] | submitting, watching, cancelling and recovering tasks |
//! | [`schedules`] | keeping schedules, and submitting their tasks when their time has come |
//! | [`webhooks`] | telling addresses of events |
//! | [`testing`] | fakes and contract suites (feature `testing`) |

pub mod approvals;
mod attempts;
pub mod context;
pub mod crews;
pub mod duties;
pub mod error;
pub mod fault;
mod hash;
mod outbox;
pub mod ports;
pub mod runs;
pub mod schedules;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod webhooks;

pub use hash::sha256_hex;
pub use outbox::{delivery_id, outbox_messages};
