//! Hints between the parts of one machine, and between machines: wake-up calls, live events, living workers. Each may
//! be lost without harm: the database is read again anyway.

mod event_stream;
mod foreign_events;
pub mod hints;
mod mailbox;
mod presence;
mod signal;

pub use event_stream::LocalEventStream;
pub use foreign_events::ForeignEvents;
pub use presence::FilePresence;
pub use signal::LocalSignal;
