//! Which parts there are, and their order.

use std::time::Instant;

use super::{database, disk, kills, leases, matrix, provider, redis, restart, streams, submits, webhooks};
use crate::arguments::Arguments;
use crate::stage::Context;

const PARTS: [&str; 10] =
    ["leases", "matrix", "kills", "streams", "submits", "database", "disk", "provider", "redis", "sessions"];

/// Runs all parts, or those asked for, one after the other; beside them the one that mostly waits.
pub(crate) async fn run(context: &Context, arguments: &Arguments) {
    let beside = async {
        if arguments.wants("webhooks") {
            let started = Instant::now();
            webhooks::measure(context).await;
            context.report.figure("webhooks", "time, beside the others", format!("{:.0} s", started.elapsed().as_secs_f64()));
        }
    };
    futures::future::join(beside, in_a_row(context, arguments, &PARTS)).await;
    // Alone: it takes the server away from everybody.
    in_a_row(context, arguments, &["restart"]).await;
}

async fn in_a_row(context: &Context, arguments: &Arguments, parts: &[&str]) {
    for part in parts.iter().copied() {
        let has_a_server = context.server.is_some() || !["sessions", "restart"].contains(&part);
        if !arguments.wants(part) || !has_a_server && arguments.only.is_empty() {
            continue;
        }
        println!("{part}");
        let started = Instant::now();
        match part {
            "leases" => leases::measure(context).await,
            "matrix" => matrix::measure(context).await,
            "kills" => kills::measure(context).await,
            "streams" => streams::measure(context).await,
            "submits" => submits::measure(context).await,
            "database" => database::measure(context).await,
            "disk" => disk::measure(context).await,
            "provider" => provider::measure(context).await,
            "redis" => redis::measure(context).await,
            "sessions" => restart::cut_off(context).await,
            _ => restart::restarted(context).await,
        }
        context.report.figure(part, "time", format!("{:.0} s", started.elapsed().as_secs_f64()));
    }
}
