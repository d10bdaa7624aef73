//! How long a conversation is, and how long it may be.

use crewd_application::ports::Message;
use crewd_domain::crews::LlmSettings;

/// For a model nobody knows.
const DEFAULT_WINDOW: usize = 32_768;

/// Tokens a model can read, by the beginning of its name (providers' published sizes, November 2026).
const WINDOWS: &[(&str, usize)] = &[
    ("qwen-long", 1_000_000),
    ("qwen-turbo", 1_000_000),
    ("qwen-plus", 131_072),
    ("qwen-max", 32_768),
    ("qwen", 131_072),
    ("deepseek", 65_536),
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-5", 400_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4", 200_000),
    ("claude", 200_000),
    ("gemini", 1_048_576),
    ("glm-4", 128_000),
    ("moonshot", 131_072),
    ("kimi", 131_072),
];

/// The window of an agent's model: what its definition says, else what its name tells.
#[must_use]
pub(super) fn window_of(llm: Option<&LlmSettings>, default_model: &str) -> usize {
    if let Some(window) = llm.and_then(|llm| llm.context_window) {
        return usize::try_from(window).unwrap_or(DEFAULT_WINDOW);
    }
    let name = llm.map_or(default_model, |llm| llm.model.as_str());
    let bare = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    WINDOWS.iter().find(|(start, _)| bare.starts_with(start)).map_or(DEFAULT_WINDOW, |(_, window)| *window)
}

/// A guess at the tokens of a conversation, on the high side: one for four ASCII characters, one for each other character.
#[must_use]
pub(super) fn estimate_tokens(messages: &[Message]) -> usize {
    messages.iter().map(estimate_message).sum()
}

/// The same for one message.
#[must_use]
pub(super) fn estimate_message(message: &Message) -> usize {
    let calls: usize = message.tool_calls.iter().map(|call| estimate_text(&call.name) + estimate_text(&call.arguments) + 8).sum();
    4 + estimate_text(&message.content) + calls
}

fn estimate_text(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let other = text.chars().count() - ascii.min(text.chars().count());
    ascii.div_ceil(4) + other
}

#[cfg(test)]
mod tests {
    use crewd_application::ports::Role;

    use super::*;

    #[test]
    fn chinese_counts_by_character() {
        let english = Message::text(Role::User, "a".repeat(400));
        let chinese = Message::text(Role::User, "字".repeat(400));
        assert_eq!(estimate_tokens(&[english]), 104);
        assert_eq!(estimate_tokens(&[chinese]), 404);
    }

    #[test]
    fn names_tell_windows() {
        assert_eq!(window_of(None, "qwen-plus"), 131_072);
        assert_eq!(window_of(None, "openai/gpt-4o-mini"), 128_000);
        assert_eq!(window_of(None, "something"), DEFAULT_WINDOW);
    }
}
