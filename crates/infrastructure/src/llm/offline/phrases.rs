//! The sentences that answers are made of.

use super::brief::{Brief, Language, ToolReturn};
use super::words::quote;

/// Characters of a tool's result that are quoted.
const QUOTE: usize = 80;
const CHINESE_QUOTE: usize = 40;

/// About a key word; `{}` stands for it. Each also reads well in a list.
const ENGLISH: &[&str] = &[
    "{}: start here, because most of the task depends on it.",
    "{}: say what is certain, and mark what is a guess.",
    "{}: one example tells a reader more than a definition.",
    "{}: name the source, so that the next person can check it.",
    "{}: note what is still open, and who can settle it.",
    "{}: leave out what changes no decision.",
    "{}: compare two alternatives before choosing one.",
    "{}: write down the first step that can be taken today.",
];
const CHINESE: &[&str] = &[
    "{}：先把这一点弄清楚，其余大多取决于它。",
    "{}：写明哪些是确定的，哪些只是推测。",
    "{}：举一个例子，比下定义更容易看懂。",
    "{}：注明出处，方便别人核对。",
    "{}：记下还没有解决的问题，以及由谁来定。",
    "{}：不影响决定的内容可以省去。",
    "{}：先比较两种做法，再选其中一种。",
    "{}：写出今天就能做的第一步。",
];

/// One of the sentences, about this word.
pub(super) fn sentence(brief: &Brief, number: usize, word: &str) -> String {
    let sentences = match brief.language {
        Language::English => ENGLISH,
        Language::Chinese => CHINESE,
    };
    let start = usize::try_from(brief.seed % 8).unwrap_or(0);
    let at = (start + number) % sentences.len().max(1);
    sentences.get(at).map_or_else(|| word.to_owned(), |sentence| sentence.replace("{}", word))
}

/// What the answer is about.
pub(super) fn opening(brief: &Brief, subject: &str) -> String {
    match brief.language {
        Language::English => format!("This answers the task “{subject}”."),
        Language::Chinese => format!("以下回答任务“{subject}”。"),
    }
}

/// A tool's result, quoted.
pub(super) fn quoted(brief: &Brief, result: &ToolReturn) -> String {
    let ToolReturn { tool, text } = result;
    match brief.language {
        Language::English => format!("The tool `{tool}` returned “{}”.", quote(text, QUOTE)),
        Language::Chinese => format!("工具 `{tool}` 返回了“{}”。", quote(text, CHINESE_QUOTE)),
    }
}

/// That nobody has thought about this.
pub(super) const fn note(language: Language) -> &'static str {
    match language {
        Language::English => "_(offline model: simulated answer)_",
        Language::Chinese => "_（离线模型：模拟回答）_",
    }
}

/// The same for places where markup does not belong.
pub(super) const fn plain_note(language: Language) -> &'static str {
    match language {
        Language::English => "offline model: simulated answer",
        Language::Chinese => "离线模型：模拟回答",
    }
}

/// Headings of a table: what, what about it, from where.
pub(super) const fn columns(language: Language) -> [&'static str; 3] {
    match language {
        Language::English => ["Point", "Remark", "Source"],
        Language::Chinese => ["要点", "说明", "来源"],
    }
}

/// Where a row of a table comes from that no tool has given.
pub(super) const fn from_task(language: Language) -> &'static str {
    match language {
        Language::English => "the task",
        Language::Chinese => "任务说明",
    }
}
