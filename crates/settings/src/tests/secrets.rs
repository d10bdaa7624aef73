//! No secret leaves in a message, a row or a debug print.

use secrecy::ExposeSecret;

use super::{Installation, environment};

const PLANTED: &str = "planted-secret-4711";

#[test]
fn secrets_that_look_like_numbers_stay_texts() {
    let settings = environment(&[("APP_LLM_API_KEY", "0123456"), ("APP_API_KEYS", "123456,true")]).settings();
    assert_eq!(settings.llm.api_key.expect("a key").expose_secret(), "0123456");
    assert_eq!(settings.security.api_keys[1].key.expose_secret(), "true");
    let installation = Installation::new().file("config/default.toml", "[llm]\napi_key = 123456\n");
    assert_eq!(installation.settings().llm.api_key.expect("a key").expose_secret(), "123456");
}

#[test]
fn rows_and_debug_prints_show_no_secret() {
    let url = format!("mysql://root:{PLANTED}@db/crewd?ssl_key={PLANTED}");
    let redis = format!("rediss://:{PLANTED}@cache:6380/1");
    let headers = format!("authorization=Bearer {PLANTED}");
    let root = format!("{PLANTED}-{PLANTED}");
    let installation = environment(&[
        ("APP_LLM_API_KEY", PLANTED),
        ("APP_SECRET_KEY", &root),
        ("APP_API_KEYS", PLANTED),
        ("APP_DATABASE_URL", &url),
        ("APP_REDIS_URL", &redis),
        ("APP_OTLP_HEADERS", &headers),
    ]);
    let settings = installation.settings();
    let rows = serde_json::to_string(settings.origins()).expect("rows");
    assert!(!rows.contains(PLANTED), "{rows}");
    let debug = format!("{settings:?}");
    assert!(!debug.contains(PLANTED), "{debug}");
    assert_eq!(installation.row("database.url").value, "mysql://root:********@db/crewd?ssl_key=********");
    assert_eq!(installation.row("redis.url").value, "rediss://:********@cache:6380/1");
    assert_eq!(installation.row("llm.api_key").value, "********");
    assert_eq!(installation.row("llm.api_key").origin, "environment");
    assert_eq!(settings.otlp.headers[0].1.expose_secret(), format!("Bearer {PLANTED}"));
}

#[test]
fn problems_show_no_secret() {
    let installation = environment(&[
        ("APP_ENV", "production"),
        ("APP_DATABASE_URL", PLANTED),
        ("APP_REDIS_URL", PLANTED),
        ("APP_OTLP_HEADERS", PLANTED),
        ("APP_SECRET_KEY", PLANTED),
        ("APP_API_KEYS", "planted"),
        ("APP_UNKNOWN_THING", PLANTED),
        ("APP_LLM_BASE_URL", PLANTED),
    ])
    .file(".env", &format!("APP_BROKEN {PLANTED}\n"))
    .file("config/default.toml", &format!("[llm]\napi_key = {PLANTED}\n"));
    let error = installation.load().expect_err("problems");
    assert!(!error.to_string().contains("planted"), "{error}");
    assert!(error.problems.len() >= 8, "{error}");
}

#[test]
fn secrets_of_tools_are_taken_by_name_and_shown_nowhere() {
    let installation = environment(&[("APP_TOOL_SECRET_ERP", PLANTED), ("APP_TOOL_SECRET_EMPTY", "")])
        .file(".env", "APP_TOOL_SECRET_ERP=weaker\nAPP_TOOL_SECRET_CRM=crm-secret\n");
    let settings = installation.settings();
    let secret = |name: &str| settings.tools.secrets.get(name).map(|secret| secret.expose_secret().to_owned());
    assert_eq!(secret("APP_TOOL_SECRET_ERP").as_deref(), Some(PLANTED));
    assert_eq!(secret("APP_TOOL_SECRET_CRM").as_deref(), Some("crm-secret"));
    assert_eq!(secret("APP_TOOL_SECRET_EMPTY"), None);
    let shown: Vec<(&str, &str, &str)> = settings
        .origins()
        .iter()
        .filter(|row| row.key == "tools.secrets")
        .map(|row| (row.variable.as_str(), row.value.as_str(), row.origin.as_str()))
        .collect();
    assert_eq!(shown, [("APP_TOOL_SECRET_CRM", "********", ".env"), ("APP_TOOL_SECRET_ERP", "********", "environment")]);
    assert!(!format!("{settings:?}").contains(PLANTED));
}

#[test]
fn a_misspelt_secret_of_a_tool_is_an_unknown_setting() {
    let problems = environment(&[("APP_TOOL_SECRET_", "x"), ("APP_TOOL_SECRET_erp", "x")]).problem_names();
    assert_eq!(problems, ["APP_TOOL_SECRET_", "APP_TOOL_SECRET_erp"]);
}
