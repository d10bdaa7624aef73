//! From bytes to a tree, with everything that is wrong on the way.

use std::{borrow::Cow, rc::Rc};

use serde_saphyr::granit_parser::{ErrorKind, Marker, Options, Parser, ScanError, options};

use super::{
    MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES, Node, Position, YAML_ENCODING, YAML_LIMITS, YAML_SYNTAX,
    builder::{Builder, Stop},
};

/// Something wrong with the YAML itself.
#[derive(Debug)]
pub(in crate::definition) struct Issue {
    pub(in crate::definition) at: Position,
    pub(in crate::definition) rule: &'static str,
    pub(in crate::definition) message: String,
    pub(in crate::definition) suggestion: Option<&'static str>,
}

/// A key that one mapping holds twice.
#[derive(Debug)]
pub(in crate::definition) struct Duplicate {
    pub(in crate::definition) key: Rc<str>,
    pub(in crate::definition) first: Position,
    pub(in crate::definition) second: Position,
    /// Mappings around the one that holds the key.
    pub(in crate::definition) level: usize,
}

/// One file, read.
#[derive(Debug, Default)]
pub(in crate::definition) struct Parsed {
    /// The document; nothing when the file is empty or broken.
    pub(in crate::definition) root: Option<Rc<Node>>,
    pub(in crate::definition) issues: Vec<Issue>,
    pub(in crate::definition) duplicates: Vec<Duplicate>,
    /// Whether parts of the file are unknown, so that missing things may only be unread.
    pub(in crate::definition) broken: bool,
}

/// Reads one file. Never fails: what is wrong stands in the result.
pub(in crate::definition) fn parse(file: usize, bytes: &[u8]) -> Parsed {
    let start = Position { file, line: 1, column: 1 };
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("the file is larger than {} KiB", MAX_FILE_BYTES / 1024);
        return broken(Issue { at: start, rule: YAML_LIMITS, message, suggestion: None });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_text(file, text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).map_or(Cow::Borrowed(""), String::from_utf8_lossy);
            let line = 1 + valid.matches('\n').count();
            let column = 1 + valid.rsplit('\n').next().unwrap_or("").chars().count();
            let at = Position { file, line: number(line), column: number(column) };
            let suggestion = Some("save the file as UTF-8");
            broken(Issue { at, rule: YAML_ENCODING, message: "the file is not valid UTF-8 here".into(), suggestion })
        }
    }
}

/// Line and column of the parser, which counts columns from 0.
pub(super) fn position(file: usize, marker: &Marker) -> Position {
    Position { file, line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

fn parse_text(file: usize, text: &str) -> Parsed {
    let mut builder = Builder::new(file, text);
    for event in Parser::new_from_str_with_options(text, parser_options()) {
        let stopped = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => Err(Stop(syntax_issue(file, &error))),
        };
        if let Err(Stop(issue)) = stopped {
            return builder.stopped(issue);
        }
    }
    builder.finish()
}

fn parser_options() -> Options {
    let mut settings = options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    settings.set_emit_comments(false);
    settings
}

fn syntax_issue(file: usize, error: &ScanError) -> Issue {
    let at = position(file, error.marker());
    let issue = |rule, message: String, suggestion| Issue { at, rule, message, suggestion };
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => issue(YAML_LIMITS, too_deep(), None),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement | ErrorKind::SimpleKeyExpected => {
            let advice = "a text with `: ` inside needs quotes or a block (`>` or `|`)";
            issue(YAML_SYNTAX, error.info(), Some(advice))
        }
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            issue(YAML_SYNTAX, error.info(), Some("indent with blanks, not with tabs"))
        }
        ErrorKind::UnexpectedCharacter { .. } => issue(YAML_SYNTAX, error.info(), Some("put the text in quotes")),
        _ => issue(YAML_SYNTAX, error.info(), None),
    }
}

pub(super) fn too_deep() -> String {
    format!("values are nested deeper than {MAX_DEPTH} levels")
}

pub(super) fn too_many() -> String {
    format!("the file expands to more than {MAX_VALUES} values")
}

fn broken(issue: Issue) -> Parsed {
    Parsed { issues: vec![issue], broken: true, ..Parsed::default() }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
