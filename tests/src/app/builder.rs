//! How a process is to be started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::home::Home;
use super::process::App;
use crate::crews::CrewFolder;
use crate::fake_llm::FakeLlm;

/// Settings and arguments of one start; reused by a restart.
#[derive(Clone, Debug)]
pub struct AppBuilder {
    pub(crate) binary: PathBuf,
    pub(crate) home: Arc<Home>,
    arguments: Vec<String>,
    settings: BTreeMap<String, String>,
}

impl AppBuilder {
    /// The given binary in a new, empty installation: API and worker, free port, offline model without pauses.
    pub fn new(binary: &str) -> Self {
        let settings = [
            ("APP_ENV", "development"),
            ("APP_PORT", "0"),
            ("APP_LLM_OFFLINE_PACE_MS", "0"),
            ("APP_LOG_LEVEL", "INFO"),
            ("APP_LOG_FORMAT", "json"),
            ("NO_COLOR", "1"),
        ];
        Self {
            binary: PathBuf::from(binary),
            home: Home::new(),
            arguments: Vec::new(),
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    /// Uses an installation that exists already.
    #[must_use]
    pub fn home(mut self, home: &Arc<Home>) -> Self {
        self.home = Arc::clone(home);
        self
    }

    /// Writes the crew into the installation's definitions.
    #[must_use]
    pub fn crew(self, crew: &CrewFolder) -> Self {
        self.home.add_crew(crew);
        self
    }

    /// Declares tools of the operator: the text of `tools.yaml`.
    #[must_use]
    pub fn tools(self, yaml: &str) -> Self {
        self.home.add_tools(yaml);
        self
    }

    /// One environment variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Takes one of the harness's own settings away.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    /// Command line arguments, such as `serve`.
    #[must_use]
    pub fn arguments<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments = arguments.map(str::to_owned).to_vec();
        self
    }

    /// Sends every model call to the scripted model.
    #[must_use]
    pub fn model(self, model: &FakeLlm) -> Self {
        self.set("APP_LLM_PROVIDER", "openai_compatible")
            .set("APP_LLM_BASE_URL", model.base_url())
            .set("APP_LLM_API_KEY", "sk-test-provider-key")
            .set("APP_LLM_MODEL", "fake-model")
    }

    /// The installation that a start would use.
    pub fn installation(&self) -> &Arc<Home> {
        &self.home
    }

    /// Starts it and waits until it says that it is ready.
    pub async fn start(self) -> App {
        let mut app = self.spawn();
        app.wait_ready().await;
        app
    }

    /// Starts it without waiting: for processes that serve nothing, or that must refuse to start.
    pub fn spawn(self) -> App {
        App::spawn(self)
    }

    /// The command with a clean environment: no setting of the machine leaks into a test.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.root())
            .env("RUST_BACKTRACE", "1")
            .env("APP_DATA_DIR", self.home.data())
            .envs(self.home.database_url().map(|url| ("APP_DATABASE_URL", url)))
            .envs(self.home.redis().into_iter().flat_map(|(url, prefix)| [("APP_REDIS_URL", url), ("APP_REDIS_PREFIX", prefix)]))
            .envs(&self.settings)
            .current_dir(self.home.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.home.config().is_dir() && !self.settings.contains_key("APP_CONFIG_DIR") {
            command.env("APP_CONFIG_DIR", self.home.config());
        }
        command
    }
}
