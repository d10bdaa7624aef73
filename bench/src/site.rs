//! An installation to measure: definitions, a fake model, a fresh database.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use crewd_engines::{Connection, Place, Processes, Server};
use tempfile::TempDir;

use crate::process::Process;

/// Where the data goes: SQLite's file, or a database server.
#[derive(Debug)]
pub(crate) struct Target {
    /// The server; none for SQLite's file.
    pub(crate) server: Option<Arc<Server>>,
    /// The first process of the server, where its CPU time can be read.
    pub(crate) processes: Option<Processes>,
    /// The Redis of all processes.
    pub(crate) redis: Option<String>,
    last: Mutex<Option<Place>>,
}

impl Target {
    /// `sqlite`, or the address of a server.
    pub(crate) async fn new(database: &str, redis: Option<String>, root: Option<u32>) -> anyhow::Result<Self> {
        let server = if database == "sqlite" { None } else { Some(Server::connect(database).await?) };
        let found = server.as_ref().and_then(|server| server.processes());
        let processes = root.map(|root| Processes { root }).or(found);
        Ok(Self { server, processes, redis, last: Mutex::default() })
    }

    /// Engine and version.
    pub(crate) fn title(&self) -> String {
        self.server.as_ref().map_or_else(|| "SQLite".to_owned(), |server| server.title())
    }

    /// CPU time of the server so far, in seconds; none for SQLite and where it cannot be read.
    pub(crate) fn cpu(&self) -> Option<f64> {
        self.server.as_ref().and(self.processes).map(Processes::processor_seconds)
    }

    /// A new database; the one before is removed: figures are measured one after the other.
    async fn fresh(&self, binary: &Path, folder: &Path) -> anyhow::Result<(String, Option<Place>)> {
        let Some(server) = &self.server else {
            return Ok((format!("sqlite://{}?mode=rwc", folder.join("data/crewd.db").display()), None));
        };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(last) = last {
            server.remove(&last).await?;
        }
        let place = server.create("bench").await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.clone());
        let mut migration = Command::new(binary);
        migration.args(["migrate", "up"]).current_dir(folder).env_clear().env("APP_DATABASE_URL", &place.url);
        let done = migration.env("APP_DATA_DIR", folder.join("data")).output()?;
        anyhow::ensure!(done.status.success(), "crewd migrate up: {}", String::from_utf8_lossy(&done.stderr));
        Ok((place.url.clone(), Some(place)))
    }
}

/// An installation. Its processes must end before it is dropped.
pub(crate) struct Site {
    folder: TempDir,
    binary: PathBuf,
    model: Process,
    redis: Option<String>,
    /// The address of the database.
    pub(crate) url: String,
    /// The database, if it lies on a server.
    pub(crate) place: Option<Place>,
}

impl Site {
    /// An empty installation.
    pub(crate) async fn new(target: &Target, binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (url, place) = target.fresh(binary, folder.path()).await?;
        Ok(Self { folder, binary: binary.to_owned(), model: Process::model()?, redis: target.redis.clone(), url, place })
    }

    /// The same with another Redis, or none.
    pub(crate) fn with_redis(mut self, redis: Option<String>) -> Self {
        self.redis = redis;
        self
    }

    /// API and worker, with the bench's crews and everything on: journal on disk, logs in files, metrics.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> anyhow::Result<Process> {
        self.spawn(None, true, settings)
    }

    /// As [`Site::start`], with one of its roles: `serve` or `worker`.
    pub(crate) fn start_as(&self, role: &str, settings: &[(&str, &str)]) -> anyhow::Result<Process> {
        self.spawn(Some(role), true, settings)
    }

    /// API and worker with the offline model and no definitions.
    pub(crate) fn start_offline(&self) -> anyhow::Result<Process> {
        self.spawn(None, false, &[])
    }

    fn spawn(&self, role: Option<&str>, with_model: bool, settings: &[(&str, &str)]) -> anyhow::Result<Process> {
        let folder = self.folder.path();
        let mut command = Command::new(&self.binary);
        command
            .args(role)
            .current_dir(folder)
            .env_clear()
            .env("APP_PORT", "0")
            .env("APP_DATABASE_URL", &self.url)
            .env("APP_DATA_DIR", folder.join("data"))
            .env("APP_LOG_DIR", folder.join("logs"))
            .env("APP_LOG_FORMAT", "json");
        if let Some(redis) = &self.redis {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("bench");
            command.env("APP_REDIS_URL", redis).env("APP_REDIS_PREFIX", name.trim_start_matches('.'));
        }
        if with_model {
            let config = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            command.env("APP_CONFIG_DIR", config).env("APP_LLM_PROVIDER", "openai_compatible").env("APP_LLM_MODEL", "mock");
            command.env("APP_LLM_BASE_URL", format!("http://127.0.0.1:{}/v1", self.model.port));
            command.env("APP_LLM_API_KEY", "sk-bench");
        }
        command.envs(settings.iter().copied());
        Process::start(command)
    }

    /// A look into the database, past the product.
    pub(crate) async fn connection(&self) -> anyhow::Result<Connection> {
        match &self.place {
            Some(place) => Connection::to_server(&place.url).await,
            None => Connection::to_file(&self.folder.path().join("data/crewd.db")).await.context("no file yet"),
        }
    }
}
