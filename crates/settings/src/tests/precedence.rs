//! Which source wins, and how the sources are named.

use super::{Installation, environment};

/// Every source that can set the port, strongest first.
const SOURCES: [&str; 8] = [
    "command line",
    "environment",
    ".env.test.local",
    ".env.test",
    ".env.local",
    ".env",
    "config/test.toml",
    "config/default.toml",
];

/// An installation in which the given sources set the port to 1000 plus their rank.
fn with_sources(ranks: &[usize]) -> Installation {
    let mut installation = Installation::new().environment(&[("APP_ENV", "test")]);
    for &rank in ranks {
        let port = (1000 + rank).to_string();
        installation = match SOURCES[rank] {
            "command line" => installation.arguments(&[("server.port", &port)]),
            "environment" => installation.environment(&[("APP_PORT", &port)]),
            file if file.ends_with(".toml") => installation.file(file, &format!("[server]\nport = {port}\n")),
            file => installation.file(file, &format!("APP_PORT={port}\n")),
        };
    }
    installation
}

#[test]
fn of_any_two_sources_the_stronger_one_wins() {
    for (stronger, origin) in SOURCES.iter().enumerate() {
        for weaker in stronger + 1..SOURCES.len() {
            let installation = with_sources(&[weaker, stronger]);
            assert_eq!(installation.settings().server.port, 1000 + stronger as u16, "{stronger} over {weaker}");
            assert_eq!(installation.row("server.port").origin, *origin);
        }
    }
}

#[test]
fn each_source_alone_beats_what_is_built_in() {
    for (rank, origin) in SOURCES.iter().enumerate() {
        let installation = with_sources(&[rank]);
        assert_eq!(installation.row("server.port").value, (1000 + rank).to_string());
        assert_eq!(installation.row("server.port").origin, *origin);
        assert_eq!(installation.row("server.host").origin, "built in");
    }
    assert_eq!(Installation::new().settings().server.port, 8072);
}

#[test]
fn an_empty_value_is_no_value() {
    let installation = environment(&[("APP_PORT", ""), ("APP_LOG_DIR", " ")]).file(".env", "APP_PORT=4000\n");
    assert_eq!(installation.row("server.port").origin, ".env");
    assert_eq!(installation.settings().log.dir, None);
}

#[test]
fn nested_flat_and_standard_names_mean_the_same() {
    for name in ["APP_OTLP_ENDPOINT", "APP_OTLP__ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let settings = environment(&[(name, "http://127.0.0.1:4318")]).settings();
        assert_eq!(settings.otlp.endpoint.as_deref(), Some("http://127.0.0.1:4318"), "{name}");
    }
    let settings = environment(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://weak:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://middle:1"),
        ("APP_OTLP_ENDPOINT", "http://strong:1"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_SERVICE_NAME", "passed over"),
    ])
    .settings();
    assert_eq!(settings.otlp.endpoint.as_deref(), Some("http://strong:1"));
    assert_eq!(settings.otlp.sample_ratio, 0.25);
}

#[test]
fn the_environment_chosen_in_a_dotenv_file_selects_the_other_files() {
    let installation = Installation::new()
        .file(".env", "APP_ENV=staging\nAPP_LLM_API_KEY=key\n")
        .file(".env.staging", "APP_PORT=4001\n")
        .file("config/staging.toml", "[worker]\nslots = 7\n")
        .file(".env.development", "APP_PORT=4002\n");
    let settings = installation.settings();
    assert_eq!((settings.server.port, settings.worker.slots), (4001, 7));
    assert!(settings.log.is_json(settings.server.environment));
}

#[test]
fn files_chosen_by_a_setting_cannot_change_it() {
    let late_environment = Installation::new().file(".env.development", "APP_ENV=staging\nAPP_LLM_API_KEY=key\n");
    assert_eq!(late_environment.problem_names(), ["APP_ENV"]);
    let late_folder = Installation::new().file("config/default.toml", "[server]\nconfig_dir = \"other\"\n");
    assert_eq!(late_folder.problem_names(), ["APP_CONFIG_DIR"]);
}

#[test]
fn another_settings_folder_is_read_instead() {
    let installation = environment(&[("APP_CONFIG_DIR", "etc")])
        .file("etc/default.toml", "[server]\nport = 5001\n")
        .file("config/default.toml", "[server]\nport = 5002\n");
    assert_eq!(installation.row("server.port").value, "5001");
    assert_eq!(installation.row("server.port").origin, "etc/default.toml");
    assert_eq!(environment(&[("APP_CONFIG_DIR", "missing")]).problem_names(), ["APP_CONFIG_DIR"]);
}

#[test]
fn processes_tell_each_other_over_the_database_unless_that_is_off() {
    assert!(environment(&[]).settings().database.notify);
    assert!(environment(&[("APP_DATABASE_NOTIFY", "auto")]).settings().database.notify);
    assert!(!environment(&[("APP_DATABASE_NOTIFY", "OFF")]).settings().database.notify);
    assert_eq!(environment(&[("APP_DATABASE_NOTIFY", "sometimes")]).problem_names(), ["APP_DATABASE_NOTIFY"]);
}

#[test]
fn folders_follow_the_data_folder_unless_set() {
    let installation = environment(&[("APP_DATA_DIR", "/srv/crewd"), ("APP_DATA_OUTPUT_DIR", "/srv/out")]);
    let files = installation.settings().files;
    assert_eq!(files.file_root.to_str(), Some("/srv/crewd/files"));
    assert_eq!(files.data_output_dir.to_str(), Some("/srv/out"));
    assert_eq!(installation.row("database.url").value, "sqlite:///srv/crewd/crewd.db?mode=rwc");
    assert_eq!(installation.row("files.file_root").origin, "built in");
}

#[test]
fn command_line_overrides_take_keys_and_names() {
    let installation = Installation::new().arguments(&[("llm.provider", "offline"), ("APP_PORT", "0")]);
    let settings = installation.settings();
    assert!(settings.llm.resolved().offline);
    assert_eq!(settings.server.port, 0);
    assert_eq!(Installation::new().arguments(&[("server.prot", "1")]).problem_names(), ["server.prot"]);
}
