//! `config/*.toml` files.

use std::io::ErrorKind;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

use crate::catalogue;
use crate::layer::Layer;
use crate::problem::Problem;
use crate::suggestion::nearest;

/// Reads a settings file; a missing one is an empty layer.
pub(crate) fn read(path: &Path, origin: &str, problems: &mut Vec<Problem>) -> Layer {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, origin, problems),
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                problems.push(Problem::new(origin, format!("the file cannot be read: {error}"), ""));
            }
            Layer::new(origin)
        }
    }
}

/// Takes the text of a settings file apart into a layer. Unknown sections and keys are problems.
pub(crate) fn parse(text: &str, origin: &str, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new(origin);
    let sections: Dict = match Toml::from_str(text) {
        Ok(sections) => sections,
        Err(error) => {
            let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.lines().count().max(1));
            problems.push(Problem::new(
                format!("{origin}:{line}"),
                format!("this is not valid TOML: {}", error.message()),
                "texts need quotes: key = \"value\"",
            ));
            return layer;
        }
    };
    for (section, value) in sections {
        match value {
            Value::Dict(_, fields) => take_section(&section, fields, origin, &mut layer, problems),
            _ => problems.push(Problem::new(
                &section,
                format!("stands outside any section (in {origin})"),
                "settings belong into a section such as [server]",
            )),
        }
    }
    layer
}

fn take_section(section: &str, fields: Dict, origin: &str, layer: &mut Layer, problems: &mut Vec<Problem>) {
    if !catalogue::variables().any(|variable| variable.section() == section) {
        let hint = nearest(section, catalogue::variables().map(|variable| variable.section()))
            .map(|known| format!("did you mean [{known}]?"))
            .unwrap_or_default();
        problems.push(Problem::new(format!("[{section}]"), format!("there is no such section (in {origin})"), hint));
        return;
    }
    for (field, value) in fields {
        let key = format!("{section}.{field}");
        let Some(variable) = catalogue::by_key(&key) else {
            problems.push(unknown_key(&key, origin));
            continue;
        };
        if let Value::Dict(..) = value {
            problems.push(Problem::new(variable.name, format!("{key} is a table (in {origin})"), "write one value"));
            continue;
        }
        layer.insert(variable.key, value);
    }
}

fn unknown_key(key: &str, origin: &str) -> Problem {
    let hint = nearest(key, catalogue::variables().map(|variable| variable.key))
        .map(|known| format!("did you mean {known}?"))
        .unwrap_or_default();
    Problem::new(key, format!("there is no such setting (in {origin})"), hint)
}
