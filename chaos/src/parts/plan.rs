//! Which parts there are, and their order.

use std::time::Instant;

use super::{database, disk, kills, leases, matrix, provider, streams, submits, webhooks};
use crate::arguments::Arguments;
use crate::stage::Context;

/// Runs all parts, or those asked for, one after the other; beside them the one that mostly waits.
pub(crate) async fn run(context: &Context, arguments: &Arguments) {
    let beside = async {
        if arguments.wants("webhooks") {
            let started = Instant::now();
            webhooks::measure(context).await;
            context.report.figure("webhooks", "time, beside the others", format!("{:.0} s", started.elapsed().as_secs_f64()));
        }
    };
    futures::future::join(beside, in_a_row(context, arguments)).await;
}

async fn in_a_row(context: &Context, arguments: &Arguments) {
    for part in ["leases", "matrix", "kills", "streams", "submits", "database", "disk", "provider"] {
        if !arguments.wants(part) {
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
            _ => provider::measure(context).await,
        }
        context.report.figure(part, "time", format!("{:.0} s", started.elapsed().as_secs_f64()));
    }
}
