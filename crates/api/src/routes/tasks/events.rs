//! The log as JSON or as server-sent events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use crewd_application::context::RequestContext;
use crewd_application::error::ErrorCode;
use crewd_application::ports::EventQuery;
use crewd_application::runs::{EventFeed, FeedStart};
use crewd_domain::runs::Event;
use crewd_domain::shared::TaskId;
use serde::Serialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query, TaskPath};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;
use crate::stream::{EventFilter, Pace, sse_body};

/// Milliseconds after which a reader comes back, and how much is added by chance so that not all come at once.
const RETRY: (u64, u64) = (1_000, 2_000);

/// Read or follow a task's log.
///
/// With `Accept: text/event-stream` it is a stream: `stream.snapshot` first, then the log from the given number on
/// and all that comes, then `end`. `Last-Event-ID` goes before `after`. Else it is a page of the log as JSON.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/events", tag = "tasks", operation_id = "get_task_events",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("after" = Option<u64>, Query, description = "Only events with a larger number"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Of a stream: the last number that was seen"),
        ("types" = Option<String>, Query, description = "Only these types, separated by commas"),
        ("steps" = Option<String>, Query, description = "Only this step and those below it, such as `crew_task[0]`"),
        ("limit" = Option<u32>, Query, description = "Of a page: 1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "Of a page: `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "The log", content(
            (Page<EventItem> = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_task_events(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    mut query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    let after = query.text("after").map(|text| event_number(&text)).transpose()?;
    let filter = EventFilter::read(&mut query);
    if !wants_stream(&headers) {
        return page(&state, &context, query, &LogQuery { id, after, filter }).await;
    }
    query.finish()?;
    let last = headers.get("last-event-id").map(|value| event_number(value.to_str().unwrap_or_default())).transpose()?;
    let (start, feed) = follow(&state, &context, id, last.or(after).unwrap_or(0)).await?;
    let retry_ms = RETRY.0.saturating_add(u64::try_from(state.ids.next_id().as_u128() % u128::from(RETRY.1)).unwrap_or(0));
    let body = sse_body(&start, feed, filter, Pace { retry_ms, shutdown: state.shutdown.clone() });
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The feed of a task from behind a number. A number above the end of the log waits for what comes after the end.
pub(super) async fn follow(
    state: &ApiState,
    context: &RequestContext,
    id: TaskId,
    after: u64,
) -> Result<(FeedStart, EventFeed), ApiError> {
    let (start, feed) = state.tasks.follow(context, id, after, Vec::new()).await?;
    if after <= start.last_seq {
        return Ok((start, feed));
    }
    Ok(state.tasks.follow(context, id, start.last_seq, Vec::new()).await?)
}

/// A number of an event as clients send it.
///
/// # Errors
/// `bad_request` with the reason `invalid_event_id`.
pub(super) fn event_number(text: &str) -> Result<u64, ApiError> {
    let number = text.parse().ok().filter(|number| *number <= i64::MAX as u64 && !text.starts_with('+'));
    number.ok_or_else(|| {
        ApiError::new(ErrorCode::BadRequest, "the number of an event is an integer from 0 on").because("invalid_event_id")
    })
}

struct LogQuery {
    id: TaskId,
    after: Option<u64>,
    filter: EventFilter,
}

async fn page(state: &ApiState, context: &RequestContext, mut query: Query, log: &LogQuery) -> Result<Response, ApiError> {
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let cursors = Cursors::of(&format!("GET /api/v1/tasks/{}/events", log.id), &context.tenant);
    let from = cursors.read(cursor, |place| place.parse().ok())?;
    let after = from.or(log.after).unwrap_or(0);
    if log.filter.wants_nothing() {
        state.tasks.get(context, log.id).await?;
        return Ok(Json(Page::<EventItem> { items: Vec::new(), next_cursor: None }).into_response());
    }
    let query = EventQuery { task_id: log.id, after, kinds: log.filter.kinds(), limit };
    let events = state.tasks.events(context, &query).await?;
    let is_full = events.len() >= limit as usize;
    let next_cursor = events.last().filter(|_| is_full).map(|event| cursors.write(&event.seq.to_string()));
    let items = events.into_iter().filter(|event| log.filter.wants(event)).map(EventItem).collect();
    Ok(Json(Page { items, next_cursor }).into_response())
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream"))
}

/// An event as it stands in the log.
#[derive(Serialize)]
#[serde(transparent)]
struct EventItem(Event);

impl ToSchema for EventItem {
    fn name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }
}

impl PartialSchema for EventItem {
    fn schema() -> RefOr<Schema> {
        let of = |kind: Type, text: &str| ObjectBuilder::new().schema_type(kind).description(Some(text)).build();
        let optional = |kind: Type, text: &str| {
            let both = SchemaType::from_iter([kind, Type::Null]);
            ObjectBuilder::new().schema_type(both).description(Some(text)).build()
        };
        let fields: [(&str, Object); 7] = [
            ("seq", of(Type::Integer, "From 1, without a gap within a task.")),
            ("type", of(Type::String, "What happened, such as `tool.completed`.")),
            ("task_id", of(Type::String, "The task.")),
            ("run_id", of(Type::String, "The run.")),
            ("step", optional(Type::String, "The step it belongs to, such as `crew_task[0].agent.turn[1]`.")),
            ("ts", of(Type::String, "When it was written.")),
            ("data", of(Type::Object, "What the type has to say.")),
        ];
        let object =
            fields.into_iter().fold(ObjectBuilder::new(), |object, (name, field)| object.property(name, field).required(name));
        object.description(Some("One line of a task's log.")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_events_have_a_shape() {
        assert_eq!(event_number("0").unwrap(), 0);
        assert_eq!(event_number("9223372036854775807").unwrap(), i64::MAX as u64);
        for wrong in ["", "abc", "-1", "+1", "1.5", " 1", "9223372036854775808", "99999999999999999999999"] {
            assert_eq!(event_number(wrong).unwrap_err().details().reason.as_deref(), Some("invalid_event_id"), "{wrong}");
        }
    }

    #[test]
    fn a_stream_is_asked_for_by_its_media_type() {
        let wants = |value: &'static str| wants_stream(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]));
        assert!(
            wants("text/event-stream") && wants("application/json;q=0.5, text/event-stream;q=0.9") && wants("Text/Event-Stream")
        );
        assert!(!wants("application/json") && !wants("*/*") && !wants("text/html") && !wants_stream(&HeaderMap::new()));
    }
}
