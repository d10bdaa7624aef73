//! Which file of a crew's folder holds what.

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'path> {
    /// `crew.yaml`: the crew as a whole, and what goes beyond the classic pair.
    Crew,
    /// `agents.yaml`: all agents by name.
    Agents,
    /// `tasks.yaml`: all tasks by name.
    Tasks,
    /// A file below `agents/`: some agents by name, or one agent called like the file.
    AgentFile(&'path str),
    /// A file below `tasks/`: some tasks by name, or one task called like the file.
    TaskFile(&'path str),
}

/// The part a path stands for; nothing for other files, which may lie next to it.
pub(super) fn part_of(path: &str) -> Option<Part<'_>> {
    let mut segments = path.rsplit(['/', '\\']);
    let file = segments.next()?;
    let stem = [".yaml", ".yml"].iter().find_map(|ending| file.strip_suffix(ending))?;
    let hidden = stem.is_empty() || stem.starts_with('.');
    match (stem, segments.next()) {
        ("crew", _) => Some(Part::Crew),
        ("agents", _) => Some(Part::Agents),
        ("tasks", _) => Some(Part::Tasks),
        (_, Some("agents")) if !hidden => Some(Part::AgentFile(stem)),
        (_, Some("tasks")) if !hidden => Some(Part::TaskFile(stem)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_known() {
        for (path, part) in [
            ("research/agents.yaml", Some(Part::Agents)),
            ("agents.yml", Some(Part::Agents)),
            ("research/config/tasks.yaml", Some(Part::Tasks)),
            ("research/crew.yaml", Some(Part::Crew)),
            ("research/agents/writer.yml", Some(Part::AgentFile("writer"))),
            ("research/tasks/01_find.yaml", Some(Part::TaskFile("01_find"))),
            ("agents/agents.yaml", Some(Part::Agents)),
            ("research/settings.yaml", None),
            ("research/agents.json", None),
            ("research/agents/.draft.yaml", None),
            ("research/agents/notes.txt", None),
        ] {
            assert_eq!(part_of(path), part, "{path}");
        }
    }
}
