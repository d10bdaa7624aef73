//! One runtime for a whole test binary, so that an app or a fake server shared by several tests outlives each of them.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// How long a test waits for something that must happen soon. Generous: debug builds share few cores.
pub const SOON: Duration = Duration::from_secs(30);

/// Pause between two looks at something that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// The runtime every test and every fake server of this process runs on.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be built"))
}

/// Runs one test's future on the shared runtime.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    runtime().block_on(test)
}

/// Looks until `probe` gives a value; panics with `what` when the deadline passes first.
pub async fn eventually<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Gives the future at most `limit`; panics with `what` when it takes longer.
pub async fn within<T>(what: &str, limit: Duration, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, work).await {
        Ok(value) => value,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
