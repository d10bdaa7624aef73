//! Conversations that have become longer than the model can read are replaced by their summary.

use std::sync::Arc;

use crewd_application::ports::{CallLabels, Message, ModelRequest, Role};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::StepPath;

use super::context_window::{estimate_message, estimate_tokens};
use super::model_step::{CallFailure, call_model};
use super::prompts;
use crate::run::{RunContext, Stop};

/// Share of a window, in percent, that one part of the log may fill while it is summarised.
const PART_PERCENT: usize = 50;

/// The conversation with everything behind its beginning (instructions and task) replaced by a summary. Each part is
/// summarised by a journaled model call.
pub(super) async fn compact(
    context: &RunContext,
    agent: &AgentDefinition,
    path: &StepPath,
    turn: &mut usize,
    request: Box<ModelRequest>,
    messages: Vec<Message>,
    window: usize,
) -> Result<Vec<Message>, Stop> {
    let opening = messages.iter().take_while(|message| message.role == Role::System).count() + 1;
    let (start, log) = messages.split_at(opening.min(messages.len()));
    let mut start = start.to_vec();
    let limit = (window / 100 * PART_PERCENT).max(256);
    if log.is_empty() {
        // Only the task itself is left, and it is too long: keep its beginning and its end.
        if let Some(task) = start.last_mut()
            && estimate_tokens(std::slice::from_ref(task)) > limit
        {
            task.content = cut_middle(&task.content, limit);
        }
        return Ok(start);
    }
    let mut summaries = Vec::new();
    for part in parts(log, limit) {
        let step = path.turn(*turn);
        *turn += 1;
        let mut ask = request.clone();
        ask.messages = vec![Message::text(Role::User, prompts::summarise(&part))];
        ask.labels = Arc::new(CallLabels {
            tenant: Some(context.task.tenant_id.clone()),
            agent: agent.name.clone(),
            task_description: prompts::summarise(""),
            expected_output: "A summary".to_owned(),
        });
        ask.idempotency_key = context.journal.idempotency_key(&step);
        match call_model(context, agent, &step, ask).await {
            Ok(response) => summaries.push(response.text),
            Err(CallFailure::Stop(stop) | CallFailure::Model { stop, .. }) => return Err(stop),
        }
    }
    start.push(Message::text(Role::User, prompts::summary(&summaries.join("\n\n"))));
    Ok(start)
}

/// The log as texts, none larger than the limit in tokens.
fn parts(log: &[Message], limit: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut size = 0;
    for message in log {
        let tokens = estimate_message(message).min(limit);
        if size + tokens > limit && size > 0 {
            parts.push(String::new());
            size = 0;
        }
        size += tokens;
        if let Some(part) = parts.last_mut() {
            part.push_str(&line(message, limit));
        }
    }
    parts
}

fn line(message: &Message, limit: usize) -> String {
    let calls: String =
        message.tool_calls.iter().map(|call| format!("\n[calls {} with {}]", call.name, call.arguments)).collect();
    format!("{:?}: {}{calls}\n", message.role, cut_middle(&message.content, limit))
}

/// A text of at most so many tokens, its middle replaced by a mark.
fn cut_middle(text: &str, tokens: usize) -> String {
    let keep = tokens.max(8);
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= keep {
        return text.to_owned();
    }
    let half = keep / 2;
    let head: String = characters.iter().take(half).collect();
    let tail: String = characters.iter().skip(characters.len() - half).collect();
    format!("{head}\n[… {} characters left out …]\n{tail}", characters.len() - 2 * half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_below_the_limit() {
        let log: Vec<Message> = (0..10).map(|index| Message::text(Role::User, format!("{index}{}", "x".repeat(399)))).collect();
        let parts = parts(&log, 256);
        assert_eq!(parts.len(), 5);
        assert!(parts.iter().all(|part| part.chars().count() < 1100));
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        let text = format!("begin{}end", "字".repeat(1000));
        let cut = cut_middle(&text, 100);
        assert!(cut.starts_with("begin") && cut.ends_with("end") && cut.contains("left out"));
        assert_eq!(cut_middle("short", 100), "short");
    }
}
