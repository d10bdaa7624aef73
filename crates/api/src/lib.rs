//! The HTTP surface of crewd: routes, their documents, streams over SSE and WebSocket.
//!
//! Rule of this crate: it imports domain, application and telemetry, and nothing of it knows a database, a model or a
//! setting. A handler makes three moves: take out of the request, call one service, convert.
//!
//! | module | what is in it |
//! |---|---|
//! | `state` | [`ApiState`]: the services and limits that handlers work with |
//! | `router`, `openapi` | [`router()`], [`operations_router()`] and [`openapi()`]: all routes with their middleware and document |
//! | `routes` | one folder per word: schemas, handlers |
//! | `extract` | what handlers take out of a request, and every rule about it |
//! | `error` | one shape for everything that is not 2xx |
//! | `middleware` | what happens around every request, in which order |
//! | `stream` | which events, in which frames, at which pace |
//! | `page` | limits and cursors of lists |
//! | `timestamp` | how instants are written |

mod error;
mod extract;
mod middleware;
mod openapi;
mod page;
mod router;
mod routes;
mod state;
mod stream;
#[cfg(test)]
mod testing;
mod timestamp;

pub use openapi::openapi;
pub use router::{operations_router, router};
pub use routes::tasks::task_json;
pub use state::{ApiState, BeforeScrape, BuildInfo, Limits};
