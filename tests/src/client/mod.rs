//! A small client of the product's API. Every non-2xx answer it sees must keep the error contract.

mod answer;
pub(crate) mod http;
mod raw;
mod sse;
mod task;
mod ws;

pub use answer::Answer;
pub use http::{Client, Submit};
pub use sse::{SseFrame, SseReader};
pub use task::Task;
pub use ws::WsReader;
