//! All checks, one after the other.

use super::harness::Harness;
use super::{commits, concurrency, definitions, fencing, leases, listing, queueing, reading};

/// Runs every check, each on what `open` gives: an empty database with its schema.
///
/// # Panics
/// Where a promise is broken.
pub async fn run_suite(open: impl AsyncFn() -> Harness) {
    commits::a_unit_is_stored_whole(&open().await).await;
    commits::a_failed_unit_leaves_nothing(&open().await).await;
    commits::of_two_writers_one_wins(&open().await).await;
    commits::a_step_is_replaced_whole(&open().await).await;
    commits::several_transitions_of_one_unit_follow_each_other(&open().await).await;
    commits::no_unit_writes_for_another_tenant(&open().await).await;
    commits::an_idempotency_key_is_free_again_after_a_day(&open().await).await;
    fencing::only_the_holder_writes(&open().await).await;
    fencing::an_earlier_holder_is_fenced(&open().await).await;
    fencing::a_run_that_nobody_holds_takes_no_guarded_write(&open().await).await;
    concurrency::many_units_at_once_are_all_stored(&open().await).await;
    concurrency::a_bad_unit_hurts_no_other(&open().await).await;
    concurrency::of_many_updates_of_a_version_one_wins(&open().await).await;
    concurrency::of_many_events_of_a_number_one_wins(&open().await).await;
    queueing::claims_go_by_priority_then_age(&open().await).await;
    queueing::no_two_claimers_get_the_same_run(&open().await).await;
    queueing::a_claim_brings_all_that_is_needed(&open().await).await;
    queueing::a_later_claim_brings_the_journal(&open().await).await;
    queueing::control_inputs_reach_the_holder(&open().await).await;
    leases::an_expired_lease_is_lost(&open().await).await;
    leases::a_dead_worker_loses_its_runs_at_once(&open().await).await;
    leases::a_heartbeat_tells_what_is_still_held(&open().await).await;
    leases::a_transition_does_not_shorten_the_lease(&open().await).await;
    reading::everything_is_read_back_as_written(&open().await).await;
    reading::progress_is_that_of_the_journal_then_of_the_run(&open().await).await;
    reading::events_come_by_number(&open().await).await;
    reading::other_tenants_see_nothing(&open().await).await;
    definitions::a_version_is_stored_once(&open().await).await;
    definitions::the_newest_from_the_api_is_found(&open().await).await;
    listing::pages_follow_each_other_without_gap(&open().await).await;
    listing::filters_are_combined(&open().await).await;
    listing::labels_are_found_by_their_text(&open().await).await;
}
