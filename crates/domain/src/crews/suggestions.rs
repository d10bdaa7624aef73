//! "Did you mean": the known name that is closest to a wrong one.

/// The candidate closest to `wrong`, or nothing when none is close enough to be meant.
///
/// Case, blanks, hyphens and a trailing `Tool` (names of CrewAI's tool classes) do not count; otherwise about
/// one edit per three letters is allowed.
pub fn closest<'name>(wrong: &str, candidates: impl IntoIterator<Item = &'name str>) -> Option<&'name str> {
    // Long text is never a misspelt name, and the comparison is quadratic.
    if wrong.chars().count() > 64 {
        return None;
    }
    let wanted = plain(wrong);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count() <= 64)
        .filter_map(|candidate| Some((distance(&wanted, &plain(candidate), allowed(&wanted, candidate))?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// A value as it may stand in a message: at most 40 characters, control characters made visible.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(visible).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

fn visible(character: char) -> Vec<char> {
    if character.is_control() { character.escape_default().collect() } else { vec![character] }
}

fn allowed(wanted: &str, candidate: &str) -> usize {
    wanted.chars().count().max(candidate.chars().count()).div_ceil(3).min(3)
}

/// Lower snake case without the suffix of tool classes: `FileReadTool` and `file-read` are `file_read`.
fn plain(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for character in name.trim().chars() {
        if character.is_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = character.is_lowercase() || character.is_numeric();
        if character == '-' || character.is_whitespace() {
            out.push('_');
        } else {
            out.extend(character.to_lowercase());
        }
    }
    match out.strip_suffix("_tool") {
        Some(stem) if !stem.is_empty() => stem.to_owned(),
        _ => out,
    }
}

/// Edits (insert, delete, replace) from one text to the other, or nothing when it takes more than `most`.
fn distance(left: &str, right: &str, most: usize) -> Option<usize> {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (position, letter) in left.chars().enumerate() {
        let mut diagonal = position;
        let mut previous = position + 1;
        let mut next = vec![previous];
        for (above, other) in row.iter().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(letter != *other);
            previous = replaced.min(above + 1).min(previous + 1);
            diagonal = *above;
            next.push(previous);
        }
        // Edits only grow from row to row.
        if next.iter().all(|edits| *edits > most) {
            return None;
        }
        row = next;
    }
    row.last().copied().filter(|edits| *edits <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, edits) in
            [("", "", 0), ("tool", "tools", 1), ("kitten", "sitting", 3), ("", "abc", 3), ("任务", "任务书", 1)]
        {
            assert_eq!(distance(left, right, 3), Some(edits), "{left} {right}");
        }
        assert_eq!(distance("kitten", "sitting", 2), None);
    }

    #[test]
    fn near_names_are_found() {
        let keys = ["tools", "llm", "role", "goal", "expected_output"];
        assert_eq!(closest("tool", keys), Some("tools"));
        assert_eq!(closest("LLM", keys), Some("llm"));
        assert_eq!(closest("expected-output", keys), Some("expected_output"));
        assert_eq!(closest("thought", keys), None);
        assert_eq!(closest(&"x".repeat(100_000), keys), None);
    }

    #[test]
    fn tool_classes_lead_to_tool_names() {
        let tools = ["directory_read", "file_read", "file_write"];
        assert_eq!(closest("FileReadTool", tools), Some("file_read"));
        assert_eq!(closest("FileWriterTool", tools), Some("file_write"));
        assert_eq!(closest("DirectoryReadTool", tools), Some("directory_read"));
    }

    #[test]
    fn excerpts_are_short_and_visible() {
        assert_eq!(excerpt("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(excerpt(&"字".repeat(50)), format!("{}…", "字".repeat(40)));
    }
}
