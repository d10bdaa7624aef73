//! Requests per minute, as CrewAI counts them: a window of one minute that begins with its first request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crewd_domain::crews::CrewDefinition;
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

/// A limit of model calls a minute, shared by all who hold it.
#[derive(Debug)]
pub struct RateWindow {
    limit: u32,
    state: Mutex<(Option<Instant>, u32)>,
}

impl RateWindow {
    /// At most `limit` calls a minute; at least one.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit: limit.max(1), state: Mutex::new((None, 0)) }
    }

    /// Takes a place in the window, or says how long to wait before asking again.
    ///
    /// # Errors
    /// The time to the end of the window.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, used) = match *state {
            (Some(start), used) if now.duration_since(start) < WINDOW => (start, used),
            _ => (now, 0),
        };
        if used >= self.limit {
            return Err(WINDOW.saturating_sub(now.duration_since(start)));
        }
        *state = (Some(start), used.saturating_add(1));
        Ok(())
    }
}

/// The windows of one run: the crew's own, and one for each agent that has a limit, whatever the number of its tasks.
#[derive(Debug, Default)]
pub struct RunRates {
    crew: Option<RateWindow>,
    agents: Vec<(String, RateWindow)>,
}

impl RunRates {
    /// The limits that a crew asks for.
    #[must_use]
    pub fn of(crew: &CrewDefinition) -> Self {
        let limited =
            crew.agents.iter().filter_map(|agent| agent.max_rpm.map(|limit| (agent.name.clone(), RateWindow::new(limit))));
        Self { crew: crew.max_rpm.map(RateWindow::new), agents: limited.collect() }
    }

    /// The windows that a call of an agent must pass.
    pub fn of_agent(&self, name: &str) -> impl Iterator<Item = &RateWindow> {
        let own = self.agents.iter().filter(move |(agent, _)| agent == name).map(|(_, window)| window);
        self.crew.iter().chain(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_again_after_a_minute() {
        let window = RateWindow::new(2);
        let start = Instant::now();
        assert_eq!(window.take(start), Ok(()));
        assert_eq!(window.take(start + Duration::from_secs(10)), Ok(()));
        assert_eq!(window.take(start + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(window.take(start + Duration::from_secs(60)), Ok(()));
    }
}
