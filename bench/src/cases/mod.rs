//! The figures, one file a group.

mod control;
mod fair;
mod replay;
mod start;
mod streams;
mod tasks;
mod waiting;

use std::path::{Path, PathBuf};

use crate::process::Process;
use crate::report::Report;

/// What a case works with.
pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
    pub(crate) report: Report,
}

impl Bench {
    /// The fake model, and crewd on a fresh database.
    pub(crate) fn start(&self, folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<(Process, Process)> {
        let model = Process::model()?;
        let crewd = Process::crewd(&self.binary, folder, Some(model.port), settings)?;
        Ok((model, crewd))
    }
}

/// Runs all cases, or those named.
pub(crate) async fn run(binary: PathBuf, only: Option<Vec<String>>) -> anyhow::Result<Report> {
    let mut bench = Bench { binary, report: Report::default() };
    let wanted = |name: &str| only.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name));
    if wanted("start") {
        start::measure(&mut bench).await?;
    }
    if wanted("submit") {
        tasks::submissions(&mut bench).await?;
    }
    if wanted("single") {
        tasks::single_calls(&mut bench).await?;
    }
    if wanted("crew") {
        tasks::reference_crews(&mut bench).await?;
    }
    if wanted("alone") {
        tasks::one_at_a_time(&mut bench).await?;
    }
    if wanted("token") {
        streams::token_latency(&mut bench).await?;
    }
    if wanted("streams200") {
        streams::many_streams(&mut bench).await?;
    }
    if wanted("replay") {
        replay::long_log(&mut bench).await?;
    }
    if wanted("cancel") {
        control::cancels(&mut bench).await?;
    }
    if wanted("fair") {
        fair::noisy_neighbour(&mut bench).await?;
    }
    if wanted("waiting") {
        waiting::memory_of_waiting(&mut bench).await?;
    }
    if wanted("idle-streams") {
        streams::idle_clients(&mut bench).await?;
    }
    if wanted("hold") {
        tasks::in_flight(&mut bench).await?;
    }
    Ok(bench.report)
}
