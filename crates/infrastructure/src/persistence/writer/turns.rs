//! Whose turn it is: deficit round robin over the tenants of a class.
//!
//! At each of its turns a tenant is credited with what everybody is credited with, and takes runs while their cost is
//! covered. All runs cost the same as yet, so that each tenant takes one run a turn. The memory is this process's own:
//! every process goes round by itself.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crewd_domain::shared::{RunId, TenantId};

/// What each tenant is credited with at its turn.
const QUANTUM: u64 = 1;
/// What a run costs.
pub(super) const COST: u64 = 1;

/// The first runs of a tenant in its own order, and what each costs.
pub(super) struct TenantQueue {
    pub(super) tenant: TenantId,
    pub(super) runs: VecDeque<(RunId, u64)>,
}

/// The turns of all classes, by rank.
#[derive(Debug, Default)]
pub(super) struct Turns {
    rings: BTreeMap<i16, Ring>,
}

impl Turns {
    /// The turns of one class.
    pub(super) fn ring(&mut self, rank: i16) -> &mut Ring {
        self.rings.entry(rank).or_default()
    }
}

/// The turns of one class.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Whose turn it was last.
    last: Option<TenantId>,
    /// What tenants have been credited with and not used, because their next run costs more.
    credits: HashMap<TenantId, u64>,
    /// Of tenants with very many keys: the one behind which the next claim goes on.
    keys: HashMap<TenantId, String>,
}

impl Ring {
    /// The tenant after which the round goes on.
    pub(super) const fn last(&self) -> Option<&TenantId> {
        self.last.as_ref()
    }

    /// The key of a tenant behind which this claim goes on. It is forgotten.
    pub(super) fn take_key(&mut self, tenant: &TenantId) -> Option<String> {
        self.keys.remove(tenant)
    }

    /// Remembers a key of a tenant for the next claim.
    pub(super) fn keep_key(&mut self, tenant: &TenantId, key: Option<String>) {
        self.keys.extend(key.map(|key| (tenant.clone(), key)));
    }

    /// Deals out places. The queues come in the order of their turns, the next one first.
    pub(super) fn deal(&mut self, mut queues: Vec<TenantQueue>, places: usize) -> Vec<RunId> {
        let mut dealt = Vec::new();
        if queues.iter().all(|queue| queue.runs.is_empty()) {
            // Nobody can use a turn now: the round goes on behind them.
            self.last = queues.pop().map(|queue| queue.tenant).or_else(|| self.last.take());
        }
        while dealt.len() < places && queues.iter().any(|queue| !queue.runs.is_empty()) {
            for queue in &mut queues {
                if dealt.len() < places {
                    self.turn(queue, places, &mut dealt);
                }
            }
        }
        dealt
    }

    fn turn(&mut self, queue: &mut TenantQueue, places: usize, dealt: &mut Vec<RunId>) {
        let mut credit = self.credits.remove(&queue.tenant).unwrap_or_default().saturating_add(QUANTUM);
        while let Some((run, cost)) = queue.runs.front().copied()
            && cost <= credit
            && dealt.len() < places
        {
            credit -= cost;
            dealt.push(run);
            queue.runs.pop_front();
        }
        // Who has nothing to do saves nothing up.
        if credit > 0 && !queue.runs.is_empty() {
            self.credits.insert(queue.tenant.clone(), credit);
        }
        self.last = Some(queue.tenant.clone());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::try_from(name.to_owned()).unwrap()
    }

    fn queue(name: &str, first: u128, costs: &[u64]) -> TenantQueue {
        let runs = (first..).zip(costs).map(|(id, cost)| (RunId::new(Uuid::from_u128(id)), *cost)).collect();
        TenantQueue { tenant: tenant(name), runs }
    }

    fn numbers(runs: Vec<RunId>) -> Vec<u128> {
        runs.into_iter().map(|run| run.as_uuid().as_u128()).collect()
    }

    #[test]
    fn each_tenant_takes_one_run_a_turn() {
        let mut ring = Ring::default();
        let queues = vec![queue("a", 10, &[1; 5]), queue("b", 20, &[1]), queue("c", 30, &[1, 1])];
        assert_eq!(numbers(ring.deal(queues, 6)), [10, 20, 30, 11, 31, 12]);
        assert_eq!(ring.last(), Some(&tenant("a")));
        assert!(ring.deal(Vec::new(), 3).is_empty());
        assert_eq!(ring.last(), Some(&tenant("a")));
        assert!(ring.deal(vec![queue("b", 10, &[]), queue("c", 20, &[])], 3).is_empty());
        assert_eq!(ring.last(), Some(&tenant("c")), "who can do nothing is passed over");
    }

    #[test]
    fn a_round_may_end_anywhere() {
        let mut ring = Ring::default();
        let queues = || vec![queue("a", 10, &[1; 5]), queue("b", 20, &[1; 5])];
        assert_eq!(numbers(ring.deal(queues(), 1)), [10]);
        assert_eq!(ring.last(), Some(&tenant("a")), "the next one begins with b");
        assert!(ring.deal(queues(), 0).is_empty());
        assert_eq!(ring.last(), Some(&tenant("a")));
    }

    #[test]
    fn costly_runs_wait_until_they_are_covered() {
        let mut ring = Ring::default();
        let queues = vec![queue("a", 10, &[3, 1]), queue("b", 20, &[1; 5])];
        assert_eq!(numbers(ring.deal(queues, 5)), [20, 21, 10, 22, 11]);
        assert!(ring.credits.is_empty(), "what is done saves nothing up");
    }
}
