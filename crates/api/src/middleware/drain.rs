//! What a handler left unread of a request's body is read and thrown away, within bounds, before the answer is sent.
//!
//! A connection that is closed with unread bytes is reset by the system, and the client that is still sending may then
//! lose the answer that tells it what was wrong.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

/// More than this is not waited for: such a client hears of a broken connection.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Nor longer than this.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Where an unfinished body ends up.
#[derive(Default)]
pub(super) struct Leftover(Arc<Mutex<Option<Body>>>);

impl Leftover {
    /// Watches the body of a request; one without a body costs nothing.
    pub(super) fn watch(request: Request) -> (Request, Option<Self>) {
        if request.body().is_end_stream() {
            return (request, None);
        }
        let leftover = Self::default();
        let slot = leftover.0.clone();
        (request.map(|body| Body::new(Watched { body: Some(body), slot })), Some(leftover))
    }

    /// Reads what was left.
    pub(super) async fn drain(self) {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = body else { return };
        let reading = async {
            let mut left = MAX_BYTES;
            while let Some(Ok(frame)) = body.frame().await {
                let size = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(size) else { return };
                left = rest;
            }
        };
        // A client that is too slow or sends too much is given up.
        let _ = tokio::time::timeout(MAX_TIME, reading).await;
    }
}

struct Watched {
    body: Option<Body>,
    slot: Arc<Mutex<Option<Body>>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::stream;

    use super::*;

    fn counted(chunks: usize) -> (Request, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = read.clone();
        let pieces = stream::iter((0..chunks).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[7; 1024 * 1024]))
        }));
        (Request::new(Body::from_stream(pieces)), read)
    }

    #[tokio::test]
    async fn an_unread_body_is_read_to_its_end() {
        let (request, read) = counted(3);
        let (request, leftover) = Leftover::watch(request);
        drop(request);
        leftover.unwrap().drain().await;
        assert_eq!(read.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn an_endless_body_is_given_up() {
        let (request, read) = counted(100);
        let (request, leftover) = Leftover::watch(request);
        drop(request);
        leftover.unwrap().drain().await;
        assert_eq!(read.load(Ordering::Relaxed), 9, "8 MiB and the piece that is too much");
    }

    #[tokio::test]
    async fn a_body_that_was_read_leaves_nothing() {
        let (request, _) = counted(2);
        let (request, leftover) = Leftover::watch(request);
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes().len(), 2 * 1024 * 1024);
        leftover.unwrap().drain().await;
        assert!(Leftover::watch(Request::new(Body::empty())).1.is_none());
    }
}
