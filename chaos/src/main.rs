//! The proof of durability: real `crewd` processes are killed at every place of the write path, killed at random,
//! stopped, locked out of their database, starved of disk and lied to by their model, while clients submit twice and
//! break off their streams. Effects are counted outside. Every invariant is counted; one violation fails the run.
//!
//! `crewd-chaos [--database URL] [--redis URL] [--tasks N] [--minutes M] [--seed S] [--only a,b] [--full]
//! [--report FILE]`. The same seed makes the same decisions; what the operating system does in between is its own.
//!
//! | module | what is in it |
//! |---|---|
//! | `arguments`, `dice`, `wall`, `marker` | sizes, decisions, time, names of tasks |
//! | `stage`, `fleet` | an installation and its processes |
//! | `model`, `ledger`, `receiver` | what is outside of the product, and counts |
//! | `api`, `follow`, `waiting` | clients that outlive servers |
//! | `audit`, `rows` | the checks |
//! | `parts` | one file for each kind of fault |
//! | `report` | invariants, figures, Markdown |

mod api;
mod arguments;
mod audit;
mod dice;
mod fleet;
mod follow;
mod ledger;
mod marker;
mod model;
mod parts;
mod receiver;
mod report;
mod rows;
mod stage;
mod waiting;
mod wall;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use crewd_engines::Server;
use crewd_tests::runtime::run;

use crate::arguments::Arguments;
use crate::report::Report;
use crate::stage::Context;

fn main() -> anyhow::Result<ExitCode> {
    let mut own = std::env::args().skip(1);
    if own.next().as_deref() == Some(parts::CLAIMANT) {
        let arguments: Vec<String> = own.collect();
        return run(parts::claimant(&arguments)).map(|()| ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| u64::try_from(wall::micros()).unwrap_or_default() % 1_000_000_000);
    let logs = arguments.logs.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("crewd-chaos-{seed}")));
    let context = Context {
        seed,
        sizes: arguments.sizes(),
        binary: arguments.binary()?,
        debug_binary: arguments.debug_binary()?,
        report: Arc::new(Report::default()),
        logs,
        server: match &arguments.database {
            Some(url) => Some(run(Server::connect(url))?),
            None => None,
        },
        redis: arguments.redis.clone(),
        restart: arguments.database_restart.clone(),
    };
    let engine = title(&context)?;
    println!("{engine}; seed {seed}; logs in {}", context.logs.display());
    let started = Instant::now();
    run(parts::run(&context, &arguments));
    let violations = context.report.violations();
    let verdict = if violations == 0 { "passed" } else { "FAILED" };
    let sizes = &context.sizes;
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let build = if context.binary == context.debug_binary { "debug" } else { "release" };
    let heading = format!(
        "**{verdict}: {violations} violations** in {:.0} s on {cores} cores, {build} build, {engine} (seed {seed}, {} tasks under kills, \
         {} lease races, {} reconnects).",
        started.elapsed().as_secs_f64(),
        report::grouped(u64::try_from(sizes.tasks)?),
        report::grouped(u64::try_from(sizes.claims)?),
        report::grouped(u64::try_from(sizes.reconnects)?),
    );
    let text = context.report.markdown(&heading);
    println!("\n{text}");
    if let Some(path) = &arguments.report {
        let name = context.server.as_ref().map_or("sqlite".to_owned(), |server| server.product().to_lowercase());
        write_report(path, &name, &text)?;
    }
    let kept = context.report.kept_databases();
    if let Some(server) = &context.server {
        run(server.clean(&kept));
    }
    if violations == 0 {
        std::fs::remove_dir_all(&context.logs).ok();
        return Ok(ExitCode::SUCCESS);
    }
    println!("again: crewd-chaos --seed {seed} --tasks {}; logs in {}", sizes.tasks, context.logs.display());
    if !kept.is_empty() {
        println!("databases that were kept: {}", kept.join(", "));
    }
    Ok(ExitCode::FAILURE)
}

/// Database and Redis with their versions.
fn title(context: &Context) -> anyhow::Result<String> {
    let database = context.database_title();
    Ok(match &context.redis {
        Some(url) => format!("{database}, Redis {}", run(crewd_engines::version(url))?),
        None => database,
    })
}

/// Writes the report; into a page that has a place for this engine, only there.
fn write_report(path: &Path, engine: &str, text: &str) -> std::io::Result<()> {
    let (begin, end) = (format!("<!-- report:{engine}:begin -->\n"), format!("<!-- report:{engine}:end -->"));
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match parts {
        Some((before, after)) => std::fs::write(path, format!("{before}{begin}{text}{end}{after}")),
        None => std::fs::write(path, text),
    }
}
