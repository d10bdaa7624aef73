//! Tests of schedules.

mod cron;
mod due;
mod laws;
mod schedule;
mod setup;
mod zones;
