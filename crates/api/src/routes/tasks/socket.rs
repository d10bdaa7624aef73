//! The log over a WebSocket, and what clients may say there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::header::UPGRADE;
use axum::response::Response;
use crewd_application::context::RequestContext;
use crewd_application::error::ErrorCode;
use crewd_application::runs::{EventFeed, FeedStart};
use crewd_domain::shared::TaskId;
use tokio::time::{Instant, interval_at, timeout};
use tracing::Instrument;

use super::events::{event_number, follow};
use super::socket_operations::{Said, answer};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query, TaskPath};
use crate::state::ApiState;
use crate::stream::{EventFilter, KEEP_ALIVE, end_json, snapshot_json};

/// Signs of life a client may miss before it counts as gone.
const PATIENCE: u32 = 3;
/// A client that does not take a message for so long is let go.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// Follow a task's log over a WebSocket.
///
/// Each text message is one event, `stream.snapshot` first. The client may send `{"op": "subscribe", "after": 0}`,
/// `{"op": "unsubscribe"}` and `{"op": "cancel"}`. After `stream.end` the server closes with 1000.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/ws", tag = "tasks", operation_id = "follow_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("after" = Option<u64>, Query, description = "Only events with a larger number"),
        ("types" = Option<String>, Query, description = "Only these types, separated by commas"),
        ("steps" = Option<String>, Query, description = "Only this step and those below it"),
    ),
    responses(
        (status = 101, description = "The protocol is switched"),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn follow_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    mut query: Query,
    request: Request,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    let after = query.text("after").map(|text| event_number(&text)).transpose()?.unwrap_or(0);
    let filter = EventFilter::read(&mut query);
    query.finish()?;
    // Looked up before the upgrade: a missing task is an HTTP answer, not a socket that closes.
    let (start, feed) = follow(&state, &context, id, after).await?;
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &state).await.map_err(|_| not_a_socket())?;
    let largest = state.limits.socket_message_bytes;
    let span = tracing::info_span!("http.socket.follow", task.id = %id, request_id = context.request_id);
    let session = Session { state, context, task: id, filter };
    Ok(upgrade
        .max_message_size(largest)
        .max_frame_size(largest)
        .on_upgrade(move |socket| session.run(socket, start, feed).instrument(span)))
}

fn not_a_socket() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "this address speaks WebSocket; for plain HTTP read `/events`")
        .because("upgrade_required")
        .header(UPGRADE, HeaderValue::from_static("websocket"))
}

/// One client on one socket.
pub(super) struct Session {
    pub(super) state: Arc<ApiState>,
    pub(super) context: RequestContext,
    pub(super) task: TaskId,
    pub(super) filter: EventFilter,
}

/// Why a session ends.
enum End {
    /// Everything was told.
    Done,
    /// The server stops, or cannot read the log right now.
    GoingAway(&'static str),
    /// The client sent something too large or broken, or is gone.
    Lost,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket, start: FeedStart, feed: EventFeed) {
        let end = match send(&mut socket, snapshot_json(&start)).await {
            Ok(()) => self.talk(&mut socket, feed).await,
            Err(end) => end,
        };
        let (code, reason) = match end {
            End::Done => (close_code::NORMAL, "the task has ended"),
            End::GoingAway(reason) => (close_code::AWAY, reason),
            End::Lost => return,
        };
        let frame = CloseFrame { code, reason: reason.into() };
        if timeout(SEND_LIMIT, socket.send(Message::Close(Some(frame)))).await.is_ok_and(|sent| sent.is_ok()) {
            // The client's own close ends the conversation in order.
            let goodbye = async { while let Some(Ok(_)) = socket.recv().await {} };
            timeout(Duration::from_secs(2), goodbye).await.ok();
        }
    }

    async fn talk(&mut self, socket: &mut WebSocket, feed: EventFeed) -> End {
        let mut feed = Some(feed);
        let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        let mut missed = 0;
        let shutdown = self.state.shutdown.clone();
        loop {
            let step = tokio::select! {
                // Events go before the stop: a server that stops lets its runs end before its sockets.
                biased;
                message = socket.recv() => {
                    missed = 0;
                    self.hear(socket, message, &mut feed).await
                }
                event = next(&mut feed) => match event {
                    Ok(Some(event)) if self.filter.wants(&event) => send(socket, serde_json::to_string(&*event).unwrap_or_default()).await,
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => send(socket, end_json(self.task)).await.and(Err(End::Done)),
                    Err(error) => {
                        tracing::warn!(%error, "an event stream broke off");
                        Err(End::GoingAway("the log cannot be read right now"))
                    }
                },
                () = shutdown.cancelled() => Err(End::GoingAway("the server is stopping")),
                _ = alive.tick() => {
                    missed += 1;
                    if missed > PATIENCE { Err(End::Lost) } else { deliver(socket, Message::Ping(bytes::Bytes::new())).await }
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Acts on what the client says.
    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        message: Option<Result<Message, axum::Error>>,
        feed: &mut Option<EventFeed>,
    ) -> Result<(), End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(_))) => return send(socket, answer::unreadable("messages are JSON text")).await,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Lost),
        };
        match self.act(text.as_str()).await {
            Said::Answer(text) => send(socket, text).await,
            Said::Follow { text, start, feed: fresh } => {
                *feed = Some(*fresh);
                send(socket, text).await?;
                send(socket, snapshot_json(&start)).await
            }
            Said::Silence(text) => {
                *feed = None;
                send(socket, text).await
            }
        }
    }
}

/// The next event; waits for ever where nothing is followed.
async fn next(feed: &mut Option<EventFeed>) -> crewd_application::error::Result<Option<Arc<crewd_domain::runs::Event>>> {
    match feed {
        Some(feed) => feed.next().await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut WebSocket, text: String) -> Result<(), End> {
    deliver(socket, Message::Text(text.into())).await
}

async fn deliver(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Lost),
    }
}
