//! Measures crewd from outside, each figure beside what it is compared with, in one run.
//!
//! `crewd-bench [--binary PATH] [--only CASE[,CASE]] [--json]`. The model is a process of its own (this program again),
//! so that its work is not counted as crewd's; CPU and memory are read from the system for crewd's process alone.
//! Everything is on loopback. Read ratios and CPU figures first: load generator, model and crewd share the machine.

mod cases;
mod load;
mod model;
mod process;
mod report;
mod stats;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some("model") {
        return runtime(1)?.block_on(model::serve());
    }
    let value =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|place| arguments.get(place + 1)).cloned();
    let binary = match value("--binary") {
        Some(path) => path.into(),
        None => std::env::current_exe()?.with_file_name("crewd"),
    };
    let binary =
        std::fs::canonicalize(&binary).with_context(|| format!("{} is not there: cargo build --release", binary.display()))?;
    let only = value("--only").map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>());
    let report = runtime(1)?.block_on(cases::run(binary, only))?;
    if arguments.iter().any(|argument| argument == "--json") {
        report.print_json()
    } else {
        report.print_table()
    }
    Ok(())
}

fn runtime(threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}
