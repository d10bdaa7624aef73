//! The command line, and the sizes that follow from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Kills, stops, starves and deceives real `crewd` processes, and counts whether any promise was broken.
#[derive(Debug, Parser)]
#[command(name = "crewd-chaos")]
pub(crate) struct Arguments {
    /// Tasks of each of the large parts (kills, redis, sessions, restart); the others grow with it.
    #[arg(long)]
    pub(crate) tasks: Option<usize>,
    /// How long the part with random kills goes on at least.
    #[arg(long)]
    pub(crate) minutes: Option<f64>,
    /// Decides everything that looks random; the time of day if it is not given.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// A database server instead of SQLite's file: `mysql://…` (OceanBase and MariaDB, too) or `postgres://…`. Its user
    /// must be allowed to make databases; each part gets one of its own, which is removed after it.
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// All processes use this Redis; the part `redis` starts one of its own where `redis-server` is installed, and
    /// empties this one where it is not.
    #[arg(long)]
    pub(crate) redis: Option<String>,
    /// A shell command that restarts the database server, for the part `restart`.
    #[arg(long)]
    pub(crate) database_restart: Option<String>,
    /// These parts alone: leases, matrix, kills, streams, submits, database, disk, provider, webhooks, redis, sessions,
    /// restart.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The published sizes: 3,000 tasks, 10,000 lease races, 1,000 reconnects.
    #[arg(long)]
    pub(crate) full: bool,
    /// Writes the report as Markdown to this file.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// The binary that is killed at random; `crewd` beside this program if it is not given.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// A debug build of it, for the numbered places; found beside or below this program's folder if it is not given.
    #[arg(long)]
    pub(crate) debug_binary: Option<PathBuf>,
    /// Logs of what went wrong go below this folder.
    #[arg(long)]
    pub(crate) logs: Option<PathBuf>,
}

/// How much is done.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Tasks under random kills.
    pub(crate) tasks: usize,
    /// The least time of that part.
    pub(crate) time: Duration,
    /// Tasks a worker holds at once under random kills.
    pub(crate) slots: usize,
    /// A worker is killed so often.
    pub(crate) kill_every: Duration,
    /// In so many of a hundred cases a worker is stopped instead of killed; the first one always is.
    pub(crate) stops: usize,
    /// Passings tried per numbered place.
    pub(crate) passings: usize,
    /// Lease races.
    pub(crate) claims: usize,
    /// Reconnects of streams.
    pub(crate) reconnects: usize,
    /// Keys that are submitted with.
    pub(crate) keys: usize,
    /// Submits with one key at once.
    pub(crate) submits: usize,
    /// How long another process locks the database.
    pub(crate) locked: Duration,
    /// Tasks that webhooks tell of.
    pub(crate) deliveries: usize,
    /// Tasks per kind of fault of a provider.
    pub(crate) per_fault: usize,
}

impl Arguments {
    /// The sizes asked for.
    pub(crate) fn sizes(&self) -> Sizes {
        let tasks = self.tasks.unwrap_or(if self.full { 3_000 } else { 60 });
        let large = self.full || tasks >= 1_000;
        Sizes {
            tasks,
            time: Duration::from_secs_f64(self.minutes.unwrap_or(0.4).max(0.0) * 60.0),
            slots: if large { 12 } else { 4 },
            kill_every: Duration::from_secs(2),
            stops: if large { 8 } else { 0 },
            passings: if large { 4 } else { 1 },
            claims: if large { 10_000 } else { 1_000 },
            reconnects: if large { 1_000 } else { 100 },
            keys: if large { 20 } else { 3 },
            submits: 100,
            locked: Duration::from_secs(10),
            deliveries: if large { 300 } else { 40 },
            per_fault: if large { 10 } else { 1 },
        }
    }

    /// Whether a part is to be run.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == part)
    }

    /// The binary under test.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn binary(&self) -> anyhow::Result<PathBuf> {
        let here = std::env::current_exe()?;
        let places = ["crewd", "crewd-under-test"].map(|name| here.with_file_name(name));
        pick(self.binary.clone(), &places, "cargo build --release")
    }

    /// A debug build of it.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn debug_binary(&self) -> anyhow::Result<PathBuf> {
        let here = std::env::current_exe()?;
        let debug = here.parent().and_then(|folder| folder.parent()).map(|target| target.join("debug")).unwrap_or_default();
        pick(self.debug_binary.clone(), &[debug.join("crewd"), debug.join("crewd-under-test")], "cargo build")
    }
}

fn pick(given: Option<PathBuf>, places: &[PathBuf], mend: &str) -> anyhow::Result<PathBuf> {
    let found = given.or_else(|| places.iter().find(|place| place.is_file()).cloned());
    let found = found.ok_or_else(|| anyhow::anyhow!("no binary at {places:?}: {mend}"))?;
    Ok(std::fs::canonicalize(&found)?)
}
