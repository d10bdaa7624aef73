//! Agents and tasks as their files give them: name, place, keys. No key is understood here yet.

use std::{collections::HashMap, rc::Rc};

use crewd_domain::crews::{
    Problem, excerpt,
    rule::{DUPLICATE_NAME, WRONG_TYPE},
};

use super::{
    findings::Findings,
    rules::{MISSING_KEY, WRAPPER_KEY},
    yaml::{Content, Entry, Node, Position},
};

/// A key with its value.
pub(super) type Field = Entry;

/// Agents or tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Agents,
    Tasks,
}

/// One agent or task.
#[derive(Debug)]
pub(super) struct RawEntry {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) fields: Vec<Field>,
}

/// All agents, or all tasks, of a crew.
#[derive(Debug)]
pub(super) struct Entries {
    kind: Kind,
    pub(super) list: Vec<RawEntry>,
    index: HashMap<String, usize>,
}

impl Kind {
    /// The key, the file and the folder all have this name.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Tasks => "tasks",
        }
    }

    pub(super) const fn singular(self) -> &'static str {
        match self {
            Self::Agents => "agent",
            Self::Tasks => "task",
        }
    }

    /// Keys that tell one agent or task from a file of many.
    const fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Agents => &["role", "goal", "backstory"],
            Self::Tasks => &["description", "expected_output"],
        }
    }
}

impl Entries {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, list: Vec::new(), index: HashMap::new() }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Everything in `agents.yaml` or `tasks.yaml`. Returns what stands there under the other kind's key.
    pub(super) fn read_file(&mut self, root: &Rc<Node>, findings: &mut Findings<'_>) -> Option<Rc<Node>> {
        if root.is_null() {
            return None;
        }
        let plural = self.kind.plural();
        let Some(entries) = root.entries() else {
            let problem = Problem::error(plural, WRONG_TYPE, format!("this file must map names to {plural}"));
            findings.report(root.at, problem);
            return None;
        };
        let Some(wrapped) = self.wrapped(entries) else {
            entries.iter().for_each(|entry| self.add_entry(entry, findings));
            return None;
        };
        let message = format!("everything stands below `{plural}:` again");
        let problem = Problem::warning(plural, WRAPPER_KEY, message);
        findings.report(wrapped.key_at, problem.suggest(format!("remove `{plural}:` and indent the rest less")));
        self.read_collection(&wrapped.value, findings);
        let other = if self.kind == Kind::Agents { Kind::Tasks } else { Kind::Agents };
        entries.iter().find(|entry| &*entry.key == other.plural()).map(|entry| Rc::clone(&entry.value))
    }

    /// A file of the folder layout: one entry called like the file, or several by name.
    pub(super) fn read_folder_file(&mut self, stem: &str, root: &Rc<Node>, findings: &mut Findings<'_>) {
        let Some(entries) = root.entries() else { return };
        let own = self.kind.own_keys();
        let single = entries.iter().any(|entry| own.contains(&&*entry.key) && entry.value.entries().is_none());
        if single {
            self.add(stem, root.at, entries.to_vec(), findings);
        } else if entries.iter().any(|entry| entry.value.entries().is_some()) {
            self.read_file(root, findings);
        }
        // A file without any entry is somebody else's.
    }

    /// A mapping of names, or a list of entries that carry their `name`.
    pub(super) fn read_collection(&mut self, node: &Node, findings: &mut Findings<'_>) {
        match &node.content {
            Content::Mapping(entries) => entries.iter().for_each(|entry| self.add_entry(entry, findings)),
            Content::Sequence(items) => items.iter().for_each(|item| self.add_named(item, findings)),
            Content::Scalar(_) => {
                findings.wrong::<()>(self.kind.plural(), node, "a mapping of names");
            }
        }
    }

    /// Adds keys to an entry, in place of those it has; a new name makes a new entry.
    pub(super) fn extend(&mut self, name: &str, at: Position, fields: &[Field]) {
        let Some(entry) = self.index.get(name).and_then(|position| self.list.get_mut(*position)) else {
            self.insert(name, at, fields.to_vec());
            return;
        };
        entry.fields.retain(|field| !fields.iter().any(|new| new.key == field.key));
        entry.fields.extend(fields.iter().cloned());
    }

    /// Adds an entry; a name that is taken is an error at both places.
    pub(super) fn add(&mut self, name: &str, at: Position, fields: Vec<Field>, findings: &mut Findings<'_>) {
        let Some(first) = self.index.get(name).and_then(|position| self.list.get(*position)) else {
            self.insert(name, at, fields);
            return;
        };
        report_twice(findings, DUPLICATE_NAME, &format!("{}.{name}", self.kind.plural()), name, (first.at, at));
    }

    /// Splits a list item into name and keys: `{name: x, …}` or `{x: {…}}`.
    pub(super) fn named(item: &Node) -> Option<(String, Position, Vec<Field>)> {
        let entries = item.entries()?;
        if let [only] = entries
            && let Some(fields) = only.value.entries()
        {
            return Some((only.key.to_string(), only.key_at, fields.to_vec()));
        }
        let name = entries.iter().find(|entry| &*entry.key == "name")?;
        let Content::Scalar(scalar) = &name.value.content else { return None };
        let fields = entries.iter().filter(|entry| &*entry.key != "name").cloned().collect();
        Some((scalar.text.trim().to_owned(), name.value.at, fields))
    }

    fn add_named(&mut self, item: &Node, findings: &mut Findings<'_>) {
        if let Some((name, at, fields)) = Self::named(item) {
            self.add(&name, at, fields, findings);
        } else {
            let message = format!("each {} of a list needs a `name`", self.kind.singular());
            findings.report(item.at, Problem::error(self.kind.plural(), MISSING_KEY, message));
        }
    }

    fn add_entry(&mut self, entry: &Entry, findings: &mut Findings<'_>) {
        let element = format!("{}.{}", self.kind.plural(), entry.key);
        findings.mark(element.as_str(), entry.key_at);
        if let Some(fields) = entry.value.entries() {
            self.add(&entry.key, entry.key_at, fields.to_vec(), findings);
            return;
        }
        let name = excerpt(&entry.key);
        let message = format!("{} `{name}` must be a mapping of keys and values", self.kind.singular());
        findings.report(entry.value.at, Problem::error(element, WRONG_TYPE, message));
        // It exists, though unreadable, so that references to it are not reported as well.
        self.insert(&entry.key, entry.key_at, Vec::new());
    }

    fn insert(&mut self, name: &str, at: Position, fields: Vec<Field>) {
        self.index.insert(name.to_owned(), self.list.len());
        self.list.push(RawEntry { name: name.to_owned(), at, fields });
    }

    /// The entry that wraps everything else, if there is one.
    fn wrapped<'file>(&self, entries: &'file [Entry]) -> Option<&'file Entry> {
        let plurals = [Kind::Agents.plural(), Kind::Tasks.plural()];
        let only_wrappers = entries.iter().all(|entry| plurals.contains(&&*entry.key));
        let wrapper = entries.iter().find(|entry| &*entry.key == self.kind.plural()).filter(|_| only_wrappers)?;
        let holds_entries = match &wrapper.value.content {
            Content::Mapping(inner) => inner.iter().all(|entry| entry.value.entries().is_some()),
            Content::Sequence(items) => items.iter().all(|item| item.entries().is_some()),
            Content::Scalar(_) => false,
        };
        holds_entries.then_some(wrapper)
    }
}

/// The same name or key at two places, reported at both.
pub(super) fn report_twice(
    findings: &mut Findings<'_>,
    rule: &'static str,
    element: &str,
    name: &str,
    (first, second): (Position, Position),
) {
    let name = excerpt(name);
    let place =
        |at: Position| if first.file == second.file { format!("in line {}", at.line) } else { "in another file".to_owned() };
    let again = format!("`{name}` is given again {}", place(second));
    let before = format!("`{name}` was given before {}", place(first));
    findings.report(first, Problem::error(element, rule, again));
    findings.report(second, Problem::error(element, rule, before));
}
