//! Create, read, change, delete.

use crewd_domain::schedules::{OverlapPolicy, Timing, Zone};
use crewd_domain::shared::ScheduleId;
use uuid::Uuid;

use super::super::{ScheduleFields, TimingFields};
use super::desk::{Desk, ada, cron, every_minute, minutes, poem, start, stranger};
use crate::error::{Error, ErrorCode};
use crate::runs::SubmitTask;

fn pointers(error: &Error) -> Vec<&str> {
    assert_eq!(error.code, ErrorCode::ValidationFailed, "{error:?}");
    error.fields.iter().map(|field| field.pointer.as_str()).collect()
}

#[tokio::test]
async fn a_schedule_is_kept_as_it_was_given() {
    let desk = Desk::new();
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let fields = ScheduleFields {
        zone: Some(zone),
        jitter_seconds: Some(5),
        max_runs: Some(Some(3)),
        overlap: Some(OverlapPolicy::QueueAll),
        catch_up_seconds: Some(60),
        end_at: Some(Some(minutes(90))),
        ..every_minute()
    };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    let read = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!(read, made);
    assert_eq!((read.zone, read.jitter_seconds, read.max_runs), (zone, 5, Some(3)));
    assert_eq!((read.overlap, read.catch_up_seconds, read.end_at), (OverlapPolicy::QueueAll, 60, Some(minutes(90))));
    assert_eq!((read.next_fire_at, read.version, read.created_by.as_str()), (Some(minutes(1)), 1, "ada"));
}

#[tokio::test]
async fn everything_wrong_is_told_at_once() {
    let desk = Desk::new();
    let ada = ada();
    let create = |fields| desk.schedules.create(&ada, fields);
    assert_eq!(pointers(&create(ScheduleFields::default()).await.unwrap_err()), ["/name", "/cron", "/task"]);
    let wrong = ScheduleFields {
        name: Some(" ".to_owned()),
        jitter_seconds: Some(u32::MAX),
        max_runs: Some(Some(0)),
        task: Some(SubmitTask { crew: "poets".to_owned(), deadline_seconds: Some(0), ..SubmitTask::default() }),
        ..every_minute()
    };
    let expected = ["/name", "/jitter_seconds", "/max_runs", "/task/inputs/topic", "/task/deadline_seconds"];
    assert_eq!(pointers(&create(wrong).await.unwrap_err()), expected);
    let unknown = ScheduleFields { task: Some(SubmitTask { crew: "poet".to_owned(), ..poem("tea") }), ..every_minute() };
    let error = create(unknown).await.unwrap_err();
    assert_eq!(pointers(&error), ["/task/crew"]);
    assert!(error.fields[0].message.contains("did you mean poets?"), "{error:?}");
    let ended = ScheduleFields { end_at: Some(Some(start())), ..every_minute() };
    assert_eq!(pointers(&create(ended).await.unwrap_err()), ["/end_at"]);
    let interval = TimingFields::Interval { seconds: 0, anchor: None };
    assert_eq!(
        pointers(&create(ScheduleFields { timing: Some(interval), ..every_minute() }).await.unwrap_err()),
        ["/interval_seconds"]
    );
    assert!(desk.schedules.list(&ada, None, 10).await.unwrap().items.is_empty(), "nothing is half done");
}

#[tokio::test]
async fn a_task_may_not_be_put_off_by_itself() {
    let desk = Desk::new();
    let mut task = poem("tea");
    task.options.not_before = Some(minutes(5));
    task.options.dedup_key = Some("tea".to_owned());
    task.options.concurrency =
        Some(crewd_domain::runs::Concurrency { key: "tea".to_owned(), mode: crewd_domain::runs::ConcurrencyMode::Enqueue });
    let fields = ScheduleFields { task: Some(task.clone()), ..every_minute() };
    let error = desk.schedules.create(&ada(), fields.clone()).await.unwrap_err();
    assert_eq!(pointers(&error), ["/task/not_before", "/task/dedup_key", "/task/concurrency"]);
    task.options.not_before = None;
    task.options.dedup_key = None;
    let fields = ScheduleFields { task: Some(task), overlap: Some(OverlapPolicy::Allow), ..fields };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    let skip = ScheduleFields { overlap: Some(OverlapPolicy::Skip), ..ScheduleFields::default() };
    assert_eq!(pointers(&desk.schedules.change(&ada(), made.id, &skip).await.unwrap_err()), ["/task/concurrency"]);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let desk = Desk::new();
    desk.schedules.create(&ada(), every_minute()).await.unwrap();
    let error = desk.schedules.create(&ada(), every_minute()).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::Conflict, Some("name_taken")));
    let other = ScheduleFields { name: Some("other".to_owned()), ..every_minute() };
    let other = desk.schedules.create(&ada(), other).await.unwrap();
    let rename = ScheduleFields { name: every_minute().name, ..ScheduleFields::default() };
    assert_eq!(desk.schedules.change(&ada(), other.id, &rename).await.unwrap_err().reason, Some("name_taken"));
}

#[tokio::test]
async fn an_interval_starts_from_its_start() {
    let desk = Desk::new();
    let timing = Some(TimingFields::Interval { seconds: 3600, anchor: None });
    let fields = ScheduleFields { timing: timing.clone(), start_at: Some(Some(minutes(7))), ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    assert_eq!(made.next_fire_at, Some(minutes(7)));
    assert_eq!(made.timing, Timing::interval(3600, minutes(7)).unwrap());
    let fields = ScheduleFields { name: Some("other".to_owned()), timing, ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    assert_eq!(made.next_fire_at, Some(start() + chrono::TimeDelta::seconds(3630)), "an hour from now");
}

#[tokio::test]
async fn a_change_touches_what_it_names() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let ada = ada();
    let change = |fields| desk.schedules.change(&ada, made.id, fields);
    let hourly = ScheduleFields { timing: Some(cron("0 * * * *")), max_runs: Some(Some(9)), ..ScheduleFields::default() };
    let changed = change(&hourly).await.unwrap();
    assert_eq!((changed.next_fire_at, changed.max_runs, changed.version), (Some(minutes(60)), Some(9), 2));
    assert_eq!((&changed.name, &changed.template), (&made.name, &made.template));
    let unlimited = ScheduleFields { max_runs: Some(None), ..ScheduleFields::default() };
    assert_eq!(change(&unlimited).await.unwrap().max_runs, None);
    let held = ScheduleFields { paused: Some(true), ..ScheduleFields::default() };
    assert_eq!(change(&held).await.unwrap().next_fire_at, None);
    let wrong =
        ScheduleFields { task: Some(SubmitTask { crew: "nobody".to_owned(), ..poem("tea") }), ..ScheduleFields::default() };
    assert_eq!(pointers(&change(&wrong).await.unwrap_err()), ["/task/crew"]);
    assert_eq!(desk.schedules.get(&ada, made.id).await.unwrap().version, 4, "a refused change changes nothing");
}

#[tokio::test]
async fn a_schedule_whose_crew_is_gone_can_be_held() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.catalog.remove("poets");
    let held = ScheduleFields { paused: Some(true), ..ScheduleFields::default() };
    assert!(desk.schedules.change(&ada(), made.id, &held).await.unwrap().paused);
}

#[tokio::test]
async fn lists_are_cut_into_pages() {
    let desk = Desk::new();
    for name in ["a", "b", "c"] {
        desk.schedules.create(&ada(), ScheduleFields { name: Some(name.to_owned()), ..every_minute() }).await.unwrap();
    }
    let first = desk.schedules.list(&ada(), None, 2).await.unwrap();
    let names: Vec<_> = first.items.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, ["c", "b"]);
    let second = desk.schedules.list(&ada(), first.next_before, 2).await.unwrap();
    assert_eq!((second.items.len(), second.next_before), (1, None));
}

#[tokio::test]
async fn strangers_see_nothing() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let nobody = ScheduleId::new(Uuid::from_u128(99));
    for (context, id) in [(stranger(), made.id), (ada(), nobody)] {
        let held = ScheduleFields { paused: Some(true), ..ScheduleFields::default() };
        let errors = [
            desk.schedules.get(&context, id).await.unwrap_err(),
            desk.schedules.change(&context, id, &held).await.unwrap_err(),
            desk.schedules.trigger(&context, id).await.unwrap_err(),
            desk.schedules.fires(&context, id, None, 10).await.unwrap_err(),
            desk.schedules.delete(&context, id).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.code == ErrorCode::NotFound), "{errors:?}");
    }
    assert!(desk.schedules.list(&stranger(), None, 10).await.unwrap().items.is_empty());
    desk.schedules.delete(&ada(), made.id).await.unwrap();
    assert_eq!(desk.schedules.get(&ada(), made.id).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(desk.pass(600).await.submitted, 0, "what is deleted fires no more");
}
