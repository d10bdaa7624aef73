//! All variables, looked up by name or key.

use crate::sections::{admission, approvals, database, egress, files, limits, llm, log, otlp, redis, security, server, worker};
use crate::variable::Variable;

/// The prefix of every variable of this program.
pub(crate) const PREFIX: &str = "APP_";

/// Every variable, section by section, in the order of `.env.example`.
pub fn variables() -> impl Iterator<Item = &'static Variable> {
    [
        server::VARIABLES,
        log::VARIABLES,
        database::VARIABLES,
        redis::VARIABLES,
        llm::VARIABLES,
        worker::VARIABLES,
        admission::VARIABLES,
        approvals::VARIABLES,
        files::VARIABLES,
        security::VARIABLES,
        egress::VARIABLES,
        limits::VARIABLES,
        otlp::VARIABLES,
    ]
    .into_iter()
    .flatten()
}

/// The variable behind a key such as `database.url`.
pub(crate) fn by_key(key: &str) -> Option<&'static Variable> {
    variables().find(|variable| variable.key == key)
}

/// The variable behind `APP_DATABASE_URL`, `APP_DATABASE__URL` or a standard name, and how strongly the name speaks:
/// 0 for our own names, then upwards for standard ones.
pub(crate) fn by_name(name: &str) -> Option<(&'static Variable, usize)> {
    let nested = nested_key(name);
    variables().find_map(|variable| {
        if variable.name == name || nested.as_deref() == Some(variable.key) {
            return Some((variable, 0));
        }
        let position = variable.standard_names.iter().position(|standard| *standard == name)?;
        Some((variable, position + 1))
    })
}

/// `APP_DATABASE__URL` as `database.url`; nothing for flat names.
fn nested_key(name: &str) -> Option<String> {
    let (section, field) = name.strip_prefix(PREFIX)?.split_once("__")?;
    let lower = format!("{section}.{field}").to_ascii_lowercase();
    let is_upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    is_upper.then_some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_and_nested_names_mean_the_same() {
        for variable in variables() {
            let nested = format!("APP_{}__{}", variable.section(), variable.field()).to_ascii_uppercase();
            assert_eq!(by_name(&nested), Some((variable, 0)), "{nested}");
            assert_eq!(by_name(variable.name), Some((variable, 0)));
        }
    }

    #[test]
    fn names_and_keys_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for variable in variables() {
            assert!(seen.insert(variable.key), "{} twice", variable.key);
            assert!(seen.insert(variable.name), "{} twice", variable.name);
            assert!(variable.name.starts_with(PREFIX));
        }
    }

    #[test]
    fn standard_names_are_weaker() {
        assert_eq!(by_name("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(|(_, weakness)| weakness), Some(1));
        assert_eq!(by_name("OTEL_EXPORTER_OTLP_ENDPOINT").map(|(_, weakness)| weakness), Some(2));
        assert_eq!(by_name("OTEL_UNKNOWN"), None);
        assert_eq!(by_name("APP_database__url"), None);
    }
}
