use super::setup::{at, cron, fires, zone};
use crate::schedules::{Timing, Zone};

#[test]
fn a_skipped_time_runs_at_the_next_valid_time() {
    // Clocks go from 02:00 to 03:00.
    let berlin = fires(&cron("30 2 * * *"), zone("Europe/Berlin"), "2026-03-28T12:00:00Z", 2);
    assert_eq!(berlin, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let new_york = fires(&cron("30 2 * * *"), zone("America/New_York"), "2026-03-08T00:00:00Z", 2);
    assert_eq!(new_york, ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    // From 02:00 to 02:30.
    let lord_howe = fires(&cron("15 2 * * *"), zone("Australia/Lord_Howe"), "2026-10-03T12:00:00Z", 2);
    assert_eq!(lord_howe, ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    // From midnight to 01:00: the day has no midnight.
    let santiago = fires(&cron("0 0 * * *"), zone("America/Santiago"), "2026-09-05T12:00:00Z", 2);
    assert_eq!(santiago, ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]);
}

#[test]
fn skipped_times_and_the_time_after_them_are_one_fire() {
    let berlin = fires(&cron("*/20 * * * *"), zone("Europe/Berlin"), "2026-03-29T00:30:00Z", 3);
    assert_eq!(berlin, ["2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"]);
    let both = fires(&cron("0 2,3 * * *"), zone("Europe/Berlin"), "2026-03-29T00:00:00Z", 2);
    assert_eq!(both, ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
}

#[test]
fn a_repeated_time_runs_once() {
    let berlin = fires(&cron("30 2 * * *"), zone("Europe/Berlin"), "2026-10-24T12:00:00Z", 2);
    assert_eq!(berlin, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let new_york = fires(&cron("30 1 * * *"), zone("America/New_York"), "2026-10-31T12:00:00Z", 2);
    assert_eq!(new_york, ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    let lord_howe = fires(&cron("45 1 * * *"), zone("Australia/Lord_Howe"), "2026-04-04T00:00:00Z", 2);
    assert_eq!(lord_howe, ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
}

#[test]
fn a_time_in_the_second_coming_of_an_hour_looks_past_it() {
    // 02:30 for the second time.
    let berlin = fires(&cron("*/30 * * * *"), zone("Europe/Berlin"), "2026-10-25T01:30:00Z", 2);
    assert_eq!(berlin, ["2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]);
    let seconds = fires(&cron("* * * * * *"), zone("Europe/Berlin"), "2026-10-25T01:00:00Z", 1);
    assert_eq!(seconds, ["2026-10-25T02:00:00Z"]);
}

#[test]
fn a_day_that_never_was_is_one_fire() {
    // Samoa went from 29 to 31 December.
    let apia = fires(&cron("0 12 * * *"), zone("Pacific/Apia"), "2011-12-29T12:00:00Z", 3);
    assert_eq!(apia, ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]);
    let hourly = fires(&cron("0 * * * *"), zone("Pacific/Apia"), "2011-12-30T08:30:00Z", 3);
    assert_eq!(hourly, ["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"]);
}

#[test]
fn a_zone_without_daylight_saving_is_regular() {
    let shanghai = fires(&cron("30 2 * * *"), zone("Asia/Shanghai"), "2026-03-28T12:00:00Z", 3);
    assert_eq!(shanghai, ["2026-03-28T18:30:00Z", "2026-03-29T18:30:00Z", "2026-03-30T18:30:00Z"]);
}

#[test]
fn intervals_keep_to_their_anchor() {
    let hourly = Timing::interval(3600, at("2026-03-29T00:10:00.7Z")).unwrap();
    let expected = ["2026-03-29T00:10:00Z", "2026-03-29T01:10:00Z", "2026-03-29T02:10:00Z"];
    let berlin = zone("Europe/Berlin");
    assert_eq!(fires(&hourly, berlin, "2026-03-29T00:09:59.9Z", 3), expected, "daylight saving does not matter");
    assert_eq!(fires(&hourly, Zone::UTC, "2026-03-29T01:09:59.999Z", 1), expected[1..2], "a late look does not move it");
    assert_eq!(fires(&hourly, Zone::UTC, "2026-03-29T01:10:00Z", 1), expected[2..]);
    assert_eq!(fires(&hourly, Zone::UTC, "2026-01-01T00:00:00Z", 1), ["2026-01-01T00:10:00Z"], "the anchor is no start");
    let never = Timing::interval(60, at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(never.next_fire(chrono::DateTime::<chrono::Utc>::MAX_UTC, Zone::UTC), None, "the calendar ends");
}

#[test]
fn intervals_have_a_length() {
    for seconds in [0, 366 * 24 * 3600 + 1, u32::MAX] {
        let problems = Timing::interval(seconds, at("2026-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(problems[0].field, "interval_seconds", "{seconds}");
    }
}

#[test]
fn zones_that_do_not_exist_are_refused_with_the_one_that_was_meant() {
    let suggested = |name| Zone::parse(name).unwrap_err().suggestion;
    assert_eq!(suggested("Europe/Belin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(suggested("europe/berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(suggested("Berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(suggested("new york").as_deref(), Some("America/New_York"));
    assert_eq!(suggested("utc").as_deref(), Some("Etc/UTC"));
    for name in ["", "Mars/Olympus_Mons", "../../etc/passwd", "+02:00", "GMT+25", &"x".repeat(10_000)] {
        assert!(Zone::parse(name).unwrap_err().message.len() < 300, "{name}");
    }
    assert!(serde_json::from_str::<Zone>("\"Nowhere\"").is_err());
    assert_eq!(serde_json::to_string(&zone("Asia/Shanghai")).unwrap(), "\"Asia/Shanghai\"");
}
