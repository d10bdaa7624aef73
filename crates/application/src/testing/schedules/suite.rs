//! All checks together.

use super::harness::ScheduleHarness;
use super::{fires, rows};

/// Runs every check, each on what `open` gives: an empty database with its schema.
///
/// # Panics
/// Where a promise is broken.
pub async fn run_suite(open: impl AsyncFn() -> ScheduleHarness) {
    rows::a_schedule_is_kept_whole(&open().await).await;
    rows::names_are_taken_once_for_a_tenant(&open().await).await;
    rows::of_two_changes_one_wins(&open().await).await;
    rows::pages_follow_each_other(&open().await).await;
    rows::what_is_due_goes_by_the_clock(&open().await).await;
    rows::other_tenants_see_nothing(&open().await).await;
    fires::a_fire_and_its_task_are_stored_together(&open().await).await;
    fires::a_time_without_a_task_gives_way_to_its_task(&open().await).await;
    fires::each_time_fires_once(&open().await).await;
    fires::a_schedule_that_has_changed_does_not_fire(&open().await).await;
    fires::fires_are_listed_latest_first(&open().await).await;
    fires::a_deleted_schedule_takes_its_fires_along(&open().await).await;
}
