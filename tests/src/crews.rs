//! Crews that tests run. Each description carries `{topic}`, so that a scenario's marker reaches every prompt.

use std::path::Path;

/// One crew's folder: the classic pair, and the optional wiring.
#[derive(Clone, Debug)]
pub struct CrewFolder {
    /// Folder name, and the name to submit.
    pub name: String,
    /// Text of `agents.yaml`.
    pub agents: String,
    /// Text of `tasks.yaml`.
    pub tasks: String,
    /// Text of `crew.yaml`.
    pub crew: Option<String>,
}

impl CrewFolder {
    /// A crew from its two files.
    pub fn new(name: &str, agents: &str, tasks: &str) -> Self {
        Self { name: name.to_owned(), agents: agents.to_owned(), tasks: tasks.to_owned(), crew: None }
    }

    /// The same crew with a `crew.yaml`.
    #[must_use]
    pub fn wired(mut self, crew: &str) -> Self {
        self.crew = Some(crew.to_owned());
        self
    }

    /// Adds lines to the first (or only) agent. Lines must be indented by two spaces.
    #[must_use]
    pub fn agent_lines(mut self, lines: &str) -> Self {
        let end = self.agents.find("\n# end of first agent").unwrap_or(self.agents.len());
        self.agents.insert_str(end, &format!("\n{lines}"));
        self
    }

    /// Adds lines to the last crew task. Lines must be indented by two spaces.
    #[must_use]
    pub fn task_lines(mut self, lines: &str) -> Self {
        self.tasks.push_str(&format!("\n{lines}\n"));
        self
    }

    /// Writes it to `<config>/crews/<name>/`.
    pub fn write(&self, config: &Path) {
        let folder = config.join("crews").join(&self.name);
        std::fs::create_dir_all(&folder).expect("the crew's folder can be made");
        std::fs::write(folder.join("agents.yaml"), &self.agents).expect("agents.yaml can be written");
        std::fs::write(folder.join("tasks.yaml"), &self.tasks).expect("tasks.yaml can be written");
        if let Some(crew) = &self.crew {
            std::fs::write(folder.join("crew.yaml"), crew).expect("crew.yaml can be written");
        }
    }
}

/// One agent without tools, one crew task.
pub fn single(name: &str) -> CrewFolder {
    CrewFolder::new(
        name,
        "analyst:\n  role: Analyst\n  goal: Find what matters\n  backstory: You have read a lot.",
        "analysis:\n  description: Analyse {topic}.\n  expected_output: One short paragraph.\n  agent: analyst",
    )
}

/// As [`single`], with tools. `tools` such as `[file_read]`. Nobody is asked before a tool of medium risk is called.
pub fn with_tools(name: &str, tools: &str) -> CrewFolder {
    single(name).agent_lines(&format!("  tools: {tools}\n  approval_from: high"))
}

/// The reference crew: two agents, two crew tasks, one tool call each, so four model calls.
pub fn reference(name: &str) -> CrewFolder {
    let agents = "\
researcher:
  role: Researcher
  goal: Collect facts
  backstory: You trust only what you have seen.
  tools: [directory_read]
# end of first agent
writer:
  role: Writer
  goal: Write it down
  backstory: You write short sentences.
  tools: [directory_read]";
    let tasks = "\
collect:
  description: Collect facts about {topic}.
  expected_output: A list of facts.
  agent: researcher
write:
  description: Write about {topic}.
  expected_output: A short text.
  agent: writer";
    CrewFolder::new(name, agents, tasks)
}

/// Three crew tasks of one agent that differ in their context: unset, empty, a list with the first one only.
pub fn contexts(name: &str) -> CrewFolder {
    let agents = "clerk:\n  role: Clerk\n  goal: Answer\n  backstory: You are exact.";
    let tasks = "\
first:
  description: First step of {topic}.
  expected_output: A word.
  agent: clerk
second:
  description: Second step of {topic}.
  expected_output: A word.
  agent: clerk
  context: []
third:
  description: Third step of {topic}.
  expected_output: A word.
  agent: clerk
fourth:
  description: Fourth step of {topic}.
  expected_output: A word.
  agent: clerk
  context: [first]";
    CrewFolder::new(name, agents, tasks)
}

/// Several crew tasks of one agent in a row, each one model call: runs that can be interrupted anywhere.
pub fn chain(name: &str, length: usize) -> CrewFolder {
    let agents = "worker:\n  role: Worker\n  goal: Do the steps\n  backstory: You go step by step.";
    let tasks: Vec<String> = (1..=length)
        .map(|number| {
            format!("step_{number}:\n  description: Do step number {number} of {{topic}}.\n  expected_output: A word.\n  agent: worker")
        })
        .collect();
    CrewFolder::new(name, agents, &tasks.join("\n"))
}

/// A crew whose model cannot call tools natively.
pub fn text_only(name: &str) -> CrewFolder {
    with_tools(name, "[directory_read]").agent_lines("  llm: {model: text-model, native_tools: false}")
}

/// A crew whose answer must be an object `{title: string, count: integer}`.
pub fn structured(name: &str) -> CrewFolder {
    single(name).task_lines(
        "  output_json:
    type: object
    required: [title, count]
    additionalProperties: false
    properties:
      title: {type: string}
      count: {type: integer}",
    )
}

/// A crew that writes its answer to `file`.
pub fn to_file(name: &str, file: &str) -> CrewFolder {
    single(name).task_lines(&format!("  output_file: {file}"))
}
