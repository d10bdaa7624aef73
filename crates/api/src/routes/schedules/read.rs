//! The bodies of the calls and their rules.

use chrono::{DateTime, Utc};
use crewd_application::runs::SubmitTask;
use crewd_application::schedules::{BackfillRequest, DEFAULT_BACKFILL, MAX_BACKFILL, ScheduleFields, TimingFields};
use crewd_domain::schedules::{
    CronExpression, MAX_CATCH_UP_SECONDS, MAX_INTERVAL_SECONDS, MAX_JITTER_SECONDS, MAX_NAME_CHARACTERS, OverlapPolicy, Zone,
};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{ApiError, Problems};
use crate::extract::ObjectReader;
use crate::routes::tasks::read_task;

/// A schedule. A new one needs `name`, `task`, and `cron` or `interval_seconds`; of a change every field may be left out.
#[derive(Debug, Default, ToSchema)]
pub(super) struct ScheduleRequest {
    /// For people, unique for the tenant; 1 to 100 characters.
    #[schema(example = "Morning report")]
    name: Option<String>,
    /// Five fields, or six with the second first.
    #[schema(example = "0 7 * * MON-FRI")]
    cron: Option<String>,
    /// The distance between two times, instead of `cron`.
    #[schema(minimum = 1, maximum = 31_622_400)]
    interval_seconds: Option<u32>,
    /// One of the times of an interval; `start_at`, else the present, if it is not given.
    anchor: Option<DateTime<Utc>>,
    /// An IANA name; `UTC` if it is not given.
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// The body of `POST /api/v1/tasks`.
    #[schema(value_type = Option<Object>)]
    task: Option<SubmitTask>,
    /// `skip` (the default), `queue_one`, `queue_all`, `cancel_previous` or `allow`.
    #[schema(value_type = Option<String>, example = "skip")]
    overlap: Option<OverlapPolicy>,
    /// How late a time that nobody saw may still be run; 3600 if it is not given.
    #[schema(maximum = 31_622_400)]
    catch_up_seconds: Option<u32>,
    /// Each time is late by up to so many seconds.
    #[schema(maximum = 86_400)]
    jitter_seconds: Option<u32>,
    /// No fire time lies before it.
    start_at: Option<DateTime<Utc>>,
    /// No fire time lies after it.
    end_at: Option<DateTime<Utc>>,
    /// It is over after so many tasks.
    #[schema(minimum = 1)]
    max_runs: Option<u32>,
    /// Whether it is held.
    paused: Option<bool>,
}

/// Which times of the past get a task.
#[derive(Debug, Default, ToSchema)]
pub(super) struct BackfillBody {
    /// The first time that counts.
    from: Option<DateTime<Utc>>,
    /// The last time that counts; not in the future.
    to: Option<DateTime<Utc>>,
    /// At most so many tasks; 100 if it is not given.
    #[schema(minimum = 1, maximum = 1000)]
    max: Option<u32>,
}

/// Reads a new schedule.
///
/// # Errors
/// `validation_failed` with everything that is wrong, each at its place.
pub(super) fn read_new(body: Value) -> Result<ScheduleFields, ApiError> {
    read(body, true)
}

/// Reads a change. `null` takes away what may be absent.
///
/// # Errors
/// As [`read_new`].
pub(super) fn read_change(body: Value) -> Result<ScheduleFields, ApiError> {
    let is_cleared = |name: &str| body.get(name).is_some_and(Value::is_null);
    let cleared = [is_cleared("start_at"), is_cleared("end_at"), is_cleared("max_runs")];
    let mut fields = read(body, false)?;
    let [start_at, end_at, max_runs] = cleared;
    if start_at {
        fields.start_at = Some(None);
    }
    if end_at {
        fields.end_at = Some(None);
    }
    if max_runs {
        fields.max_runs = Some(None);
    }
    Ok(fields)
}

fn read(body: Value, is_new: bool) -> Result<ScheduleFields, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let needed = [
        ("name", reader.has("name"), "is required"),
        ("cron", reader.has("cron") || reader.has("interval_seconds"), "is required, or `interval_seconds`: one says when"),
        ("task", reader.has("task"), "is required: the body of a task"),
    ];
    for (name, _, message) in needed.into_iter().filter(|(_, is_there, _)| is_new && !is_there) {
        reader.add("required", name, message);
    }
    let request = read_request(&mut reader);
    let fields = request.into_fields(&mut reader);
    reader.finish();
    problems.check()?;
    Ok(fields)
}

fn read_request(reader: &mut ObjectReader<'_>) -> ScheduleRequest {
    let policies: Vec<_> = OverlapPolicy::ALL.iter().map(|policy| (policy.as_str(), *policy)).collect();
    ScheduleRequest {
        name: reader.name("name", MAX_NAME_CHARACTERS),
        cron: reader.text("cron"),
        interval_seconds: number(reader, "interval_seconds", 1, MAX_INTERVAL_SECONDS),
        anchor: reader.instant("anchor"),
        time_zone: reader.text("time_zone"),
        task: reader.nested("task").map(|mut task| {
            if task.any("webhook").is_some() {
                task.add("not_supported", "webhook", "not in a schedule: add an endpoint that is told of all tasks");
            }
            let submission = read_task(&mut task);
            task.finish();
            submission
        }),
        overlap: reader.choice("overlap", &policies),
        catch_up_seconds: number(reader, "catch_up_seconds", 0, MAX_CATCH_UP_SECONDS),
        jitter_seconds: number(reader, "jitter_seconds", 0, MAX_JITTER_SECONDS),
        start_at: reader.instant("start_at"),
        end_at: reader.instant("end_at"),
        max_runs: number(reader, "max_runs", 1, u32::MAX),
        paused: reader.boolean("paused"),
    }
}

fn number(reader: &mut ObjectReader<'_>, name: &'static str, least: u32, most: u32) -> Option<u32> {
    reader.integer(name, least.into(), most.into()).and_then(|number| number.try_into().ok())
}

impl ScheduleRequest {
    /// The fields, after reading the expression and the zone.
    fn into_fields(self, reader: &mut ObjectReader<'_>) -> ScheduleFields {
        let timing = self.timing(reader);
        let zone = self.time_zone.and_then(|name| {
            let zone = Zone::parse(&name);
            zone.map_err(|problem| reader.add("unknown_time_zone", "time_zone", problem.to_string())).ok()
        });
        ScheduleFields {
            name: self.name,
            timing,
            task: self.task,
            zone,
            jitter_seconds: self.jitter_seconds,
            start_at: self.start_at.map(Some),
            end_at: self.end_at.map(Some),
            max_runs: self.max_runs.map(Some),
            paused: self.paused,
            overlap: self.overlap,
            catch_up_seconds: self.catch_up_seconds,
        }
    }

    fn timing(&self, reader: &mut ObjectReader<'_>) -> Option<TimingFields> {
        if reader.was_given("cron") && reader.was_given("interval_seconds") {
            reader.add("conflicting_fields", "interval_seconds", "either `cron` or this may be given");
        }
        if reader.was_given("anchor") && !reader.was_given("interval_seconds") {
            reader.add("conflicting_fields", "anchor", "goes with `interval_seconds` only");
        }
        if let Some(text) = &self.cron {
            let found = CronExpression::parse(text);
            let refused = found.as_ref().err().into_iter().flatten();
            refused.for_each(|problem| reader.add("invalid_cron", "cron", problem.to_string()));
            return found.ok().map(TimingFields::Cron);
        }
        self.interval_seconds.map(|seconds| TimingFields::Interval { seconds, anchor: self.anchor })
    }
}

/// Reads what a backfill asks for.
///
/// # Errors
/// `validation_failed` with everything that is wrong.
pub(super) fn read_backfill(body: Value) -> Result<BackfillRequest, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    for name in ["from", "to"] {
        if !reader.has(name) {
            reader.add("required", name, "is required");
        }
    }
    let request =
        BackfillBody { from: reader.instant("from"), to: reader.instant("to"), max: number(&mut reader, "max", 1, MAX_BACKFILL) };
    reader.finish();
    problems.check()?;
    // Absent ones have been refused.
    let (from, to) = (request.from.unwrap_or_default(), request.to.unwrap_or_default());
    Ok(BackfillRequest { from, to, max: request.max.unwrap_or(DEFAULT_BACKFILL) })
}

/// A body that may only be empty.
///
/// # Errors
/// `validation_failed` for any field.
pub(super) fn read_nothing(body: Value) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    ObjectReader::of_body(body, &mut problems)?.finish();
    problems.check()
}
