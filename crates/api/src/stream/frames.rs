//! Events and control frames as bytes.

use bytes::{BufMut, BytesMut};
use crewd_application::runs::FeedStart;
use crewd_domain::runs::Event;
use crewd_domain::shared::TaskId;
use serde::Serialize;
use uuid::Uuid;

/// The first frame of a stream: the state at the moment of subscribing. It is not in the log and has no number.
#[derive(Serialize)]
struct Snapshot<'a> {
    r#type: &'static str,
    task_id: Uuid,
    run_id: Uuid,
    status: &'a str,
    version: u64,
    last_seq: u64,
}

/// The last frame of a stream that has told everything.
#[derive(Serialize)]
struct End {
    r#type: &'static str,
    task_id: Uuid,
}

/// The first frame as JSON.
pub(crate) fn snapshot_json(start: &FeedStart) -> String {
    let run = &start.view.run;
    json_text(&Snapshot {
        r#type: "stream.snapshot",
        task_id: run.task_id.as_uuid(),
        run_id: run.id.as_uuid(),
        status: run.status.as_str(),
        version: run.version,
        last_seq: start.last_seq,
    })
}

/// The last frame as JSON.
pub(crate) fn end_json(task_id: TaskId) -> String {
    json_text(&End { r#type: "stream.end", task_id: task_id.as_uuid() })
}

/// Appends the frame of an event of the log.
pub(super) fn write_event(buffer: &mut BytesMut, event: &Event) {
    let head = format!("id: {}\nevent: {}\ndata: ", event.seq, event.kind.as_str());
    buffer.extend_from_slice(head.as_bytes());
    // The envelope is made of plain values and JSON text: writing it into memory cannot fail.
    let _ = serde_json::to_writer(&mut buffer.writer(), event);
    buffer.extend_from_slice(b"\n\n");
}

/// Appends a frame that is not in the log.
pub(super) fn write_control(buffer: &mut BytesMut, name: &str, data: &str) {
    buffer.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}

/// Appends the time after which a reader should come back, in milliseconds.
pub(super) fn write_retry(buffer: &mut BytesMut, milliseconds: u64) {
    buffer.extend_from_slice(format!("retry: {milliseconds}\n").as_bytes());
}

fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use crewd_domain::runs::{EventDraft, EventKind};
    use crewd_domain::shared::RunId;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_frame_of_three_lines() {
        let draft = EventDraft::of_run(EventKind::LlmDelta, json!({"text": "two\nlines"}));
        let event = draft.number(7, TaskId::new(Uuid::nil()), RunId::new(Uuid::nil()), DateTime::UNIX_EPOCH);
        let mut buffer = BytesMut::new();
        write_event(&mut buffer, &event);
        let text = std::str::from_utf8(&buffer).unwrap();
        let lines: Vec<_> = text.strip_suffix("\n\n").unwrap().split('\n').collect();
        assert_eq!((lines.len(), lines[0], lines[1]), (3, "id: 7", "event: llm.delta"));
        let envelope: serde_json::Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((&envelope["seq"], &envelope["data"]["text"]), (&json!(7), &json!("two\nlines")));
    }
}
