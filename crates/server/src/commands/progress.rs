//! The progress of a run as a tree, on standard error.

use crewd_domain::runs::{Event, EventKind};
use serde_json::Value;

/// Longest piece of an argument or a result that is shown.
const SHOWN: usize = 60;

/// Prints events as they come.
pub(crate) struct Progress {
    colour: bool,
    simulated: bool,
}

impl Progress {
    pub(crate) const fn new(colour: bool, simulated: bool) -> Self {
        Self { colour, simulated }
    }

    /// Prints what an event means, if it means anything to a person.
    pub(crate) fn show(&mut self, event: &Event) {
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        if let Some(line) = self.line(event.kind, &data) {
            eprintln!("{line}");
        }
    }

    fn line(&self, kind: EventKind, data: &Value) -> Option<String> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |pointer: &str| data.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        Some(match kind {
            EventKind::TaskStarted if self.simulated => self.paint("33", "offline model: the answers are simulated"),
            EventKind::CrewTaskStarted => format!("├─ {} ({})", self.paint("1", text("name")), text("agent")),
            EventKind::LlmStarted => format!("│  ├─ model {}", text("model")),
            EventKind::LlmCompleted => {
                format!(
                    "│  │  {} tokens in, {} out, {} ms",
                    number("/usage/input_tokens"),
                    number("/usage/output_tokens"),
                    number("/duration_ms")
                )
            }
            EventKind::LlmFailed => format!("│  │  {}", self.paint("31", &short(data.pointer("/error/message")))),
            EventKind::ToolStarted => format!("│  ├─ tool {} {}", text("tool"), short(data.get("arguments"))),
            EventKind::ToolCompleted => format!("│  │  {} {}", self.paint("32", "ok"), short(data.get("output"))),
            EventKind::ToolFailed => format!("│  │  {}", self.paint("31", &short(data.pointer("/error/message")))),
            EventKind::CrewTaskCompleted => format!("│  └─ {}", self.paint("32", "done")),
            EventKind::TaskSucceeded => format!(
                "└─ {}, {} tokens",
                self.paint("32", "succeeded"),
                number("/usage/input_tokens") + number("/usage/output_tokens")
            ),
            EventKind::TaskFailed | EventKind::TaskIncomplete => {
                format!("└─ {}: {}", self.paint("31", kind.as_str()), short(data.pointer("/error/message")))
            }
            EventKind::TaskCancelled => format!("└─ {}", self.paint("33", "cancelled")),
            _ => return None,
        })
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A value on one line, cut where it is long.
fn short(value: Option<&Value>) -> String {
    let text = match value {
        None => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= SHOWN { line } else { line.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_call_is_one_line_without_control_characters() {
        let progress = Progress::new(false, false);
        let data =
            json!({"tool": "file_read", "arguments": {"path": "x"}, "output": format!("a\nb\u{1b}[2J{}", "字".repeat(100))});
        assert_eq!(progress.line(EventKind::ToolStarted, &data).unwrap(), "│  ├─ tool file_read {\"path\":\"x\"}");
        let line = progress.line(EventKind::ToolCompleted, &data).unwrap();
        assert!(line.ends_with('…') && !line.contains(['\n', '\u{1b}']), "{line}");
        assert_eq!(progress.line(EventKind::LlmDelta, &data), None);
    }
}
