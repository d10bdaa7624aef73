//! Texts for fields of a schema.

use super::answer;
use super::brief::{Brief, Language};
use super::words::{file_names, keywords, slug, subject};

/// Whether a field says where or what to look for, so that it is worth filling even when it is optional.
pub(super) fn is_telling(name: &str) -> bool {
    is_path(name) || is_query(name)
}

/// Whether a field holds a path.
pub(super) fn is_path(name: &str) -> bool {
    let name = name.to_lowercase();
    ["path", "file", "filename", "dir", "directory", "folder"]
        .iter()
        .any(|word| name == *word || name.ends_with(&format!("_{word}")))
}

/// Whether a field holds what a tool writes down.
pub(super) fn is_content(name: &str) -> bool {
    matches!(name, "content" | "text" | "body" | "message" | "data" | "note" | "notes")
}

fn is_query(name: &str) -> bool {
    matches!(name, "query" | "q" | "search" | "search_query" | "keyword" | "keywords" | "term" | "terms" | "topic" | "question")
}

/// The text of a tool's argument. `usual` is the schema's default or example.
pub(super) fn argument(tool: &str, name: &str, usual: Option<&str>, brief: &Brief) -> String {
    let tool = tool.to_lowercase();
    if is_path(name) {
        return path(&tool, name, brief);
    }
    if is_query(name) {
        return keywords(&brief.task, 4).join(" ");
    }
    if is_content(name) {
        return answer::write(brief);
    }
    if let Some(usual) = usual {
        return usual.to_owned();
    }
    let name = name.to_lowercase();
    if name.contains("url") || name.contains("link") {
        return "https://example.org/".to_owned();
    }
    if name.contains("lang") {
        return if brief.language == Language::Chinese { "zh" } else { "en" }.to_owned();
    }
    keywords(&brief.task, 1).join(" ")
}

fn path(tool: &str, name: &str, brief: &Brief) -> String {
    let is_folder = ["dir", "folder", "list"].iter().any(|word| tool.contains(word) || name.to_lowercase().contains(word));
    if is_folder {
        return ".".to_owned();
    }
    let in_task = || file_names(&brief.task).into_iter().next();
    if ["write", "save", "create", "append"].iter().any(|word| tool.contains(word)) {
        return in_task().unwrap_or_else(|| format!("notes/{}.md", slug(&brief.task, brief.seed)));
    }
    let shown = brief.returns.iter().flat_map(|result| file_names(&result.text)).next();
    shown.or_else(in_task).unwrap_or_else(|| "notes.md".to_owned())
}

/// The text of a field of an answer.
pub(super) fn field(name: &str, description: Option<&str>, index: usize, brief: &Brief) -> String {
    let about = subject(&brief.task);
    let words = keywords(&brief.task, 8);
    let word = words.get(index % words.len().max(1)).map_or("", String::as_str);
    let lower = name.to_lowercase();
    if is_path(&lower) {
        return file_names(&brief.task).into_iter().next().unwrap_or_else(|| "notes.md".to_owned());
    }
    if ["title", "subject", "headline", "topic"].iter().any(|part| lower.contains(part)) {
        return about;
    }
    if ["tag", "keyword", "category", "label", "name", "id"].iter().any(|part| lower == *part || lower == format!("{part}s")) {
        return word.to_owned();
    }
    let meaning = description.map(subject).filter(|text| !text.is_empty()).unwrap_or_else(|| lower.replace('_', " "));
    match brief.language {
        Language::English => format!("(offline model) {meaning}: {about}"),
        Language::Chinese => format!("（离线模型）{meaning}：{about}"),
    }
}
