//! One YAML document with the keys `agents`, `tasks` and `crew` into the files of a crew.
//!
//! The document is cut by its lines and not parsed: reading YAML, its limits and its old rules, is the catalogue's
//! matter. Every file keeps the lines of the document: what belongs to another section is blank. So a problem at
//! line 12 is at line 12 of what the client sent.

use crewd_domain::crews::excerpt;

use crate::error::{ApiError, Problems, pointer_to};

/// The sections of a document, in the order in which files are named.
pub(super) const SECTIONS: [&str; 3] = ["agents", "tasks", "crew"];

/// The text of each section that is there.
///
/// # Errors
/// `validation_failed` for other keys, for keys that come twice, and where no section is found.
pub(super) fn split(document: &str) -> Result<Vec<(&'static str, String)>, ApiError> {
    let mut problems = Problems::default();
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut current = None;
    for (number, line) in document.strip_prefix('\u{feff}').unwrap_or(document).lines().enumerate() {
        let mut own = line.to_owned();
        match top_level(line) {
            Line::Key(key, rest) => {
                current = SECTIONS.into_iter().find(|section| *section == key);
                match current {
                    Some(section) if found.iter().any(|(name, _)| *name == section) => {
                        problems.add("duplicate_key", pointer_to("", section), "comes more than once");
                    }
                    Some(section) => found.push((section, "\n".repeat(number))),
                    None => problems.add("unknown_field", pointer_to("", &excerpt(key)), "must be agents, tasks or crew"),
                }
                own = format!("{}{rest}", " ".repeat(line.chars().count().saturating_sub(rest.chars().count())));
            }
            Line::Mark => own.clear(),
            Line::Content => {}
        }
        for (section, text) in &mut found {
            if current == Some(*section) {
                text.push_str(&own);
            }
            text.push('\n');
        }
    }
    if found.is_empty() {
        problems.add("required", "/agents", "is required: the document has the keys agents, tasks and perhaps crew");
    }
    problems.check()?;
    Ok(found)
}

enum Line<'a> {
    /// A key at the margin, and what stands behind its colon.
    Key(&'a str, &'a str),
    /// A comment, a directive or the mark of a document.
    Mark,
    /// All else.
    Content,
}

fn top_level(line: &str) -> Line<'_> {
    if line.starts_with(['#', '%']) || line.trim_end() == "---" || line.trim_end() == "..." {
        return Line::Mark;
    }
    let is_content = line.is_empty() || line.starts_with([' ', '\t', '-', ']', '}', '[', '{']);
    match line.split_once(':') {
        Some((key, rest)) if !is_content => Line::Key(key.trim_end().trim_matches(['"', '\'']), rest),
        _ => Line::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "---\n# a crew\nagents:\n  writer:\n    role: Writer\n\ntasks: # below\n  write:\n    agent: writer\ncrew: {process: sequential}\n";

    fn section(document: &str, name: &str) -> String {
        split(document).unwrap().into_iter().find(|(section, _)| *section == name).unwrap().1
    }

    #[test]
    fn every_section_keeps_the_lines_and_columns_of_the_document() {
        let lines = |name: &str| section(DOCUMENT, name).lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines("agents")[3..5], ["  writer:", "    role: Writer"]);
        assert_eq!(lines("tasks")[6..9], ["       # below", "  write:", "    agent: writer"]);
        assert_eq!(lines("crew")[9], "      {process: sequential}");
        assert!(lines("crew")[..9].iter().all(String::is_empty), "{:?}", lines("crew"));
    }

    #[test]
    fn other_keys_and_repeated_ones_are_refused() {
        let error = split("agents:\n  a: {}\nagent: x\nagents: {}\n").unwrap_err();
        let pointers: Vec<_> = error.details().fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/agent", "/agents"]);
        assert_eq!(split("just text").unwrap_err().details().fields[0].pointer, "/agents");
        assert!(split("").is_err());
    }

    #[test]
    fn windows_lines_and_quoted_keys_are_read() {
        let text = section("\u{feff}\"agents\":\r\n  a: {}\r\n", "agents");
        assert_eq!(text, "         \n  a: {}\n");
    }
}
