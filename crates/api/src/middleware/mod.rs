//! What happens around every request, from the outside in.
//!
//! 1. `observe` gives the request its id and its span, counts and logs it, turns a panic into an answer, reads what a
//!    handler left of the body, writes the body of every answer that is not 2xx, and sets the headers that every answer carries. Everything below may fail
//!    in its own way: the client sees one shape.
//! 2. `cors` answers preflight requests and lets allowed origins read the answers, errors included.
//! 3. `compression` packs JSON of more than a kibibyte for clients that ask for it; streams and metrics stay as they are.
//! 4. The route. Its extractors check the caller first, then the address, then the body.
//!
//! All of it is set by one `Router::layer` call, after the routes and the fallbacks: the route is known by then, so
//! that metrics and spans name it, and nothing is left out.

mod compression;
mod cors;
mod drain;
mod observe;
mod render;
mod request_info;
#[cfg(test)]
mod tests;
mod trace;

pub(crate) use compression::compression;
pub(crate) use cors::cors;
pub(crate) use observe::observe;
pub(crate) use request_info::RequestInfo;
