//! What production refuses.

use super::{Installation, environment};

const SECRET: &str = "9f0c5a7be1d24c6c8b7a6d5e4f3c2b1a";
const KEY: &str = "key-5d41402abc4b2a76";

fn complete() -> Installation {
    environment(&[
        ("APP_ENV", "production"),
        ("APP_SECRET_KEY", SECRET),
        ("APP_API_KEYS", KEY),
        ("APP_DATABASE_URL", "sqlite:///var/lib/crewd/crewd.db"),
        ("APP_LLM_API_KEY", "sk-provider"),
    ])
}

#[test]
fn everything_missing_is_named_at_once() {
    let problems = environment(&[("APP_ENV", "production")]).problems();
    let names: Vec<&str> = problems.iter().map(|problem| problem.variable.as_str()).collect();
    assert_eq!(names, ["APP_SECRET_KEY", "APP_API_KEYS", "APP_DATABASE_URL"]);
    assert!(problems[0].hint.contains("openssl rand -hex 32"));
    assert!(problems[0].message.contains("APP_ENV is production"));
}

#[test]
fn a_complete_production_loads() {
    let settings = complete().settings();
    assert!(settings.log.is_json(settings.server.environment));
    assert!(!settings.llm.resolved().offline);
}

#[test]
fn a_deployed_server_gives_load_balancers_time() {
    assert_eq!(complete().settings().server.shutdown_grace.as_secs(), 5);
    assert!(environment(&[]).settings().server.shutdown_grace.is_zero(), "a developer does not wait");
    assert_eq!(environment(&[("APP_SHUTDOWN_GRACE", "0.5")]).settings().server.shutdown_grace.as_millis(), 500);
    assert_eq!(environment(&[("APP_SHUTDOWN_GRACE", "601")]).problem_names(), ["APP_SHUTDOWN_GRACE"]);
    assert_eq!(environment(&[("APP_SHUTDOWN_GRACE", "-1")]).problem_names(), ["APP_SHUTDOWN_GRACE"]);
}

#[test]
fn duties_are_taken_unless_they_are_off() {
    assert!(environment(&[]).settings().server.duties);
    assert!(!environment(&[("APP_DUTIES", "off")]).settings().server.duties);
    assert_eq!(environment(&[("APP_DUTIES", "maybe")]).problem_names(), ["APP_DUTIES"]);
}

#[test]
fn missing_secrets_come_together_with_other_problems() {
    let installation = environment(&[("APP_ENV", "production"), ("APP_PORT", "x"), ("APP_TYPO", "1")]);
    let names = installation.problem_names();
    for name in ["APP_PORT", "APP_TYPO", "APP_SECRET_KEY", "APP_API_KEYS", "APP_DATABASE_URL"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
}

#[test]
fn weak_secrets_are_refused_without_showing_them() {
    for (name, value) in [
        ("APP_SECRET_KEY", "0123456789abcdef0123456789abcde"),
        ("APP_SECRET_KEY", "changeme-changeme-changeme-changeme"),
        ("APP_API_KEYS", "key-5d41402abc4b2a76,short"),
    ] {
        let error = complete().environment(&[(name, value)]).load().expect_err("weak");
        assert_eq!(error.problems.len(), 1, "{error}");
        assert_eq!(error.problems[0].variable, name);
        assert!(!error.to_string().contains(value), "{error}");
        assert!(!error.to_string().contains("short,"), "{error}");
    }
}

#[test]
fn a_weak_root_key_is_refused_everywhere() {
    for key in ["short", "changeme-changeme-changeme-changeme"] {
        assert_eq!(environment(&[("APP_SECRET_KEY", key)]).problem_names(), ["APP_SECRET_KEY"]);
    }
    assert!(environment(&[("APP_SECRET_KEY", SECRET)]).settings().security.secret_key.is_some());
}

#[test]
fn an_address_others_can_reach_needs_secrets_too() {
    for host in ["0.0.0.0", "::", "192.168.1.10", "example.org", "::ffff:10.0.0.1"] {
        let names = environment(&[("APP_HOST", host)]).problem_names();
        assert_eq!(names, ["APP_SECRET_KEY", "APP_API_KEYS"], "{host}");
    }
    for host in ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
        environment(&[("APP_HOST", host)]).settings();
    }
}

#[test]
fn any_origin_is_for_development_only() {
    environment(&[("APP_ALLOWED_ORIGINS", "*")]).settings();
    let open = complete().environment(&[("APP_ALLOWED_ORIGINS", "*")]);
    assert_eq!(open.problem_names(), ["APP_ALLOWED_ORIGINS"]);
}

#[test]
fn a_model_without_a_key_must_be_meant() {
    for provider in ["offline", "ollama"] {
        let installation = environment(&[("APP_ENV", "staging"), ("APP_LLM_PROVIDER", provider)]);
        assert_eq!(installation.settings().llm.resolved().offline, provider == "offline");
    }
    // A process that calls no model needs no key of one, and nobody gets simulated answers unasked.
    let without = environment(&[("APP_ENV", "staging")]).settings().llm.resolved();
    assert!(!without.offline && without.api_key.is_none());
    let keyless = environment(&[
        ("APP_ENV", "staging"),
        ("APP_LLM_PROVIDER", "openai_compatible"),
        ("APP_LLM_BASE_URL", "http://127.0.0.1:8000/v1"),
    ]);
    assert!(!keyless.settings().llm.resolved().offline);
}
