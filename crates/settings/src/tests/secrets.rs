//! No secret leaves in a message, a row or a debug print.

use secrecy::ExposeSecret;

use super::{Installation, environment};

const PLANTED: &str = "planted-secret-4711";

#[test]
fn secrets_that_look_like_numbers_stay_texts() {
    let settings = environment(&[("APP_LLM_API_KEY", "0123456"), ("APP_API_KEYS", "123456,true")]).settings();
    assert_eq!(settings.llm.api_key.expect("a key").expose_secret(), "0123456");
    assert_eq!(settings.security.api_keys[1].expose_secret(), "true");
    let installation = Installation::new().file("config/default.toml", "[llm]\napi_key = 123456\n");
    assert_eq!(installation.settings().llm.api_key.expect("a key").expose_secret(), "123456");
}

#[test]
fn rows_and_debug_prints_show_no_secret() {
    let url = format!("mysql://root:{PLANTED}@db/crewd?ssl_key={PLANTED}");
    let headers = format!("authorization=Bearer {PLANTED}");
    let installation = environment(&[
        ("APP_LLM_API_KEY", PLANTED),
        ("APP_SECRET_KEY", PLANTED),
        ("APP_API_KEYS", PLANTED),
        ("APP_DATABASE_URL", &url),
        ("APP_OTLP_HEADERS", &headers),
    ]);
    let settings = installation.settings();
    let rows = serde_json::to_string(settings.origins()).expect("rows");
    assert!(!rows.contains(PLANTED), "{rows}");
    let debug = format!("{settings:?}");
    assert!(!debug.contains(PLANTED), "{debug}");
    assert_eq!(installation.row("database.url").value, "mysql://root:********@db/crewd?ssl_key=********");
    assert_eq!(installation.row("llm.api_key").value, "********");
    assert_eq!(installation.row("llm.api_key").origin, "environment");
    assert_eq!(settings.otlp.headers[0].1.expose_secret(), format!("Bearer {PLANTED}"));
}

#[test]
fn problems_show_no_secret() {
    let installation = environment(&[
        ("APP_ENV", "production"),
        ("APP_DATABASE_URL", PLANTED),
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
