//! The provider against raw sockets.

mod contract;
mod faults;
mod requests;
mod server;
mod streams;
mod timeouts;
