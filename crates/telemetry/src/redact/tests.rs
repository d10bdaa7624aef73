//! A corpus of secrets, and of texts that must stay as they are.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "hunter2horse";

#[test]
fn keys_that_name_secrets() {
    for key in [
        "api_key",
        "apikey",
        "API-KEY",
        "apiKey",
        "x-api-key",
        "X_API_KEY",
        "llm.api_key",
        "authorization",
        "Authorization",
        "http.request.header.authorization",
        "password",
        "db_password",
        "passwd",
        "secret",
        "client-secret",
        "APP_SECRET_KEY",
        "token",
        "access_token",
        "refreshToken",
        "id-token",
        "auth.token",
        "cookie",
        "Set-Cookie",
        "credentials",
        "private_key",
        "aws_secret_access_key",
    ] {
        assert!(is_secret_key(key), "{key}");
    }
}

#[test]
fn keys_that_name_none() {
    for key in [
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "max_tokens",
        "gen_ai.usage.input_tokens",
        "time_per_output_token",
        "token_count",
        "gen_ai.token.type",
        "tokenizer",
        "token_type",
        "api_key_id",
        "api_key_prefix",
        "key",
        "author",
        "task.id",
        "message",
        "monkey",
        "keyboard",
        "passed",
    ] {
        assert!(!is_secret_key(key), "{key}");
    }
}

#[test]
fn secrets_in_text_are_hidden() {
    for text in [
        "sent Authorization: Bearer hunter2horse to the provider",
        "bearer hunter2horse",
        "Authorization: Basic aHVudGVyMmhvcnNlOng6eTp6hunter2horse==",
        "key sk-hunter2horse refused",
        "sk-proj-hunter2horse_x",
        "api_key=hunter2horse&x=1",
        "APP_LLM_API_KEY=hunter2horse",
        "X-API-Key: hunter2horse",
        "password='hunter2horse with blanks'",
        "password: \"hunter2horse\"",
        "{\"api_key\": \"hunter2horse\"",
        "body {\"nested\":{\"password\":\"hunter2horse\"}} end",
        "escaped {\\\"token\\\":\\\"hunter2horse\\\"} end",
        "Cookie: a=hunter2horse; b=hunter2horse",
        "Set-Cookie: session=hunter2horse; HttpOnly",
        "mysql://root:hunter2horse@db:3306/crewd failed",
        "redis://:hunter2horse@cache",
        "jwt eyJhbGciOi.hunter2horse.sig",
        "https://h/?access_token=hunter2horse",
        "token = hunter2horse",
        "Token: Bearer hunter2horse",
        "token_type: Bearer hunter2horse",
    ] {
        let shown = redact_text(text);
        assert!(!shown.contains(SECRET), "{text} -> {shown}");
        assert!(shown.contains(REDACTED), "{text} -> {shown}");
        assert_eq!(redact_text(&shown), shown, "a second time changes nothing");
    }
}

#[test]
fn the_rest_of_a_text_stays() {
    assert_eq!(redact_text("call with api_key=abc to https://h/p?q=1"), "call with api_key=[redacted] to https://h/p?q=1");
    assert_eq!(redact_text("mysql://root:pw@db/x"), "mysql://root:[redacted]@db/x");
    assert_eq!(redact_text("see {\"password\":\"p\",\"user\":\"u\"}!"), "see {\"password\":\"[redacted]\",\"user\":\"u\"}!");
}

#[test]
fn harmless_texts_are_borrowed() {
    for text in [
        "",
        "task succeeded",
        "max_tokens=100",
        "input_tokens: 12, output_tokens: 7",
        "risk-averse desk-job",
        "12:30:45",
        "https://example.org:8080/path@2x",
        "basic authentication",
        "研究主题：大模型",
        "a=b",
        "{\"total_tokens\": 3}",
        "[1, 2]",
        "the tokenizer=cl100k counts",
        "http://127.0.0.1:8072/docs",
    ] {
        assert!(matches!(redact_text(text), std::borrow::Cow::Borrowed(same) if same == text), "{text} -> {}", redact_text(text));
    }
}

#[test]
fn values_are_searched_however_deep() {
    let mut value = json!({
        "user": "ann",
        "headers": [{"name": "x", "Authorization": "Bearer hunter2horse"}, {"COOKIE": ["hunter2horse"]}],
        "api_key": {"nested": "hunter2horse"},
        "token": 4711,
        "usage": {"input_tokens": 5, "total_tokens": "9", "max_tokens": null},
        "raw": "{\"args\":\"{\\\"password\\\":\\\"hunter2horse\\\"}\"}",
        "note": "use sk-hunter2horse",
        "password": null,
        "has_secret": true,
        "stop_tokens": "hunter2horse",
    });
    assert!(redact_value(&mut value));
    let text = value.to_string();
    assert!(!text.contains(SECRET) && !text.contains("4711"), "{text}");
    assert_eq!(value["usage"], json!({"input_tokens": 5, "total_tokens": "9", "max_tokens": null}));
    assert_eq!((&value["user"], &value["password"], &value["has_secret"]), (&json!("ann"), &Value::Null, &json!(true)));
    assert_eq!(value["api_key"], json!(REDACTED));
    assert!(!redact_value(&mut value), "a second time changes nothing");
}

#[test]
fn very_deep_values_are_hidden_as_a_whole() {
    let mut value = json!({"password": SECRET});
    for _ in 0..100 {
        value = json!({"inner": value});
    }
    assert!(redact_value(&mut value));
    assert!(!value.to_string().contains(SECRET));
}

#[test]
fn long_texts_are_cut_between_characters_with_a_notice() {
    let text = "字".repeat(3_000);
    let cut = truncate(&text);
    assert!(cut.len() <= MAX_VALUE_BYTES, "{}", cut.len());
    assert!(cut.ends_with("… [cut, 9000 bytes in all]"), "{}", &cut[cut.len() - 40..]);
    assert_eq!(truncate("short"), "short");
    assert_eq!(truncate(&"x".repeat(MAX_VALUE_BYTES)).len(), MAX_VALUE_BYTES);
}

#[test]
fn huge_texts_are_cut_before_they_are_searched() {
    let text = format!("{} password=hunter2horse", "x".repeat(1_000_000));
    let shown = redact_text(&text);
    assert!(!shown.contains(SECRET) && shown.len() < 70_000);
    let written = redact_and_truncate(&text);
    assert!(written.len() <= MAX_VALUE_BYTES && written.ends_with("[cut, 1000022 bytes in all]"), "{}", written.len());
    let many = "api_key=abcdefghijklmnopqrstuvwxyz ".repeat(1_000);
    let written = redact_and_truncate(&many);
    assert!(written.len() <= MAX_VALUE_BYTES && !written.contains("abc") && written.ends_with("[cut, 35000 bytes in all]"));
}

proptest! {
    #[test]
    fn a_secret_under_its_key_never_shows(before in "[ a-z]{0,20}", secret in "[A-Za-z0-9]{12,40}", after in "[ a-z]{0,20}") {
        prop_assume!(!before.contains(&secret) && !after.contains(&secret));
        for text in [
            format!("{before} api_key={secret} {after}"),
            format!("{before} Bearer {secret} {after}"),
            format!("{{\"a\":[{{\"Secret\":\"{secret}\"}}],\"b\":\"{after}\"}}"),
        ] {
            prop_assert!(!redact_text(&text).contains(&secret));
        }
    }

    #[test]
    fn any_text_can_be_redacted_and_cut(text in "\\PC{0,200}") {
        let _ = redact_text(&text);
        prop_assert!(truncate(&text).len() <= MAX_VALUE_BYTES);
    }
}
