//! Everything wrong is reported at once, by name, with a way to mend it.

use secrecy::ExposeSecret;

use super::{Installation, environment};

#[test]
fn all_problems_of_all_sources_come_at_once() {
    let installation = environment(&[("APP_PORT", "eighty"), ("APP_LOG_LEVEL", "loud"), ("APP_DATABSE_URL", "x")])
        .file(".env", "APP_WORKER_SLOTS=0\nthis is no line\n")
        .file("config/default.toml", "[server]\nprot = 1\n[databse]\nurl = 1\n[worker]\nslots = { many = 1 }\n");
    let mut names = installation.problem_names();
    names.sort();
    assert_eq!(
        names,
        [
            "APP_DATABSE_URL",
            "APP_LOG_LEVEL",
            "APP_PORT",
            "APP_WORKER_SLOTS",
            "APP_WORKER_SLOTS",
            "[databse]",
            "server.prot",
            "this"
        ]
    );
}

#[test]
fn a_problem_tells_value_source_and_remedy() {
    let problems = environment(&[("APP_PORT", "70000")]).problems();
    assert_eq!(problems[0].message, "\"70000\" (from environment) is not a whole number from 0 to 65535");
    assert_eq!(problems[0].hint, "set it to a whole number from 0 to 65535");
    let problems = environment(&[("APP_LLM_PROVIDER", "openia")]).problems();
    assert!(problems[0].message.contains("aliyun, openai, deepseek"), "{}", problems[0]);
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    for (typed, meant) in
        [("APP_PROT", "APP_PORT"), ("APP_LLM_APIKEY", "APP_LLM_API_KEY"), ("APP_DATABASE_POOLSIZE", "APP_DATABASE_POOL_SIZE")]
    {
        let problems = environment(&[(typed, "1")]).problems();
        assert_eq!(problems[0].hint, format!("did you mean {meant}?"));
    }
    let problems = Installation::new().file("config/default.toml", "[llm]\ntimeuot = 3\n").problems();
    assert_eq!(problems[0].hint, "did you mean llm.timeout?");
}

#[test]
fn names_of_other_programs_are_passed_over() {
    environment(&[("PATH", "/bin"), ("APPLE", "1"), ("XAPP_PORT", "x"), ("app_port", "x")]).settings();
}

#[test]
fn two_names_for_one_setting_must_agree() {
    environment(&[("APP_DATABASE_URL", "sqlite://a"), ("APP_DATABASE__URL", "sqlite://a")]).settings();
    let twice = environment(&[("APP_DATABASE_URL", "sqlite://a"), ("APP_DATABASE__URL", "sqlite://b")]);
    assert_eq!(twice.problem_names(), ["APP_DATABASE_URL"]);
}

#[test]
fn broken_toml_names_file_and_line() {
    let problems = Installation::new().file("config/default.toml", "[server]\nhost = \"a\"\nport = = 1\n").problems();
    assert_eq!(problems[0].variable, "config/default.toml:3");
    let outside = Installation::new().file("config/default.toml", "port = 1\n");
    assert_eq!(outside.problem_names(), ["port"]);
}

#[test]
fn values_outside_their_range_are_refused() {
    for (name, value) in [
        ("APP_PORT", "-1"),
        ("APP_PORT", "1.5"),
        ("APP_TRACE_SAMPLE_RATIO", "1.1"),
        ("APP_TRACE_SAMPLE_RATIO", "NaN"),
        ("APP_LLM_TIMEOUT", "0"),
        ("APP_LLM_REGION", "mars"),
        ("APP_LLM_BASE_URL", "example.org/v1"),
        ("APP_DATABASE_URL", "data/app.db"),
        ("APP_DATABASE_POOL_SIZE", "0"),
        ("APP_REDIS_URL", "127.0.0.1:6379"),
        ("APP_REDIS_URL", "http://127.0.0.1:6379"),
        ("APP_REDIS_PREFIX", "two words"),
        ("APP_REDIS_CONNECT_TIMEOUT", "0"),
        ("APP_REDIS_TIMEOUT", "60"),
        ("APP_LLM_MAX_CONCURRENT_SHARED", "0"),
        ("APP_LLM_CACHE_TTL", "-1"),
        ("APP_ALLOWED_ORIGINS", "https://a.example,https://b.example/path"),
        ("APP_OTLP_PROTOCOL", "http/json"),
        ("APP_OTLP_HEADERS", "authorization"),
        ("APP_OTLP_ENDPOINT", "collector"),
        ("APP_ENV", "prod"),
        ("APP_LIMITS_BODY_BYTES", "10"),
        ("APP_MAX_QUEUED_PER_TENANT", "0"),
        ("APP_MAX_ACTIVE_PER_TENANT", "many"),
        ("APP_MAX_QUEUED", "-1"),
        ("APP_MAX_SUBMISSIONS_IN_FLIGHT", "0"),
        ("APP_RATE_LIMIT_TASKS", "30"),
        ("APP_RATE_LIMIT_TASKS", "0 per minute"),
        ("APP_RATE_LIMIT_TASKS", "3 per fortnight"),
        ("APP_RATE_LIMIT_TASKS", "3 per minute,4 per minute"),
        ("APP_QUEUE_AGING", "0"),
        ("APP_API_KEYS", "Big:0123456789abcdef"),
        ("APP_API_KEYS", "team a:0123456789abcdef"),
        ("APP_API_KEYS", "team:"),
        ("APP_API_KEYS", ":0123456789abcdef"),
        ("APP_API_KEYS", "a:0123456789abcdef,b:0123456789abcdef"),
        ("APP_APPROVAL_FROM", "severe"),
        ("APP_APPROVAL_TIMEOUT", "0"),
        ("APP_APPROVAL_TIMEOUT", "never"),
        ("APP_APPROVAL_ON_EXPIRE", "approve"),
    ] {
        assert_eq!(environment(&[(name, value)]).problem_names(), [name], "{name}={value}");
    }
}

#[test]
fn lists_fractions_and_words_are_read() {
    let settings = environment(&[
        ("APP_ALLOWED_ORIGINS", "https://a.example, http://localhost:3000,,"),
        ("APP_API_KEYS", "one,two"),
        ("APP_LLM_TIMEOUT", "0.25"),
        ("APP_LOG_LEVEL", "warning"),
        ("APP_LOG_FORMAT", "JSON"),
        ("APP_MAX_TOKENS_PER_TASK", "1_000_000"),
        ("APP_RATE_LIMIT_TASKS", "30 per minute, 1_000 per Hour"),
        ("APP_APPROVAL_FROM", "High"),
        ("APP_APPROVAL_TIMEOUT", "86400"),
    ])
    .settings();
    assert_eq!(settings.server.allowed_origins, ["https://a.example", "http://localhost:3000"]);
    assert_eq!(settings.security.api_keys.len(), 2);
    assert_eq!(settings.llm.timeout.as_millis(), 250);
    assert_eq!(settings.log.level.as_str(), "warn");
    assert!(settings.log.is_json(settings.server.environment));
    assert_eq!(settings.worker.max_tokens_per_task, 1_000_000);
    let rates: Vec<_> =
        settings.admission.rate_limit_tasks.iter().map(|rate| (rate.count, rate.unit, rate.period.as_secs())).collect();
    assert_eq!(rates, [(30, "minute", 60), (1_000, "hour", 3_600)]);
    assert_eq!(settings.admission.max_active_per_tenant, None);
    assert_eq!(settings.approvals.from, crate::ApprovalFrom::High);
    assert_eq!(settings.approvals.timeout.map(|time| time.as_secs()), Some(86_400));
    assert_eq!(environment(&[]).settings().approvals.timeout, None);
}

#[test]
fn keys_belong_to_tenants() {
    let settings = environment(&[("APP_API_KEYS", "plain-key, team-1:first-key ,team_2:second:key")]).settings();
    let keys: Vec<_> = settings.security.api_keys.iter().map(|key| (key.tenant.as_deref(), key.key.expose_secret())).collect();
    assert_eq!(keys, [(None, "plain-key"), (Some("team-1"), "first-key"), (Some("team_2"), "second:key")]);
    let shown = environment(&[("APP_API_KEYS", "Team:secret-part")]).problems();
    assert!(!shown[0].to_string().contains("secret-part"), "{}", shown[0]);
}

#[test]
fn toml_lists_work_like_comma_separated_texts() {
    let installation = Installation::new()
        .file("config/default.toml", "[server]\nallowed_origins = [\"https://a.example\", \"https://b.example\"]\n");
    assert_eq!(installation.settings().server.allowed_origins.len(), 2);
    assert_eq!(installation.row("server.allowed_origins").value, "https://a.example,https://b.example");
}

#[test]
fn dotenv_quotes_marks_and_repeated_names() {
    let text = "\u{feff}APP_PORT=1\nexport APP_LLM_MODEL='a b#c'\nAPP_HOST=localhost # here\nAPP_PORT=2\n";
    let settings = Installation::new().file(".env", text).settings();
    assert_eq!(settings.server.port, 2);
    assert_eq!(settings.llm.model.as_deref(), Some("a b#c"));
    assert_eq!(settings.server.host, "localhost");
}

#[test]
fn a_folder_in_place_of_a_file_is_a_problem() {
    let installation = Installation::new().file(".env/inside", "").file("config/default.toml/inside", "");
    assert_eq!(installation.problem_names(), [".env", "config/default.toml"]);
}

#[cfg(unix)]
#[test]
fn values_that_are_not_text_are_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let mut installation = Installation::new();
    installation.sources.environment.push(("APP_LLM_MODEL".into(), std::ffi::OsString::from_vec(vec![0xff, 0xfe])));
    installation.sources.environment.push((std::ffi::OsString::from_vec(vec![0xff]), "x".into()));
    assert_eq!(installation.problem_names(), ["APP_LLM_MODEL"]);
}
