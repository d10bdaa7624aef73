//! What clients may say on a socket, and what they hear back.

use crewd_application::error::Error;
use crewd_application::runs::{EventFeed, FeedStart};
use crewd_domain::shared::ApprovalId;
use serde_json::{Map, Value};

use super::events::follow;
use super::handlers::read_cancel;
use super::socket::Session;
use crate::error::{ApiError, Problems};
use crate::extract::{ObjectReader, parse_json};
use crate::routes::approvals::read_decision;
use crate::stream::EventFilter;

/// Operations of the contract.
const OPERATIONS: &str = "subscribe, unsubscribe, cancel, decide";

/// What follows from a message.
pub(super) enum Said {
    /// An answer.
    Answer(String),
    /// An answer, and the log from another place on.
    Follow {
        /// The answer.
        text: String,
        /// The state at the moment of subscribing.
        start: Box<FeedStart>,
        /// The log.
        feed: Box<EventFeed>,
    },
    /// An answer, and no events any more.
    Silence(String),
}

impl Session {
    /// Acts on a text message.
    pub(super) async fn act(&mut self, text: &str) -> Said {
        let mut fields = match parse_json(text, self.state.limits.json_depth) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Said::Answer(answer::unreadable("a message is a JSON object")),
            Err(error) => return Said::Answer(answer::unreadable(error.message())),
        };
        let id = fields.shift_remove("id").unwrap_or(Value::Null);
        let Some(Value::String(operation)) = fields.shift_remove("op") else {
            return Said::Answer(answer::unreadable(&format!("`op` must be one of {OPERATIONS}")));
        };
        let done = match operation.as_str() {
            "subscribe" => self.subscribe(fields).await,
            "unsubscribe" => nothing_more(fields).map(|()| Done::Silence),
            "cancel" => self.cancel(fields).await,
            "decide" => self.decide(fields).await,
            _ => return Said::Answer(answer::unreadable(&format!("`op` must be one of {OPERATIONS}"))),
        };
        match done {
            Ok(Done::Answer) => Said::Answer(answer::done(&operation, &id)),
            Ok(Done::Silence) => Said::Silence(answer::done(&operation, &id)),
            Ok(Done::Follow(start, feed)) => Said::Follow { text: answer::done(&operation, &id), start, feed },
            Err(error) => Said::Answer(answer::refused(&operation, &id, &error)),
        }
    }

    async fn subscribe(&mut self, fields: Map<String, Value>) -> Result<Done, ApiError> {
        let mut problems = Problems::default();
        let mut reader = ObjectReader::of_body(Value::Object(fields), &mut problems)?;
        let after = reader.integer("after", 0, i64::MAX as u64).unwrap_or(0);
        let filter = reader.any("types").map_or(Some(EventFilter::default()), |types| read_types(&types));
        if filter.is_none() {
            reader.add("unknown_value", "types", "must be an array of types of events");
        }
        reader.finish();
        problems.check()?;
        let (start, feed) = follow(&self.state, &self.context, self.task, after).await?;
        self.filter = filter.unwrap_or_default();
        Ok(Done::Follow(Box::new(start), Box::new(feed)))
    }

    async fn cancel(&self, fields: Map<String, Value>) -> Result<Done, ApiError> {
        let (mode, reason) = read_cancel(Value::Object(fields))?.into_parts();
        self.state.tasks.cancel(&self.context, self.task, mode, reason).await?;
        Ok(Done::Answer)
    }

    async fn decide(&self, mut fields: Map<String, Value>) -> Result<Done, ApiError> {
        let id = fields.shift_remove("approval");
        let request = read_decision(Value::Object(fields), None)?;
        let nothing = || Error::not_found("approval");
        let id: ApprovalId = id.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok()).ok_or_else(nothing)?;
        // A socket speaks of its own task alone.
        let approval = self.state.approvals.get(&self.context, id).await?;
        if approval.task_id != self.task {
            return Err(nothing().into());
        }
        self.state.approvals.decide(&self.context, id, &request).await?;
        Ok(Done::Answer)
    }
}

enum Done {
    Answer,
    Silence,
    Follow(Box<FeedStart>, Box<EventFeed>),
}

fn nothing_more(fields: Map<String, Value>) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    ObjectReader::of_body(Value::Object(fields), &mut problems)?.finish();
    problems.check()
}

fn read_types(types: &Value) -> Option<EventFilter> {
    let names: Option<Vec<&str>> = types.as_array()?.iter().map(Value::as_str).collect();
    EventFilter::of_types(names?)
}

/// The messages that answer a client.
pub(super) mod answer {
    use serde_json::{Value, json};

    use crate::error::ApiError;

    /// The operation was carried out.
    pub(in super::super) fn done(operation: &str, id: &Value) -> String {
        json!({"type": "result", "op": operation, "id": id, "ok": true}).to_string()
    }

    /// The operation is known and could not be carried out.
    pub(in super::super) fn refused(operation: &str, id: &Value, error: &ApiError) -> String {
        let details = serde_json::to_value(error.details()).unwrap_or_default();
        let error = json!({"code": error.code().as_str(), "message": error.message(), "details": details});
        json!({"type": "result", "op": operation, "id": id, "ok": false, "error": error}).to_string()
    }

    /// The message is no operation.
    pub(in super::super) fn unreadable(message: &str) -> String {
        json!({"type": "error", "code": "bad_request", "message": message}).to_string()
    }
}
