//! Lines for people.

use std::io::Write;

use tracing::Level;

use super::line::Line;
use crate::field::FieldValue;

const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Appends the line, its end included. Control characters are shown escaped: no value can fake a line or a colour.
pub(crate) fn write(line: &Line<'_>, is_coloured: bool, out: &mut Vec<u8>) {
    let (colour, dim, plain) = if is_coloured { (colour(*line.metadata.level()), DIM, PLAIN) } else { ("", "", "") };
    let level = line.metadata.level().as_str();
    // Writing into memory cannot fail.
    let _ = write!(out, "{dim}{}{plain} {colour}{level:>5}{plain} {dim}{}{plain} ", line.timestamp(), line.metadata.target());
    escaped(out, line.message());
    for (name, value) in line.all_fields() {
        let _ = write!(out, " {dim}{name}={plain}");
        match value {
            FieldValue::Text(text) => quoted(out, text),
            FieldValue::Integer(number) => drop(write!(out, "{number}")),
            FieldValue::Unsigned(number) => drop(write!(out, "{number}")),
            FieldValue::Float(number) => drop(write!(out, "{number}")),
            FieldValue::Bool(truth) => drop(write!(out, "{truth}")),
        }
    }
    if let Some(record) = line.innermost() {
        let _ = write!(out, " {dim}trace_id={}{plain}", record.context.trace_id_text());
    }
    out.push(b'\n');
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[34m",
    }
}

/// In quotes where blanks would hide the end.
fn quoted(out: &mut Vec<u8>, text: &str) {
    if text.is_empty() || text.contains([' ', '"', '=']) {
        out.push(b'"');
        escaped(out, text);
        out.push(b'"');
    } else {
        escaped(out, text);
    }
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        if character.is_control() {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            let _ = write!(out, "{character}");
        }
    }
}
