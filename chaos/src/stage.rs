//! One installation with everything around it: model, ledger, definitions, database, logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crewd_engines::{Place, Server};
use crewd_tests::app::{AppBuilder, Home, command_line};
use crewd_tests::crews::{self, CrewFolder};
use crewd_tests::runtime::runtime;

use crate::api::Api;
use crate::arguments::Sizes;
use crate::ledger::{KINDS, Ledger};
use crate::model::Model;
use crate::report::Report;
use crate::rows::Rows;

/// What all parts share.
#[derive(Clone)]
pub(crate) struct Context {
    /// Decides everything.
    pub(crate) seed: u64,
    /// How much is done.
    pub(crate) sizes: Sizes,
    /// The binary under test.
    pub(crate) binary: PathBuf,
    /// A debug build of it.
    pub(crate) debug_binary: PathBuf,
    /// What is counted.
    pub(crate) report: Arc<Report>,
    /// Where logs go.
    pub(crate) logs: PathBuf,
    /// The database server; none for SQLite's file.
    pub(crate) server: Option<Arc<Server>>,
    /// The Redis of all processes.
    pub(crate) redis: Option<String>,
    /// How the database server is restarted.
    pub(crate) restart: Option<String>,
}

impl Context {
    /// Engine and version of the database.
    pub(crate) fn database_title(&self) -> String {
        self.server.as_ref().map_or_else(|| "SQLite".to_owned(), |server| server.title())
    }
}

/// The crew of six journaled steps: three model calls, three calls of tools with an effect.
pub(crate) const SIX_STEPS: &str = "six-steps";
/// A crew of one model call.
pub(crate) const ONE_CALL: &str = "one-call";
/// A crew of four model calls, one after the other.
pub(crate) const CHAIN: &str = "chain";

/// SQLite's file in the data folder.
const FILE: &str = "crewd.db";

/// An installation of one part.
pub(crate) struct Stage {
    /// What all parts share.
    pub(crate) context: Context,
    /// The part's name.
    pub(crate) part: String,
    /// The scripted model.
    pub(crate) model: Arc<Model>,
    /// The effects.
    pub(crate) ledger: Arc<Ledger>,
    /// The client of all its servers.
    pub(crate) api: Api,
    home: Arc<Home>,
    plan: AppBuilder,
    data: PathBuf,
    place: Option<Place>,
    violations: u64,
}

impl Stage {
    /// A new installation that `binary` is to run on.
    pub(crate) async fn new(context: &Context, part: &str, binary: &Path) -> Self {
        let model = Arc::new(Model::start(context.seed).await);
        let ledger = Arc::new(Ledger::start(context.seed).await);
        let home = Home::new();
        for crew in [six_steps(), crews::single(ONE_CALL), crews::chain(CHAIN, 4)] {
            home.add_crew(&crew);
        }
        std::fs::write(home.config().join("tools.yaml"), tools(&ledger)).expect("tools.yaml can be written");
        let mut plan = AppBuilder::new(&binary.to_string_lossy())
            .home(&home)
            .set("APP_LOG_LEVEL", "WARN")
            .set("APP_LLM_PROVIDER", "openai_compatible")
            .set("APP_LLM_BASE_URL", model.base_url())
            .set("APP_LLM_MODEL", "chaos-model")
            .set("APP_LLM_TIMEOUT", "60")
            .set("APP_EGRESS_ALLOW", "127.0.0.1")
            .set("APP_DATABASE_URL", format!("sqlite://{}?mode=rwc", home.data().join(FILE).display()));
        if let Some(redis) = &context.redis {
            plan = plan.set("APP_REDIS_URL", redis).set("APP_REDIS_PREFIX", format!("chaos-{}-{part}", context.seed));
        }
        let mut place = None;
        if let Some(server) = &context.server {
            let made = server.create(part).await.expect("a database can be made");
            plan = plan.set("APP_DATABASE_URL", &made.url);
            let migration = plan.clone().arguments(["migrate", "up"]);
            let migrated = tokio::task::spawn_blocking(move || command_line(&migration, "")).await;
            migrated.expect("the schema is made").expect_code(0);
            place = Some(made);
        }
        Self {
            context: context.clone(),
            part: part.to_owned(),
            model,
            ledger,
            api: Api::new(context.seed),
            data: home.data(),
            home,
            plan,
            place,
            violations: context.report.violations(),
        }
    }

    /// Where the data folder is seen from outside, if a process has its own view of it.
    pub(crate) fn look_into(&mut self, data: &Path) {
        self.data = data.to_owned();
    }

    /// Changes a setting of all processes that are started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.plan = self.plan.clone().set(name, value);
    }

    /// How a process of this installation is started; its calls to the model carry `key`.
    pub(crate) fn plan(&self, key: &str) -> AppBuilder {
        self.plan.clone().set("APP_LLM_API_KEY", format!("sk-{key}"))
    }

    /// What is counted.
    pub(crate) fn report(&self) -> &Report {
        &self.context.report
    }

    /// The folders of the installation.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// A connection of the harness to the database.
    pub(crate) async fn rows(&self) -> Rows {
        match &self.place {
            Some(place) => Rows::on_server(&place.url).await,
            None => Rows::in_file(&self.data.join(FILE)).await,
        }
    }

    /// The database server and the database on it; none for SQLite's file.
    pub(crate) fn on_server(&self) -> Option<(&Server, &Place)> {
        Some((self.context.server.as_deref()?, self.place.as_ref()?))
    }

    /// Writes something for whoever looks into a failure; gives its path.
    pub(crate) fn keep(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.context.logs.join(&self.part);
        std::fs::create_dir_all(&folder).ok();
        let path = folder.join(name);
        std::fs::write(&path, text).ok();
        path
    }
}

impl Drop for Stage {
    /// A database that says what went wrong stays; all others go.
    fn drop(&mut self) {
        let is_clean = self.context.report.violations() == self.violations && !std::thread::panicking();
        let (Some(server), Some(place)) = (self.context.server.clone(), self.place.take()) else { return };
        if is_clean {
            runtime().spawn(async move { server.remove(&place).await });
        } else {
            self.context.report.keep_database(&place.name);
        }
    }
}

fn six_steps() -> CrewFolder {
    let names: Vec<String> = KINDS.iter().map(|kind| format!("ledger_{kind}")).collect();
    crews::with_tools(SIX_STEPS, &format!("[{}]", names.join(", ")))
}

/// Declares the three tools: what recovery may do with each follows from its effect.
fn tools(ledger: &Ledger) -> String {
    let mut text = String::new();
    for kind in KINDS {
        text.push_str(&format!(
            "- name: ledger_{kind}\n  description: Counts one item in the ledger.\n  risk: low\n  effect: {kind}\n  \
             parameters: {{type: object, required: [item], properties: {{item: {{type: string}}}}}}\n  \
             http: {{method: POST, url: \"{}\"}}\n",
            ledger.url(kind)
        ));
    }
    text
}
