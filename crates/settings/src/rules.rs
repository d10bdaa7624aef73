//! What production needs. Everything missing or weak is named at once, with a way to get it.

use secrecy::{ExposeSecret, SecretString};

use crate::problem::Problem;
use crate::sections::Environment;
use crate::settings::Settings;

const SECRET_KEY_BYTES: usize = 32;
const API_KEY_BYTES: usize = 8;
const GENERATE: &str = "generate one with: openssl rand -hex 32";

/// Parts of texts that stand in examples where a secret belongs.
const PLACEHOLDERS: &[&str] = &["changeme", "change-me", "change_me", "replace-me", "replace_me", "your-secret", "your-api-key"];

pub(crate) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let reason = reason_for_secrets(settings);
    problems.extend(check_secret_key(settings, reason.as_deref()));
    if let Some(reason) = reason {
        check_keys(settings, &reason, &mut problems);
    }
    let environment = settings.server.environment;
    if environment == Environment::Production && settings.database.url.is_none() {
        problems.push(Problem::new(
            "APP_DATABASE_URL",
            "must be set because APP_ENV is production",
            "name the database, such as sqlite:///var/lib/crewd/crewd.db?mode=rwc",
        ));
    }
    problems
}

/// Why this installation needs its own secrets, if it does.
fn reason_for_secrets(settings: &Settings) -> Option<String> {
    if settings.server.environment == Environment::Production {
        return Some("APP_ENV is production".to_owned());
    }
    let is_reachable = !settings.server.is_loopback();
    is_reachable.then(|| format!("APP_HOST {} can be reached from other machines", settings.server.host))
}

/// A key that is set is used, so it must be a good one in every environment; without one, a good one is made.
fn check_secret_key(settings: &Settings, reason: Option<&str>) -> Option<Problem> {
    match (&settings.security.secret_key, reason) {
        (Some(key), _) => weakness(key, SECRET_KEY_BYTES).map(|message| weak("APP_SECRET_KEY", message)),
        (None, Some(reason)) => Some(missing("APP_SECRET_KEY", reason)),
        (None, None) => None,
    }
}

fn check_keys(settings: &Settings, reason: &str, problems: &mut Vec<Problem>) {
    let keys = &settings.security.api_keys;
    if keys.is_empty() {
        problems.push(missing("APP_API_KEYS", reason));
    }
    for (position, key) in keys.iter().enumerate() {
        let message =
            weakness(&key.key, API_KEY_BYTES).map(|message| format!("key {} of {} {message}", position + 1, keys.len()));
        problems.extend(message.map(|message| weak("APP_API_KEYS", message)));
    }
    if settings.server.allowed_origins.iter().any(|origin| origin == "*") {
        problems.push(Problem::new(
            "APP_ALLOWED_ORIGINS",
            format!("must not be * because {reason}"),
            "name the origins, such as https://console.example.org",
        ));
    }
}

fn missing(variable: &str, reason: &str) -> Problem {
    Problem::new(variable, format!("must be set because {reason}"), GENERATE)
}

fn weak(variable: &str, message: impl Into<String>) -> Problem {
    Problem::new(variable, message, GENERATE)
}

fn weakness(secret: &SecretString, least: usize) -> Option<String> {
    let text = secret.expose_secret();
    if text.len() < least {
        return Some(format!("is too short: {} bytes, at least {least} are needed", text.len()));
    }
    let lower = text.to_ascii_lowercase();
    let is_example = PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder));
    is_example.then(|| "is the text of an example, not a secret".to_owned())
}
