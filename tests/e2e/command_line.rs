//! The commands beside the server.

use std::time::Duration;

use crewd_tests::app::command_line;
use crewd_tests::crews;
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::Value;

use crate::stage::plan;

#[test]
fn run_prints_the_result_and_nothing_else() {
    let output = command_line(&plan().arguments(["run", "research", "--input", "topic=tides", "--offline"]), "").expect_code(0);
    assert!(output.stdout.contains("tides"), "{}", output.stdout);
    assert!(!output.stdout.contains("crew_task["), "progress belongs to stderr: {}", output.stdout);
    assert!(output.stderr.lines().count() > 3, "a progress tree: {}", output.stderr);
}

#[test]
fn run_json_prints_the_task() {
    let output =
        command_line(&plan().arguments(["run", "research", "--input", "topic=tides", "--offline", "--json"]), "").expect_code(0);
    let task: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stdout));
    assert_eq!(task["status"], "succeeded");
    assert_eq!(task["simulated"], true);
    assert_eq!(task["inputs"]["topic"], "tides");
    assert!(task["output"]["raw"].as_str().is_some_and(|raw| !raw.is_empty()));
}

#[test]
fn run_takes_inputs_from_a_file_and_from_standard_input() {
    let with_file = plan();
    let file = with_file.installation().root().join("inputs.json");
    std::fs::write(file, "{\"topic\": \"quicksilver\"}").expect("the file can be written");
    let output =
        command_line(&with_file.arguments(["run", "research", "--input", "@inputs.json", "--offline"]), "").expect_code(0);
    assert!(output.stdout.contains("quicksilver"), "{}", output.stdout);
    let piped = plan().arguments(["run", "research", "--input", "-", "--offline"]);
    let output = command_line(&piped, "{\"topic\": \"sandpiper\"}").expect_code(0);
    assert!(output.stdout.contains("sandpiper"), "{}", output.stdout);
}

#[test]
fn run_says_what_is_wrong() {
    let missing = command_line(&plan().arguments(["run", "research", "--offline"]), "");
    assert_ne!(missing.code, Some(0));
    assert!(missing.stderr.contains("topic"), "{}", missing.stderr);
    let unknown = command_line(&plan().arguments(["run", "reserch", "--input", "topic=x", "--offline"]), "");
    assert_ne!(unknown.code, Some(0));
    assert!(unknown.stderr.contains("research"), "a name close by is suggested: {}", unknown.stderr);
    let usage = command_line(&plan().arguments(["run"]), "");
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
}

#[test]
fn an_interrupt_cancels_a_run() {
    run(async {
        let app = plan()
            .set("APP_LLM_OFFLINE_PACE_MS", "500")
            .arguments(["run", "research", "--input", "topic=tides", "--offline"])
            .spawn();
        eventually("the run shows progress", SOON, async || (!app.output().stderr().is_empty()).then_some(())).await;
        app.sigint();
        let exit = app.wait_exit(Duration::from_secs(10)).await;
        assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
        let said = app.output().stderr().join("\n").to_lowercase();
        assert!(said.contains("cancel"), "{said}");
    });
}

#[test]
fn validate_reports_everything_with_its_place() {
    let mut wrong = crews::single("wrong");
    wrong.tasks = "analysis:\n  description: Analyse {topic}.\n  agent: analist\n  colour: red\n".to_owned();
    let home = plan().crew(&wrong);
    let text = command_line(&home.clone().arguments(["validate"]), "");
    assert_eq!(text.code, Some(1), "{}\n{}", text.stdout, text.stderr);
    let shown = format!("{}{}", text.stdout, text.stderr);
    assert!(shown.contains("tasks.yaml:3:"), "file:line:column: {shown}");
    for fact in ["expected_output", "analist", "analyst", "colour"] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
    let json = command_line(&home.arguments(["validate", "--format", "json"]), "");
    assert_eq!(json.code, Some(1));
    let report: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|error| panic!("{error}: {}", json.stdout));
    assert!(report.to_string().contains("\"line\":3"), "{report}");
}

#[test]
fn validate_is_strict_on_request() {
    let odd = crews::single("odd").task_lines("  colour: red");
    let home = plan().crew(&odd);
    let lax = command_line(&home.clone().arguments(["validate"]), "").expect_code(0);
    assert!(format!("{}{}", lax.stdout, lax.stderr).contains("colour"), "a warning all the same");
    let strict = command_line(&home.arguments(["validate", "--strict"]), "");
    assert_eq!(strict.code, Some(1), "{}{}", strict.stdout, strict.stderr);
}

#[test]
fn shipped_crews_are_valid_even_strictly() {
    command_line(&plan().arguments(["validate", "--strict"]), "").expect_code(0);
}

/// The line about one variable.
fn line_of(shown: &str, variable: &str) -> String {
    shown.lines().find(|line| line.starts_with(variable)).unwrap_or_else(|| panic!("{variable} is not shown: {shown}")).to_owned()
}

#[test]
fn config_show_tells_origins_and_masks_secrets() {
    let plan = plan()
        .set("APP_API_KEYS", "a-secret-key-0123456789abcdef")
        .set("APP_SECRET_KEY", "another-secret-0123456789abcdef0123")
        .set("APP_LLM_API_KEY", "sk-provider-secret")
        .set("APP_DATABASE_URL", "postgres://user:db-password@127.0.0.1/x")
        .set("APP_WORKER_SLOTS", "17");
    let output = command_line(&plan.arguments(["config", "show", "--origin"]), "").expect_code(0);
    for secret in ["a-secret-key", "another-secret", "sk-provider-secret", "db-password"] {
        assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret), "{secret} is shown: {}", output.stdout);
    }
    let slots = line_of(&output.stdout, "APP_WORKER_SLOTS");
    assert!(slots.contains("17") && slots.to_lowercase().contains("environment"), "{slots}");
    assert!(
        output.stdout.to_lowercase().contains("built") || output.stdout.to_lowercase().contains("default"),
        "{}",
        output.stdout
    );
}

#[test]
fn settings_come_in_their_order_of_precedence() {
    let plan = plan();
    let write = |name: &str, text: &str| {
        let path = plan.installation().root().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    };
    write("config/default.toml", "[worker]\nslots = 1\n");
    let slots = |plan: &crewd_tests::app::AppBuilder| {
        let output = command_line(&plan.clone().arguments(["config", "show", "--origin"]), "").expect_code(0);
        line_of(&output.stdout, "APP_WORKER_SLOTS")
    };
    for (file, text, value) in [
        ("config/development.toml", "[worker]\nslots = 22\n", "22"),
        (".env", "APP_WORKER_SLOTS=33\n", "33"),
        (".env.local", "APP_WORKER_SLOTS=44\n", "44"),
        (".env.development", "APP_WORKER_SLOTS=55\n", "55"),
        (".env.development.local", "APP_WORKER_SLOTS=66\n", "66"),
    ] {
        write(file, text);
        let line = slots(&plan);
        assert!(line.contains(value), "{file} should win: {line}");
    }
    let line = slots(&plan.clone().set("APP_WORKER_SLOTS", "77"));
    assert!(line.contains("77"), "{line}");
    let line = slots(&plan.clone().set("APP_WORKER__SLOTS", "88"));
    assert!(line.contains("88"), "{line}");
}

#[test]
fn doctor_checks_and_explains() {
    let output = command_line(&plan().arguments(["doctor"]), "").expect_code(0);
    assert!(output.stdout.contains('✓') || output.stdout.to_lowercase().contains("ok"), "{}", output.stdout);
    assert!(output.stdout.lines().count() >= 5, "{}", output.stdout);
    assert!(output.stdout.to_lowercase().contains("database"), "{}", output.stdout);
    let broken = command_line(&plan().set("APP_DATABASE_URL", "sqlite:///proc/nowhere/crewd.db").arguments(["doctor"]), "");
    assert_ne!(broken.code, Some(0), "{}", broken.stdout);
}

#[test]
fn openapi_prints_what_the_server_serves() {
    run(async {
        let output = command_line(&plan().arguments(["openapi"]), "").expect_code(0);
        let printed: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stdout));
        let (app, _) = crate::stage::stage().await;
        let served = app.client().get("/openapi.json").await.expect(200).json();
        assert_eq!(printed["paths"], served["paths"]);
    });
}

#[test]
fn completions_exist_for_four_shells() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = command_line(&plan().arguments(["completions", shell]), "").expect_code(0);
        assert!(output.stdout.contains("crewd") && output.stdout.contains("validate"), "{shell}");
    }
}

#[test]
fn migrations_go_up_and_down() {
    let plan = plan().set("APP_ENV", "test");
    let step = |arguments: [&str; 2]| command_line(&plan.clone().arguments(arguments), "");
    let pending = step(["migrate", "status"]);
    assert!(
        format!("{}{}", pending.stdout, pending.stderr).to_lowercase().contains("pending"),
        "{}{}",
        pending.stdout,
        pending.stderr
    );
    step(["migrate", "up"]).expect_code(0);
    let applied = step(["migrate", "status"]).expect_code(0);
    let shown = applied.stdout.to_lowercase();
    assert!(shown.contains("applied") && !shown.contains("pending\n"), "{}", applied.stdout);
    step(["migrate", "up"]).expect_code(0);
    step(["migrate", "down"]).expect_code(0);
    step(["migrate", "up"]).expect_code(0);
}

#[test]
fn healthcheck_tells_by_its_exit_code() {
    run(async {
        let (app, _) = crate::stage::stage().await;
        let port = app.url().rsplit(':').next().unwrap_or_default().to_owned();
        command_line(&plan().set("APP_PORT", port).arguments(["healthcheck"]), "").expect_code(0);
        let nobody = command_line(&plan().set("APP_PORT", "9").arguments(["healthcheck"]), "");
        assert!(nobody.code.is_some_and(|code| code != 0), "{nobody:?}");
    });
}

#[test]
fn help_and_version_answer_and_nonsense_is_a_usage_error() {
    let help = command_line(&plan().arguments(["--help"]), "").expect_code(0);
    for command in ["serve", "worker", "migrate", "run", "validate", "doctor", "config", "openapi", "completions", "healthcheck"]
    {
        assert!(help.stdout.contains(command), "{command}: {}", help.stdout);
    }
    let version = command_line(&plan().arguments(["--version"]), "").expect_code(0);
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
    assert_eq!(command_line(&plan().arguments(["dance"]), "").code, Some(2));
}
