//! `.env` files, read without touching the process environment.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use crate::layer::Layer;
use crate::problem::Problem;

/// Reads `directory/name`; a missing file is an empty layer. Lines that cannot be read are problems, shown without
/// their content, which may be a secret.
pub(crate) fn read(directory: &Path, name: &str, problems: &mut Vec<Problem>) -> Layer {
    let text = match std::fs::read_to_string(directory.join(name)) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                problems.push(unreadable(name, &error));
            }
            return Layer::new(name);
        }
    };
    let lines = dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes());
    let mut pairs = Vec::new();
    for line in lines {
        match line {
            Ok((key, value)) => pairs.push((key, value)),
            Err(dotenvy::Error::LineParse(line, _)) => problems.push(Problem::new(
                variable_of(&line),
                format!("the line that starts so in {name} cannot be read"),
                "write NAME=value; put a value with blanks, $ or # into 'single quotes'",
            )),
            Err(error) => {
                problems.push(unreadable(name, &error));
                break;
            }
        }
    }
    Layer::from_names(name, pairs.into_iter(), problems)
}

fn unreadable(name: &str, error: &dyn Display) -> Problem {
    Problem::new(name, format!("the file cannot be read: {error}"), "it must be a UTF-8 text file this user may read")
}

/// What stands before the equals sign, as far as it looks like a name.
fn variable_of(line: &str) -> String {
    let name: String =
        line.trim_start().chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect();
    if name.is_empty() { "(a line without a name)".to_owned() } else { name }
}
