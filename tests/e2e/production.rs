//! A production start: nothing by chance, everything said.

use crewd_tests::app::{AppBuilder, command_line};
use crewd_tests::errors::expect_error;
use crewd_tests::fake_llm::FakeLlm;
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::json;

use crate::stage::{FIRST_KEY, plan};

/// Everything that production demands, over a fresh database.
fn production(model: &FakeLlm) -> AppBuilder {
    let plan = plan().model(model);
    let database = format!("sqlite://{}", plan.installation().data().join("production.db").display());
    plan.set("APP_ENV", "production")
        .set("APP_API_KEYS", FIRST_KEY)
        .set("APP_SECRET_KEY", "0123456789abcdef0123456789abcdef0123456789abcdef")
        .set("APP_DATABASE_URL", database)
}

#[test]
fn it_serves_once_the_database_is_migrated_by_hand() {
    run(async {
        let model = FakeLlm::start().await;
        let plan = production(&model);
        command_line(&plan.clone().arguments(["migrate", "up"]), "").expect_code(0);
        let app = plan.start().await;
        let client = app.client();
        expect_error(&client.get("/api/v1/crews").await, 401, "unauthenticated");
        let client = client.with_key(FIRST_KEY);
        let done = client.run_crew("research", &json!({ "topic": "production" })).await.expect("succeeded");
        assert_eq!(done.0["simulated"], false);
    });
}

#[test]
fn it_does_not_migrate_by_itself() {
    run(async {
        let model = FakeLlm::start().await;
        let app = production(&model).spawn();
        let said = eventually("it says what to do", SOON, async || {
            let said = app.output().report();
            said.contains("migrate").then_some(said)
        })
        .await;
        assert!(!said.contains(FIRST_KEY), "{said}");
    });
}

#[test]
fn a_port_in_use_is_said_and_ends_the_start() {
    run(async {
        let first = plan().start().await;
        let port = first.url().rsplit(':').next().unwrap_or_default().to_owned();
        let second = plan().set("APP_PORT", port.clone()).spawn();
        let exit = second.wait_exit(SOON).await;
        assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
        let said = second.output().report();
        assert!(said.contains(&port), "the port is named: {said}");
    });
}

#[test]
fn a_data_folder_that_cannot_be_written_is_said() {
    let plan = plan();
    let blocked = plan.installation().root().join("blocked");
    std::fs::write(&blocked, "a file, not a folder").expect("the file can be written");
    let output = command_line(&plan.set("APP_DATA_DIR", blocked.to_string_lossy()), "");
    assert!(output.code.is_some_and(|code| code != 0), "{output:?}");
    assert!(output.stderr.contains("blocked") || output.stdout.contains("blocked"), "the folder is named: {output:?}");
    assert!(!output.stderr.contains("panicked"), "{output:?}");
}
