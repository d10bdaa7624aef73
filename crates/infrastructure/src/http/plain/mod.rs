//! HTTP/1.1 over plain TCP, for upstreams without TLS and proxy: model servers on the same machine or network.
//!
//! Thousands of calls wait for such servers at once, and a general client holds some 30 KB for each of them: buffers,
//! a task for the connection, the states of connecting. A call here holds its socket and a few hundred bytes; buffers
//! come when bytes do. Only what model servers need is here: POST, bodies of known length, chunked or up to the end
//! of the connection, and connections that are used again.
//!
//! | module | what is in it |
//! |---|---|
//! | `client` | one call: write the request, read the head |
//! | `connect` | names and connections |
//! | `pool` | connections that wait for their next call |
//! | `head` | status and headers |
//! | `body` | the body, piece by piece |

mod body;
mod client;
mod connect;
mod head;
mod pool;

pub(super) use body::PlainBody;
pub(super) use client::PlainClient;
