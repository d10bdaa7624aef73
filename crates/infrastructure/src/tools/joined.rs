//! Several sets of tools as one.

use std::sync::Arc;

use crewd_application::ports::{Tool, ToolSet};
use crewd_domain::tools::ToolDescriptor;

/// All tools of several sets. Where two have a tool of the same name, the first set's counts.
#[derive(Clone)]
pub struct JoinedTools {
    sets: Vec<Arc<dyn ToolSet>>,
}

impl JoinedTools {
    /// The sets, the most important first.
    #[must_use]
    pub fn new(sets: Vec<Arc<dyn ToolSet>>) -> Self {
        Self { sets }
    }
}

impl ToolSet for JoinedTools {
    fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.sets.iter().find_map(|set| set.get(name))
    }

    fn descriptors(&self) -> Vec<ToolDescriptor> {
        let mut all: Vec<ToolDescriptor> = self.sets.iter().flat_map(|set| set.descriptors()).collect();
        // The sort is stable: of two with one name, that of the first set comes first and stays.
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all.dedup_by(|later, earlier| later.name == earlier.name);
        all
    }
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::tool::{FakeTool, FakeToolSet};
    use crewd_domain::tools::RiskLevel;

    use super::*;

    #[test]
    fn the_first_set_wins() {
        let first = FakeToolSet::new().with(Arc::new(FakeTool::new("b")));
        let second = FakeToolSet::new()
            .with(Arc::new(FakeTool::new("a")))
            .with(Arc::new(FakeTool::new("b").with_risk(RiskLevel::Critical)));
        let joined = JoinedTools::new(vec![Arc::new(first), Arc::new(second)]);
        let seen: Vec<_> = joined.descriptors().into_iter().map(|tool| (tool.name, tool.risk)).collect();
        assert_eq!(seen, [("a".to_owned(), RiskLevel::Low), ("b".to_owned(), RiskLevel::Low)]);
        assert_eq!(joined.get("b").map(|tool| tool.descriptor().risk), Some(RiskLevel::Low));
        assert!(joined.get("c").is_none());
    }
}
