//! Database servers that are away, refuse, or come back.

use std::time::Duration;

use crewd_test_services::{Engine, Service, TestDatabase};
use crewd_tests::app::{AppBuilder, CommandOutput, Home, command_line};
use crewd_tests::crews;
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::passage::{Passage, Way};
use crewd_tests::runtime::{SOON, eventually, run, within};
use futures::future::join_all;

use crate::stage::{about, plan};

const SERVERS: [Service; 3] = [Service::MariaDb, Service::Postgres, Service::OceanBase];

/// An installation on this database alone, whatever the suite runs on.
fn on(url: &str) -> AppBuilder {
    plan().home(&Home::on(Engine::Sqlite)).set("APP_DATABASE_URL", url)
}

/// What a start says that must fail.
fn refused(url: &str, code: i32) -> CommandOutput {
    command_line(&on(url), "").expect_code(code)
}

/// Databases of all servers that are there.
fn databases() -> Vec<TestDatabase> {
    SERVERS.into_iter().filter_map(Service::database).collect()
}

/// The same database by another way.
fn through(passage: &Passage, url: &str) -> String {
    let (head, rest) = url.split_once('@').expect("an address with a user");
    let (_, name) = rest.split_once('/').expect("an address with a database");
    format!("{head}@{}/{name}", passage.address())
}

fn host_of(url: &str) -> String {
    url.split(['@', '/']).find(|part| part.contains(':') && !part.ends_with(':')).expect("a host and a port").to_owned()
}

#[test]
fn a_server_that_nobody_answers_for_is_named_with_what_mends_it() {
    // The port of a listener that has gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    for scheme in ["mysql", "postgres", "mysql+aiomysql", "postgresql+asyncpg", "oceanbase"] {
        let output = refused(&format!("{scheme}://crewd:hidden-word@127.0.0.1:{port}/crewd"), 69);
        assert!(output.stderr.contains(&format!("127.0.0.1:{port}")), "{}", output.stderr);
        assert!(output.stderr.contains("APP_DATABASE_WAIT"), "{}", output.stderr);
        assert!(!output.stderr.contains("hidden-word"), "{}", output.stderr);
        assert!(output.took < Duration::from_secs(10), "{:?}", output.took);
    }
}

#[test]
fn a_server_that_comes_late_is_waited_for_where_that_is_asked() {
    run(async {
        for database in databases() {
            let passage = Passage::to(&host_of(&database.url()), Way::Closed).await;
            let url = through(&passage, &database.url());
            let mut app = on(&url).set("APP_DATABASE_WAIT", "60").spawn();
            eventually("it says that it waits", SOON, async || {
                let output = app.output();
                output.stdout().iter().chain(&output.stderr()).any(|line| line.contains("waiting for the database")).then_some(())
            })
            .await;
            passage.set(Way::Open);
            app.wait_ready().await;
        }
    });
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    for service in SERVERS {
        let Some(database) = service.database() else { continue };
        // The PostgreSQL of the tests asks nobody for a password: a user that it does not know is refused.
        let user = if service == Service::Postgres { "nobody_here:" } else { "root:" };
        let (_, rest) = database.url().split_once('@').map(|(head, rest)| (head.to_owned(), rest.to_owned())).expect("a user");
        let scheme = if service == Service::Postgres { "postgres" } else { "mysql" };
        let output = refused(&format!("{scheme}://{user}hidden-word@{rest}"), 78);
        assert!(output.stderr.contains("refuses the user"), "{}", output.stderr);
        assert!(!output.stderr.contains("hidden-word"), "{}", output.stderr);
    }
}

#[test]
fn a_database_that_is_missing_can_be_made() {
    for service in SERVERS {
        let Some(url) = service.new_database() else { continue };
        let output = refused(&url, 78);
        assert!(output.stderr.contains("crewd migrate up --create"), "{}", output.stderr);
        let made = command_line(&on(&url).arguments(["migrate", "up", "--create"]), "").expect_code(0);
        assert!(made.stdout.lines().all(|line| line.starts_with("applied ")), "{}", made.stdout);
        let doctor = command_line(&on(&url).arguments(["doctor"]), "").expect_code(0);
        assert!(doctor.stdout.contains("isolation is"), "{}", doctor.stdout);
    }
}

#[test]
fn a_schema_of_a_newer_crewd_is_left_alone() {
    for database in databases() {
        command_line(&on(&database.url()).arguments(["migrate", "up"]), "").expect_code(0);
        database.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_later', 1)");
        for command in [["serve"], ["worker"], ["scheduler"]] {
            let output = command_line(&on(&database.url()).arguments(command), "").expect_code(78);
            assert!(output.stderr.contains("m20991231_000001_later"), "{}", output.stderr);
        }
    }
}

#[test]
fn a_schema_that_is_behind_is_not_changed_in_production() {
    for database in databases() {
        let production = on(&database.url())
            .set("APP_ENV", "production")
            .set("APP_API_KEYS", "sk-0123456789abcdef0123456789abcdef")
            .set("APP_SECRET_KEY", "0123456789abcdef0123456789abcdef0123456789abcdef");
        let output = command_line(&production, "").expect_code(78);
        assert!(output.stderr.contains("crewd migrate up"), "{}", output.stderr);
    }
}

#[test]
fn a_database_that_is_read_only_is_refused() {
    let Some(database) = Service::Postgres.database() else { return };
    command_line(&on(&database.url()).arguments(["migrate", "up"]), "").expect_code(0);
    let (_, name) = database.url().rsplit_once('/').map(|(head, name)| (head.to_owned(), name.to_owned())).expect("a name");
    database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let output = refused(&database.url(), 78);
    assert!(output.stderr.contains("read-only"), "{}", output.stderr);
}

/// A user of the database who may have so many connections.
fn limited(database: &TestDatabase, connections: u32) -> String {
    let url = database.url();
    let (head, name) = url.rsplit_once('/').expect("a name");
    let host = host_of(head);
    if url.starts_with("postgres") {
        database.execute(&format!(
            "CREATE ROLE {name} LOGIN CONNECTION LIMIT {connections}; ALTER DATABASE {name} OWNER TO {name}; \
             ALTER SCHEMA public OWNER TO {name}"
        ));
        return format!("postgres://{name}@{host}/{name}");
    }
    let user = format!("u{}", &name[name.len() - 20..]);
    // MariaDB begins with somebody without a name on this machine, who would come before a user from anywhere.
    for from in ["localhost", "%"] {
        database.execute(&format!(
            "CREATE USER {user}@'{from}' IDENTIFIED BY 'word' WITH MAX_USER_CONNECTIONS {connections}; \
             GRANT ALL ON {name}.* TO {user}@'{from}'"
        ));
    }
    format!("mysql://{user}:word@{host}/{name}")
}

#[test]
fn a_start_without_a_connection_to_spare_says_so() {
    for service in [Service::MariaDb, Service::Postgres] {
        let Some(database) = service.database() else { continue };
        let output = refused(&limited(&database, 1), 69);
        assert!(output.stderr.contains("no connection to spare"), "{}", output.stderr);
        assert!(output.stderr.contains("APP_DATABASE_POOL_SIZE"), "{}", output.stderr);
    }
}

#[test]
fn at_the_limit_of_connections_everything_takes_its_turn() {
    run(async {
        for service in [Service::MariaDb, Service::Postgres] {
            let Some(database) = service.database() else { continue };
            let model = FakeLlm::start().await;
            let app = on(&limited(&database, 5)).model(&model).crew(&crews::single("single")).start().await;
            let client = app.client();
            let inputs = about("turnstone-limit");
            let tasks = join_all((0..20).map(|_| client.submit("single", &inputs))).await;
            let ends = join_all(tasks.iter().map(|task| client.wait_terminal(task.id())));
            for end in within("all end", Duration::from_secs(60), ends).await {
                end.expect("succeeded");
            }
            for answer in join_all((0..40).map(|_| client.get("/api/v1/tasks?limit=50"))).await {
                answer.expect(200);
            }
        }
    });
}

#[test]
fn a_server_that_goes_away_and_comes_back_loses_nothing() {
    run(async {
        for database in databases() {
            let model = FakeLlm::start().await;
            let gate = Gate::new();
            let scenario = model.scenario("knot-gone");
            scenario.then(Turn::text("first ").hold(&gate).and_text("last"));
            let passage = Passage::to(&host_of(&database.url()), Way::Open).await;
            let url = through(&passage, &database.url());
            let app = on(&url).model(&model).crew(&crews::single("single")).start().await;
            let client = app.client();
            let task = client.submit("single", &about("knot-gone")).await;
            eventually("the model is called", SOON, async || (scenario.count() > 0).then_some(())).await;
            for way in [Way::Closed, Way::Silent] {
                passage.set(way);
                eventually("readiness says so", SOON, async || {
                    client.try_status("/health/ready").await.filter(|status| *status == 503)
                })
                .await;
                // Cables that are mended drop what stood on them.
                passage.set(Way::Closed);
                passage.set(Way::Open);
                eventually("it is ready again", SOON, async || {
                    client.try_status("/health/ready").await.filter(|status| *status == 200)
                })
                .await;
            }
            gate.open();
            client.wait_terminal(task.id()).await.expect("succeeded");
            assert!(scenario.count() <= 3, "{} calls", scenario.count());
            client.submit("single", &about("knot-later")).await;
        }
    });
}
