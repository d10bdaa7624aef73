//! The sentences that answers are made of.

use super::brief::{Brief, Language, ToolReturn};
use super::words::quote;

/// Characters of a tool's result that are quoted.
const QUOTE: usize = 80;
const CHINESE_QUOTE: usize = 40;

/// Where a sentence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a list or a table, behind the word it is about.
    Item,
    /// Among others in a paragraph.
    Prose,
}

/// About a key word; `{}` stands for it.
const ENGLISH_ITEMS: &[&str] = &[
    "{}: start here, because most of the task depends on it.",
    "{}: say what is certain, and mark what is a guess.",
    "{}: one example tells a reader more than a definition.",
    "{}: name the source, so that the next person can check it.",
    "{}: note what is still open, and who can settle it.",
    "{}: leave out what changes no decision.",
    "{}: compare two alternatives before choosing one.",
    "{}: write down the first step that can be taken today.",
];
const ENGLISH_PROSE: &[&str] = &[
    "With regard to “{}”, begin with the part that most of the task depends on.",
    "What is certain about “{}” should stand apart from what is a guess.",
    "One example of “{}” tells a reader more than a definition would.",
    "Whoever writes about “{}” should name the source, so that others can check it.",
    "It helps to note what is still open about “{}”, and who can settle it.",
    "Details of “{}” that change no decision can be left out.",
    "Before settling on one view of “{}”, compare it with at least one other.",
    "Where “{}” is concerned, the first step should be one that can be taken today.",
];
const CHINESE_ITEMS: &[&str] = &[
    "{}：先把这一点弄清楚，其余大多取决于它。",
    "{}：写明哪些是确定的，哪些只是推测。",
    "{}：举一个例子，比下定义更容易看懂。",
    "{}：注明出处，方便别人核对。",
    "{}：记下还没有解决的问题，以及由谁来定。",
    "{}：不影响决定的内容可以省去。",
    "{}：先比较两种做法，再选其中一种。",
    "{}：写出今天就能做的第一步。",
];
const CHINESE_PROSE: &[&str] = &[
    "谈到“{}”，先写清楚其余内容所依赖的部分。",
    "关于“{}”，要把确定的事实和推测分开来写。",
    "说明“{}”时，举一个例子比下定义更容易看懂。",
    "写到“{}”时应当注明出处，方便别人核对。",
    "“{}”还有哪些没有解决的问题、由谁来定，也值得记下来。",
    "“{}”中不影响决定的细节可以省去。",
    "对“{}”下结论之前，至少比较两种看法。",
    "就“{}”而言，第一步应当是今天就能做的事。",
];

/// The sentence with this number, about one of these words. Words and sentences are paired anew in each round.
pub(super) fn sentence(brief: &Brief, place: Place, number: usize, words: &[String]) -> String {
    let sentences = match (brief.language, place) {
        (Language::English, Place::Item) => ENGLISH_ITEMS,
        (Language::English, Place::Prose) => ENGLISH_PROSE,
        (Language::Chinese, Place::Item) => CHINESE_ITEMS,
        (Language::Chinese, Place::Prose) => CHINESE_PROSE,
    };
    let start = usize::try_from(brief.seed % 8).unwrap_or(0);
    let (round, step) = (number / sentences.len().max(1), number % sentences.len().max(1));
    let at = (start + step) % sentences.len().max(1);
    let word = words.get((step + round) % words.len().max(1)).map_or("", String::as_str);
    let text = sentences.get(at).map_or_else(String::new, |sentence| sentence.replace("{}", word));
    if place == Place::Item { capitalised(&text) } else { text }
}

/// With a capital first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
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
