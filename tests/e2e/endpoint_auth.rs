//! The table of endpoints against the running product: every row that needs a key refuses without one.

use crewd_tests::errors::expect_error;
use crewd_tests::runtime::run;

use crate::stage::{FIRST_KEY, keyed};

struct Row {
    method: String,
    path: String,
    caller: String,
}

fn rows() -> Vec<Row> {
    let table: toml::Table = include_str!("../endpoints.toml").parse().expect("endpoints.toml is TOML");
    let rows = table["endpoint"].as_array().expect("[[endpoint]] rows");
    let text = |row: &toml::Value, name: &str| row[name].as_str().expect("a text").to_owned();
    rows.iter().map(|row| Row { method: text(row, "method"), path: text(row, "path"), caller: text(row, "caller") }).collect()
}

/// The path with something in the place of each parameter.
fn concrete(path: &str) -> String {
    path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{name}", "research").replace("{*rest}", "index.html")
}

#[test]
fn every_endpoint_with_a_key_refuses_without_and_with_a_wrong_one() {
    run(async {
        let app = keyed().await;
        let client = app.client();
        let protected: Vec<Row> = rows().into_iter().filter(|row| row.caller == "key").collect();
        assert!(protected.len() >= 10, "the table has the API in it");
        for row in protected {
            let path = concrete(&row.path);
            expect_error(&client.send(client.request(&row.method, &path)).await, 401, "unauthenticated");
            let wrong = client.clone().with_key("wrong-key-wrong-key-wrong-key-wrong");
            expect_error(&wrong.send(wrong.request(&row.method, &path)).await, 401, "unauthenticated");
            let right = client.clone().with_key(FIRST_KEY);
            let answer = right.send(right.request(&row.method, &path)).await;
            assert_ne!(answer.status, 401, "{} {path}: {}", row.method, answer.text);
        }
    });
}

#[test]
fn public_endpoints_answer_without_a_key() {
    run(async {
        let app = keyed().await;
        let client = app.client();
        for row in rows().into_iter().filter(|row| row.caller == "public") {
            let answer = client.send(client.request(&row.method, &concrete(&row.path))).await;
            assert!(![401, 403, 405].contains(&answer.status), "{} {}: {}", row.method, row.path, answer.text);
        }
    });
}

#[test]
fn the_caller_is_one_of_two() {
    for row in rows() {
        assert!(["public", "key"].contains(&row.caller.as_str()), "{} {}: caller {:?}", row.method, row.path, row.caller);
    }
}
