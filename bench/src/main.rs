//! Measures crewd from outside, each figure beside what it is compared with, in one run.
//!
//! `crewd-bench [--binary PATH] [--only CASE[,CASE]] [--json] [--database URL] [--redis URL] [--database-pid PID]
//! [--rows N] [--compare sqlite,URL[,URL]]`. The model is a process of its own (this program again), so that its work is
//! not counted as crewd's; CPU and memory are read from the system for crewd's process alone, and for the database
//! server with all its processes. Everything is on loopback. Read ratios and CPU figures first: load generator, model,
//! database and crewd share the machine.
//!
//! | module | what is in it |
//! |---|---|
//! | `arguments` | the command line |
//! | `site`, `process` | an installation, its database and its processes |
//! | `load`, `model`, `stats` | clients, the fake model, medians |
//! | `fill` | a database with many rows |
//! | `cases`, `report` | one file a group of figures, and how they are printed |

mod arguments;
mod cases;
mod fill;
mod load;
mod model;
mod process;
mod report;
mod site;
mod stats;

use crate::arguments::Arguments;

fn main() -> anyhow::Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.first().map(String::as_str) == Some("model") {
        return runtime(1)?.block_on(model::serve());
    }
    let arguments = Arguments::read(&given)?;
    let is_json = arguments.is_json;
    let report = runtime(1)?.block_on(cases::run(arguments))?;
    if is_json {
        report.print_json()
    } else {
        report.print_table()
    }
    Ok(())
}

fn runtime(threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}
