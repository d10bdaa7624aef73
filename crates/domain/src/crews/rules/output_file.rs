//! File names for answers: below the run's folder, and nothing a shell would act on.

use super::{limits::OUTPUT_FILE_CHARACTERS, rule::OUTPUT_FILE};
use crate::crews::{Problem, placeholder_names};

/// Why a file name is refused, as the end of a sentence ("it holds `..`"), or nothing when it is fine.
///
/// The folder is guarded again when the file is written; this check tells the author early.
#[must_use]
pub fn output_file_problem(file: &str) -> Option<&'static str> {
    let name = file.trim();
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().count() > OUTPUT_FILE_CHARACTERS {
        Some("is longer than 255 characters")
    } else if name.starts_with('/') {
        Some("begins with `/`; files are written below the run's own folder")
    } else if name.starts_with(['~', '$']) {
        Some("begins with `~` or `$`")
    } else if name.contains("..") {
        Some("holds `..`")
    } else if name.contains(['|', '>', '<', '&', ';']) {
        Some("holds a shell character (| > < & ;)")
    } else if name.contains('\\') || name.get(1..2) == Some(":") {
        Some("is written as a Windows path; use `/` and a relative path")
    } else if name.chars().any(char::is_control) {
        Some("holds a control character")
    } else if name.ends_with('/') {
        Some("ends with `/` and so names a folder")
    } else {
        None
    }
}

pub(super) fn check(element: &str, file: &str, problems: &mut Vec<Problem>) {
    let mut report = |reason: &str| {
        problems.push(Problem::error(element, OUTPUT_FILE, format!("output_file {reason}")));
    };
    if let Some(reason) = output_file_problem(file) {
        report(reason);
    }
    if placeholder_names(file).iter().any(|name| name.contains('-')) || has_stray_braces(file) {
        report("may hold placeholders only as {identifier}: letters, digits and `_`");
    }
}

/// Braces that are not part of a placeholder; CrewAI refuses them in file names.
fn has_stray_braces(file: &str) -> bool {
    let without = crate::crews::replace_placeholders(file, |_| Some("".into()));
    without.contains(['{', '}'])
}
