//! The root key of an installation that was given none.

use std::os::unix::fs::PermissionsExt;

use crewd_tests::app::{Home, command_line};
use crewd_tests::runtime::{SOON, run};

use crate::stage::plan;

fn key_of(home: &Home) -> String {
    std::fs::read_to_string(home.data().join("secret.key")).expect("the file of the key")
}

#[test]
fn it_is_made_once_for_its_owner_alone_and_kept_over_restarts() {
    run(async {
        let plan = plan();
        let home = plan.installation().clone();
        plan.clone().start().await.kill9();
        let key = key_of(&home);
        assert_eq!(key.trim().len(), 64);
        let mode = std::fs::metadata(home.data().join("secret.key")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        plan.start().await.kill9();
        assert_eq!(key_of(&home), key);
    });
}

#[test]
fn a_damaged_one_ends_the_start_and_is_left_as_it_is() {
    run(async {
        let plan = plan();
        let home = plan.installation().clone();
        std::fs::write(home.data().join("secret.key"), "half").expect("a file");
        let app = plan.spawn();
        let exit = app.wait_exit(SOON).await;
        assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
        let said = app.output().report();
        assert!(said.contains("secret.key") && said.contains("APP_SECRET_KEY"), "{said}");
        assert_eq!(key_of(&home), "half");
    });
}

#[test]
fn nothing_is_written_where_one_is_given_or_nothing_is_kept() {
    run(async {
        let given = plan().set("APP_SECRET_KEY", "0123456789abcdef0123456789abcdef0123456789abcdef");
        let home = given.installation().clone();
        given.start().await.kill9();
        assert!(home.find("secret.key").is_empty());
        let plan = plan();
        command_line(&plan.clone().arguments(["run", "research", "--input", "topic=keys", "--offline"]), "").expect_code(0);
        assert!(plan.installation().find("secret.key").is_empty());
    });
}
