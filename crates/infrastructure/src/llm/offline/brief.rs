//! What a call is about.

use crewd_application::ports::{ModelRequest, Role};

use super::words::is_chinese;

/// The language of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

/// What a tool returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToolReturn {
    pub(super) tool: String,
    pub(super) text: String,
}

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Brief {
    /// What is to be done.
    pub(super) task: String,
    /// How the answer is expected to look; may be empty.
    pub(super) expected: String,
    pub(super) language: Language,
    /// What tools returned so far.
    pub(super) returns: Vec<ToolReturn>,
    /// The same for the same request, different for others.
    pub(super) seed: u64,
}

impl Brief {
    /// Reads a request. One without labels is about its last user message.
    pub(super) fn of(request: &ModelRequest) -> Self {
        let labels = &request.labels;
        let last = || request.messages.iter().rev().find(|message| message.role == Role::User);
        let task = if labels.task_description.trim().is_empty() {
            last().map(|message| message.content.clone()).unwrap_or_default()
        } else {
            labels.task_description.clone()
        };
        let expected = labels.expected_output.clone();
        let language = language(&task, &expected);
        Self { task, expected, language, returns: returns(request), seed: seed(request) }
    }
}

fn language(task: &str, expected: &str) -> Language {
    let wish = expected.to_lowercase();
    if wish.contains("in chinese") {
        return Language::Chinese;
    }
    if wish.contains("in english") || wish.contains("英文") {
        return Language::English;
    }
    let text = if expected.trim().is_empty() { task } else { expected };
    if is_chinese(text) { Language::Chinese } else { Language::English }
}

fn returns(request: &ModelRequest) -> Vec<ToolReturn> {
    let calls = || request.messages.iter().flat_map(|message| &message.tool_calls);
    let results = request.messages.iter().filter(|message| message.role == Role::Tool);
    results
        .filter_map(|message| {
            let id = message.tool_call_id.as_ref()?;
            let tool = calls().find(|call| call.id == *id)?.name.clone();
            Some(ToolReturn { tool, text: message.content.clone() })
        })
        .collect()
}

/// A hash (FNV-1a) of what was asked: neither time nor chance plays a part.
fn seed(request: &ModelRequest) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let texts = request.messages.iter().map(|message| message.content.as_str());
    for text in texts.chain([request.labels.agent.as_str(), &request.labels.task_description, &request.labels.expected_output]) {
        // A byte that no text has keeps the parts apart.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_output_decides_on_the_language() {
        assert_eq!(language("Write about Rust", "三个要点"), Language::Chinese);
        assert_eq!(language("写一份报告", "A report"), Language::English);
        assert_eq!(language("写一份报告", ""), Language::Chinese);
        assert_eq!(language("写一份报告", "一段英文"), Language::English);
        assert_eq!(language("Write about Rust", "Two points in Chinese"), Language::Chinese);
        assert_eq!(language("", ""), Language::English);
    }
}
