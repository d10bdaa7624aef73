//! All checks, one after the other.

use super::harness::Harness;
use super::{
    commits, concurrency, definitions, due, fencing, further_runs, leases, listing, questions, queueing, reading, turns,
};
use crate::ports::Fairness;

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
    turns::a_noisy_tenant_keeps_no_other_waiting(&open().await).await;
    turns::turns_are_taken_within_one_claim(&open().await).await;
    turns::a_key_is_worked_on_once_at_a_time(&open().await).await;
    turns::runs_with_and_without_keys_go_by_age(&open().await).await;
    turns::of_many_claimers_one_gets_a_key(&open().await).await;
    turns::a_refused_run_holds_no_key(&open().await).await;
    turns::a_tenant_has_a_place_in_the_queue(&open().await).await;
    turns::loads_are_counted_up_to_a_limit(&open().await).await;
    turns::who_waits_long_moves_up_a_class(&open().await).await;
    due::what_is_overdue_is_found(&open().await).await;
    due::an_order_for_a_waiting_run_is_due(&open().await).await;
    due::an_ended_run_takes_no_orders(&open().await).await;
    due::an_ended_run_is_never_due(&open().await).await;
    questions::questions_are_read_back_as_written(&open().await).await;
    questions::questions_are_listed_newest_first(&open().await).await;
    questions::the_first_answer_wins(&open().await).await;
    questions::an_ended_run_withdraws_what_it_asked(&open().await).await;
    questions::a_later_claim_brings_what_was_asked(&open().await).await;
    further_runs::a_further_run_becomes_the_current_one(&open().await).await;
    further_runs::all_that_a_run_says_is_read_back(&open().await).await;
    further_runs::a_business_key_is_held_by_one_task(&open().await).await;
    further_runs::tasks_of_a_key_are_found_until_they_end(&open().await).await;
    further_runs::dead_letters_are_listed(&open().await).await;
}

/// Runs the checks of a queue with rules of its own: `open` gives an empty database whose queue keeps to them.
///
/// # Panics
/// Where a promise is broken.
pub async fn run_limited_suite(open: impl AsyncFn(Fairness) -> Harness) {
    let two_at_once = Fairness { max_active_per_tenant: 2, ..Fairness::default() };
    turns::a_tenant_has_so_many_runs_at_most(&open(two_at_once).await).await;
}
