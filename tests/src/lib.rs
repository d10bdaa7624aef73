//! Harness of the black-box tests. Rule: nothing here knows the product's code; it starts the binary, speaks its
//! sockets and reads its files, as a user would.
//!
//! | module | what it gives |
//! |---|---|
//! | [`app`] | the binary as a child process: start, kill, drain, restart, command lines |
//! | [`client`] | the HTTP, SSE and WebSocket client |
//! | [`crews`] | crew folders for tests |
//! | [`errors`] | the check of the error contract that every answer passes |
//! | [`fake_llm`] | a scripted model server that speaks OpenAI's wire format |
//! | [`ledger`] | a server that writes down every effect tools have outside |
//! | [`otlp`] | a receiver of traces over both OTLP transports |
//! | [`passage`] | a way to a server that can be cut off |
//! | [`redis`] | a Redis that can be cut off and emptied |
//! | [`runtime`] | the one runtime of a test binary, and waiting with a deadline |

pub mod app;
pub mod client;
pub mod crews;
pub mod errors;
pub mod fake_llm;
pub mod ledger;
pub mod otlp;
pub mod passage;
pub mod redis;
pub mod runtime;
