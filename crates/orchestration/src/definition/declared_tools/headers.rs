//! The headers of a tool's calls. A secret never stands in a file: the file names the setting that holds it.

use crewd_domain::crews::{Problem, closest, excerpt};

use super::{call::mapping, reader::ToolSurroundings};
use crate::definition::{
    fields::Fields,
    rules::{DUPLICATE_KEY, INVALID_HEADER, SECRET_IN_FILE, UNKNOWN_SECRET},
    yaml::Entry,
};

/// How the names of settings begin that hold secrets of tools.
const SECRET_PREFIX: &str = "APP_TOOL_SECRET_";
/// Headers that crewd sets itself, or that the connection needs.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-crewd-run-id",
    "x-crewd-task-id",
];
/// Headers whose values are secrets.
const SECRET: &[&str] = &["authorization", "cookie", "proxy-authorization", "x-api-key"];

pub(super) fn read_headers(fields: &mut Fields<'_, '_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for entry in mapping(fields, "headers") {
        let path = fields.path(&format!("headers.{}", entry.key));
        if SECRET.contains(&&*entry.key.to_ascii_lowercase()) {
            let message = format!("the value of `{}` is a secret and must not stand in a file", excerpt(&entry.key));
            let advice = format!("put it into a setting {SECRET_PREFIX}… and name that under `secret_headers`");
            fields.findings.report(entry.key_at, Problem::error(path, SECRET_IN_FILE, message).suggest(advice));
            continue;
        }
        if !check_name(fields, &path, &entry, headers.iter().map(|(name, _)| name)) {
            continue;
        }
        let Some(value) = fields.findings.text(&path, &entry.value) else { continue };
        let value = value.trim();
        if value.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic()) {
            headers.push((entry.key.to_string(), value.to_owned()));
        } else {
            let problem = Problem::error(path, INVALID_HEADER, "the value of a header has one line of ASCII characters");
            fields.findings.report(entry.value.at, problem);
        }
    }
    headers
}

/// Names of headers with the names of their settings.
pub(super) fn read_secret_headers(
    fields: &mut Fields<'_, '_>,
    headers: &[(String, String)],
    around: &ToolSurroundings,
) -> Vec<(String, String)> {
    let mut secrets: Vec<(String, String)> = Vec::new();
    for entry in mapping(fields, "secret_headers") {
        let path = fields.path(&format!("secret_headers.{}", entry.key));
        let taken = headers.iter().chain(&secrets).map(|(name, _)| name);
        if !check_name(fields, &path, &entry, taken) {
            continue;
        }
        let Some(setting) = fields.findings.text(&path, &entry.value) else { continue };
        let setting = setting.trim();
        if let Some(problem) = setting_problem(&path, setting, around) {
            fields.findings.report(entry.value.at, problem);
        } else {
            secrets.push((entry.key.to_string(), setting.to_owned()));
        }
    }
    secrets
}

fn check_name<'name>(
    fields: &mut Fields<'_, '_>,
    path: &str,
    entry: &Entry,
    mut taken: impl Iterator<Item = &'name String>,
) -> bool {
    let lower = entry.key.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = excerpt(&entry.key);
    let problem = if lower.is_empty() || !lower.bytes().all(is_token) {
        Problem::error(path, INVALID_HEADER, format!("`{name}` is no name of a header"))
    } else if RESERVED.contains(&lower.as_str()) {
        Problem::error(path, INVALID_HEADER, format!("`{name}` is set by crewd itself"))
    } else if taken.any(|known| known.eq_ignore_ascii_case(&entry.key)) {
        Problem::error(path, DUPLICATE_KEY, format!("the header `{name}` is given twice"))
    } else {
        return true;
    };
    fields.findings.report(entry.key_at, problem);
    false
}

/// What is wrong with the name of a setting. What stands there may be a secret itself, so it is not repeated.
fn setting_problem(path: &str, setting: &str, around: &ToolSurroundings) -> Option<Problem> {
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = setting.strip_prefix(SECRET_PREFIX).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_word));
    if !is_name {
        let message = format!("this must be the name of a setting that begins with {SECRET_PREFIX}, never the secret itself");
        return Some(Problem::error(path, SECRET_IN_FILE, message));
    }
    let known = around.secrets.as_ref().filter(|known| !known.contains(setting))?;
    let problem = Problem::error(path, UNKNOWN_SECRET, format!("the setting {setting} has no value"));
    Some(match closest(setting, known.iter().map(String::as_str)) {
        Some(near) => problem.suggest(format!("did you mean `{near}`?")),
        None => problem.suggest(format!("set {setting} in the environment or in .env")),
    })
}
