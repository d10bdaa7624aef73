//! Databases beside each other: the same work in alternating rounds.

use std::time::{Duration, Instant};

use super::Bench;
use super::tasks::{count, per_second};
use crate::load::complete;
use crate::process::Process;
use crate::site::{Site, Target};

/// Rounds of each database and crew; the median counts.
const ROUNDS: usize = 5;
/// Crew, clients, tasks a client in each round, pause between looks in milliseconds.
const WORK: [(&str, usize, usize, u64); 2] = [("reference", 32, 20, 20), ("single", 64, 25, 5)];

/// One database under comparison. Fields are dropped in this order: processes before their folder.
struct Side {
    crewd: Process,
    site: Site,
    target: Target,
}

/// What a round gave.
#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    /// Milliseconds a task.
    crewd: f64,
    /// Milliseconds a task; none where it cannot be read, or is part of crewd.
    database: Option<f64>,
}

/// Ended tasks a second on each database, and what they cost.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut sides = Vec::new();
    for database in bench.arguments.compare.clone() {
        let target = Target::new(&database, bench.arguments.redis.clone(), None).await?;
        let site = Site::new(&target, &bench.arguments.binary).await?;
        sides.push(Side { crewd: site.start(&[])?, site, target });
    }
    let done = rounds(bench, &sides).await;
    for side in sides {
        let Side { crewd, site, target } = side;
        drop((crewd, site));
        if let Some(server) = target.server {
            server.clean(&[]).await;
        }
    }
    done
}

async fn rounds(bench: &mut Bench, sides: &[Side]) -> anyhow::Result<()> {
    for (crew, clients, each, pause) in WORK {
        let pause = Duration::from_millis(pause);
        for side in sides {
            complete(side.crewd.port, crew, clients, 5, pause).await?;
        }
        let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); sides.len()];
        for _ in 0..ROUNDS {
            for (side, rounds) in sides.iter().zip(&mut rounds) {
                let one = round(side, (crew, clients, each, pause)).await?;
                eprintln!("  {crew}, {}: {:.0}/s", side.target.title(), one.rate);
                rounds.push(one);
            }
        }
        let medians: Vec<Round> = rounds.into_iter().filter_map(median).collect();
        let first = medians.first().map_or(1.0, |first| first.rate);
        for (number, (side, median)) in sides.iter().zip(medians).enumerate() {
            let database = match median.database {
                Some(time) => format!("{time:.2} ms"),
                None if side.site.place.is_some() => "not read".to_owned(),
                None => "within crewd".to_owned(),
            };
            bench.report.add(
                &format!("`{crew}` tasks, {}", side.target.title()),
                format!("{:.0}/s, {:.0} % of the first", median.rate, 100.0 * median.rate / first),
                if number == 0 { "-" } else { ">= 60 %" },
                format!(
                    "median of {ROUNDS} rounds in turns; {clients} clients; CPU a task: crewd {:.2} ms, database {database}",
                    median.crewd,
                ),
            );
        }
    }
    Ok(())
}

async fn round(side: &Side, (crew, clients, each, pause): (&str, usize, usize, Duration)) -> anyhow::Result<Round> {
    let (begin, cpu, database) = (Instant::now(), side.crewd.cpu(), side.target.cpu());
    let tasks = complete(side.crewd.port, crew, clients, each, pause).await?.len();
    let rate = per_second(tasks, begin.elapsed());
    let a_task = |seconds: f64| seconds * 1e3 / count(tasks);
    let spent = side.target.cpu().zip(database).map(|(after, before)| a_task(after - before));
    Ok(Round { rate, crewd: a_task(side.crewd.cpu() - cpu), database: spent })
}

fn median(mut rounds: Vec<Round>) -> Option<Round> {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rounds.get(rounds.len() / 2).copied()
}
