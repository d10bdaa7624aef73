//! One source's values, by key.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use secrecy::SecretString;

use crate::catalogue::{self, PREFIX};
use crate::problem::Problem;
use crate::sections::tools::is_tool_secret;
use crate::suggestion::nearest;

/// The values one source gives, empty ones left out: an empty value is the same as none.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// What `config show --origin` calls this source.
    pub(crate) origin: String,
    values: BTreeMap<&'static str, Value>,
    /// Secrets of the operator's tools: their names are not known before.
    pub(crate) tool_secrets: BTreeMap<String, SecretString>,
}

impl Layer {
    pub(crate) fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), values: BTreeMap::new(), tool_secrets: BTreeMap::new() }
    }

    /// A layer of named variables. Names of other programs are passed over; an unknown name with our prefix, and one
    /// setting named twice with different values, are problems.
    pub(crate) fn from_names(origin: &str, pairs: impl Iterator<Item = (String, String)>, problems: &mut Vec<Problem>) -> Self {
        let mut layer = Self::new(origin);
        let mut strongest: BTreeMap<&'static str, (usize, String, String)> = BTreeMap::new();
        for (name, value) in pairs {
            if is_tool_secret(&name) {
                layer.insert_tool_secret(name, value.trim());
                continue;
            }
            let Some((variable, weakness)) = catalogue::by_name(&name) else {
                if name.starts_with(PREFIX) {
                    problems.push(unknown_name(origin, &name));
                }
                continue;
            };
            let value = value.trim().to_owned();
            if value.is_empty() {
                continue;
            }
            match strongest.get(variable.key) {
                Some((known, other, set)) if *known == weakness => {
                    if *set != value && *other != name {
                        problems.push(Problem::new(
                            variable.name,
                            format!("{other} and {name} are both set, to different values (from {origin})"),
                            "remove one of them: they name the same setting",
                        ));
                    }
                    if *other != name {
                        continue;
                    }
                }
                Some((known, ..)) if *known < weakness => continue,
                _ => {}
            }
            strongest.insert(variable.key, (weakness, name, value));
        }
        for (key, (_, _, value)) in strongest {
            layer.insert(key, Value::from(value));
        }
        layer
    }

    /// Adds a value unless it is empty.
    pub(crate) fn insert(&mut self, key: &'static str, value: Value) {
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return;
        }
        self.values.insert(key, value);
    }

    fn insert_tool_secret(&mut self, name: String, value: &str) {
        if !value.is_empty() {
            self.tool_secrets.insert(name, SecretString::from(value));
        }
    }

    /// The text of a value, where it is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }
}

fn unknown_name(origin: &str, name: &str) -> Problem {
    let hint = match nearest(name, catalogue::variables().map(|variable| variable.name)) {
        Some(known) => format!("did you mean {known}?"),
        None => "remove it; `crewd config show` lists every setting".to_owned(),
    };
    Problem::new(name, format!("there is no such setting (from {origin})"), hint)
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut sections: BTreeMap<&str, Dict> = BTreeMap::new();
        for (key, value) in &self.values {
            if let Some((section, field)) = key.split_once('.') {
                sections.entry(section).or_default().insert(field.to_owned(), value.clone());
            }
        }
        let whole: Dict = sections.into_iter().map(|(name, dict)| (name.to_owned(), Value::from(dict))).collect();
        Ok(Profile::Default.collect(whole))
    }
}
