//! Databases and Redis for tests.
//!
//! Rule of this crate: nothing of the product, and nothing that outlives a test. A service is the one that its variable
//! names; else one that is started from what is installed, once for a test program, by `scripts/services.py hold`; else
//! the test says `skipped: <service> not found` and does nothing. With `CREWD_TEST_REQUIRE=all` that is a failure.
//!
//! | module | what is in it |
//! |---|---|
//! | `database` | [`TestDatabase`]: a database of one test |
//! | `engine` | [`Engine`]: the database that the whole suite runs on |
//! | `service` | [`Service`]: where a service is |
//! | `held` | services of this program alone |

#![expect(
    clippy::disallowed_methods,
    reason = "these variables belong to the tests, and names of databases must differ between runs"
)]

mod database;
mod engine;
mod held;
mod service;

pub use database::TestDatabase;
pub use engine::Engine;
pub use service::Service;
