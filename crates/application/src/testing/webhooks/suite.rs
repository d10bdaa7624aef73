//! All checks together.

use super::harness::WebhookHarness;
use super::{attempts, endpoints, limits, log, messages};

/// Runs every check, each on what `open` gives: an empty database with its schema.
///
/// # Panics
/// Where a promise is broken.
pub async fn run_suite(open: impl AsyncFn() -> WebhookHarness) {
    endpoints::an_endpoint_is_kept_whole(&open().await).await;
    endpoints::of_two_changes_one_wins(&open().await).await;
    endpoints::pages_follow_each_other(&open().await).await;
    endpoints::other_tenants_see_nothing(&open().await).await;
    messages::nobody_is_told_without_an_endpoint(&open().await).await;
    messages::each_endpoint_gets_what_it_wants(&open().await).await;
    messages::an_endpoint_of_the_same_unit_is_told(&open().await).await;
    messages::a_failed_unit_tells_nobody(&open().await).await;
    messages::a_dead_letter_is_told_of_twice(&open().await).await;
    messages::messages_are_turned_once(&open().await).await;
    messages::a_message_nobody_wants_any_more_is_forgotten(&open().await).await;
    attempts::a_delivery_is_claimed_once(&open().await).await;
    attempts::an_attempt_without_report_is_made_again(&open().await).await;
    attempts::what_has_arrived_is_done(&open().await).await;
    attempts::what_has_failed_waits_for_its_time(&open().await).await;
    attempts::a_late_success_counts_and_a_late_failure_does_not(&open().await).await;
    attempts::the_clock_of_failures_runs_until_a_success(&open().await).await;
    limits::an_endpoint_gets_no_more_at_once_than_it_bears(&open().await).await;
    limits::many_claimers_keep_the_limit(&open().await).await;
    limits::a_busy_endpoint_hides_no_other(&open().await).await;
    log::deliveries_are_listed_newest_first(&open().await).await;
    log::what_waits_for_a_disabled_endpoint_fails(&open().await).await;
    log::what_waits_for_a_deleted_endpoint_fails(&open().await).await;
    log::a_delivery_is_made_due_again(&open().await).await;
}
