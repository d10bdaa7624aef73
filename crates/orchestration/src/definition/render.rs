//! Reports for people and for programs.

use std::fmt::Write as _;

use crewd_application::ports::CrewSource;
use crewd_domain::crews::{Diagnostic, Severity, ValidationReport};
use serde_json::json;

use super::rules::{OPERATOR_ONLY, SECRET_IN_FILE};

/// A report as text: `file:line:column: error[rule]: message`, the line with a caret, and the advice.
///
/// Ends with a count. `sources` are the files the report speaks of.
#[must_use]
pub fn render_text(report: &ValidationReport, sources: &[CrewSource]) -> String {
    let mut text = String::new();
    for diagnostic in &report.diagnostics {
        write_diagnostic(&mut text, diagnostic, sources);
    }
    let _ = writeln!(text, "{}, {}", counted(report.error_count(), "error"), counted(report.warning_count(), "warning"));
    text
}

/// A report as JSON: `valid`, the counts, and the diagnostics. `strict` makes warnings count.
#[must_use]
pub fn render_json(report: &ValidationReport, strict: bool) -> String {
    let value = json!({
        "valid": !report.has_errors(strict),
        "errors": report.error_count(),
        "warnings": report.warning_count(),
        "diagnostics": report.diagnostics,
    });
    format!("{value:#}\n")
}

fn write_diagnostic(text: &mut String, diagnostic: &Diagnostic, sources: &[CrewSource]) {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = match (diagnostic.line, diagnostic.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", diagnostic.path),
        _ => diagnostic.path.clone(),
    };
    let _ = writeln!(text, "{place}: {severity}[{}]: {}", diagnostic.rule, diagnostic.message);
    let margin = diagnostic.line.map_or(3, |line| line.to_string().len().max(3));
    if let Some(line) = source_line(diagnostic, sources) {
        let number = diagnostic.line.unwrap_or(0);
        let shown = visible(line);
        let _ = writeln!(text, " {number:>margin$} | {shown}");
        let _ = writeln!(text, " {:>margin$} | {}^", "", indent(line, diagnostic.column.unwrap_or(1)));
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        let _ = writeln!(text, " {:>margin$} = {suggestion}", "");
    }
}

/// The line, unless it may hold a secret.
fn source_line<'source>(diagnostic: &Diagnostic, sources: &'source [CrewSource]) -> Option<&'source str> {
    if [OPERATOR_ONLY, SECRET_IN_FILE].contains(&diagnostic.rule.as_str()) {
        return None;
    }
    let mut files = sources.iter().flat_map(|source| &source.files);
    let file = files.find(|file| file.path == diagnostic.path)?;
    let index = usize::try_from(diagnostic.line?).ok()?.checked_sub(1)?;
    let line = file.content.split(|byte| *byte == b'\n').nth(index)?;
    std::str::from_utf8(line).ok().map(|line| line.trim_end()).filter(|line| !line.is_empty())
}

/// At most 120 characters, control characters made visible.
fn visible(line: &str) -> String {
    let mut shown: String =
        line.chars().take(120).map(|character| if character.is_control() { ' ' } else { character }).collect();
    if line.chars().count() > 120 {
        shown.push('…');
    }
    shown
}

/// Blanks up to the column; characters of East Asian scripts are two wide.
fn indent(line: &str, column: u32) -> String {
    let before = usize::try_from(column).unwrap_or(1).saturating_sub(1).min(120);
    line.chars().take(before).map(|character| if is_wide(character) { "  " } else { " " }).collect()
}

fn is_wide(character: char) -> bool {
    matches!(u32::from(character),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use crewd_application::ports::SourceFile;
    use crewd_domain::crews::Problem;

    use super::*;

    fn report(line: u32, column: u32, rule: &'static str) -> (ValidationReport, Vec<CrewSource>) {
        let mut diagnostic = Diagnostic::from(Problem::error("tasks.t", rule, "it is wrong").suggest("do better"));
        diagnostic.path = "c/tasks.yaml".into();
        diagnostic.line = Some(line);
        diagnostic.column = Some(column);
        let content = "t:\n  名字: \u{1b}[31mx\r\n  api_key: sk-secret\n".into();
        let files = vec![SourceFile { path: "c/tasks.yaml".into(), content }];
        (ValidationReport { diagnostics: vec![diagnostic] }, vec![CrewSource { name: "c".into(), files }])
    }

    #[test]
    fn text_shows_place_line_caret_and_advice() {
        let (report, sources) = report(2, 7, "unknown_agent");
        assert_eq!(
            render_text(&report, &sources),
            "c/tasks.yaml:2:7: error[unknown_agent]: it is wrong\n   2 |   名字:  [31mx\n     |         ^\n     = do better\n1 error, 0 warnings\n"
        );
    }

    #[test]
    fn lines_with_secrets_are_not_shown() {
        let (report, sources) = report(3, 3, OPERATOR_ONLY);
        assert!(!render_text(&report, &sources).contains("sk-secret"));
    }

    #[test]
    fn places_out_of_the_file_do_not_matter() {
        for (line, column) in [(0, 0), (99, 1), (2, 9_999)] {
            let (report, sources) = report(line, column, "x");
            assert!(render_text(&report, &sources).contains("error[x]"));
        }
    }

    #[test]
    fn json_counts() {
        let (report, _) = report(2, 7, "unknown_agent");
        let value: serde_json::Value = serde_json::from_str(&render_json(&report, false)).unwrap();
        assert_eq!((&value["valid"], &value["errors"]), (&json!(false), &json!(1)));
        assert_eq!(value["diagnostics"][0]["column"], 7);
    }
}
