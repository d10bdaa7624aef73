use super::super::CronExpression;
use super::setup::{cron, fires};
use crate::schedules::Zone;

fn messages(text: &str) -> Vec<String> {
    CronExpression::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

#[test]
fn nonsense_is_refused() {
    let long = "1,".repeat(200) + "1 * * * *";
    for text in [
        "",
        " ",
        "nonsense",
        "* * *",
        "* * * *",
        "* * * * * * *",
        "@every 5m",
        "@reboot",
        "99 * * * *",
        "60 * * * *",
        "-1 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "1/5 * * * *",
        "1,,2 * * * *",
        ", * * * *",
        "a * * * *",
        "* * * JANFEB *",
        "* * * MON *",
        "* * * * JAN",
        "* * * 1JAN *",
        "* * * * MONTUE",
        "* L * * *",
        "* * W * *",
        "* * * * 1#6",
        "* * * * +",
        "* * * * * 2026",
        "é * * * *",
        "* * * * *\0",
        "1.5 * * * *",
        "0 60 * * * *",
        "*+ * * * *",
        "** * * * *",
        "1-2-3 * * * *",
        "99999999999 * * * *",
        "60 0 0 * * *",
        &long,
    ] {
        assert!(CronExpression::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_never_fires_is_refused() {
    for text in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 2 *", "0 0 30 FEB +MON"] {
        assert!(messages(text).concat().contains("never fires"), "{text}");
    }
    assert!(CronExpression::parse("0 0 29 2 *").is_ok(), "leap days come");
    assert!(CronExpression::parse("0 0 29 2 +MON").is_ok(), "some leap days are Mondays");
}

#[test]
fn every_wrong_field_is_named() {
    let found = messages("99 25 0 13 9");
    let names = ["minute", "hour", "day of the month", "month", "day of the week"];
    assert_eq!(found.len(), names.len(), "{found:?}");
    assert!(found.iter().zip(names).all(|(message, name)| message.contains(&format!("is not a {name}:"))), "{found:?}");
    assert!(messages("0 0 * *").concat().contains("this one has 4"));
    assert!(messages("@daily").concat().contains("did you mean `0 0 * * *`?"));
    assert!(messages("\u{1b}[31m * * * *").concat().contains("\\u{1b}"), "control characters are made visible");
}

#[test]
fn five_fields_start_at_the_full_minute_and_six_name_the_second() {
    let hours = |text| fires(&cron(text), Zone::UTC, "2026-01-01T00:00:10Z", 2);
    assert_eq!(hours("*/30 * * * *"), ["2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"]);
    assert_eq!(hours("*/30 * * * * *"), ["2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"]);
    assert_eq!(hours("  0   12 *  * * "), ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"]);
}

#[test]
fn names_and_marks_are_understood() {
    let days = |text| fires(&cron(text), Zone::UTC, "2026-01-01T00:00:00Z", 2);
    assert_eq!(days("0 9 * * mon"), ["2026-01-05T09:00:00Z", "2026-01-12T09:00:00Z"]);
    assert_eq!(days("0 9 * FEB-MAR Mon-Fri"), ["2026-02-02T09:00:00Z", "2026-02-03T09:00:00Z"]);
    assert_eq!(days("0 9 L * *"), ["2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"]);
    assert_eq!(days("0 9 * * FRIL"), ["2026-01-30T09:00:00Z", "2026-02-27T09:00:00Z"]);
    assert_eq!(days("0 9 * * 2#2"), ["2026-01-13T09:00:00Z", "2026-02-10T09:00:00Z"]);
    assert_eq!(days("0 9 31W * ?"), ["2026-01-30T09:00:00Z", "2026-03-31T09:00:00Z"]);
    assert_eq!(days("0 0 13 * 5"), ["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"], "the 13th or a Friday");
    assert_eq!(days("0 0 13 * +5"), ["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"], "Friday the 13th");
}

#[test]
fn expressions_are_stored_as_text() {
    let expression = CronExpression::parse("0  9 * * MON").unwrap();
    let stored = serde_json::to_string(&expression).unwrap();
    assert_eq!(stored, "\"0 9 * * MON\"");
    assert_eq!(serde_json::from_str::<CronExpression>(&stored).unwrap(), expression);
    assert!(serde_json::from_str::<CronExpression>("\"99 * * * *\"").is_err());
}
