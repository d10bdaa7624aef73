//! Builds the tree from events: aliases, merge keys, duplicate keys, budgets.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use serde_saphyr::granit_parser::{Event, ScalarStyle, Span, Tag};

use super::{
    Content, Duplicate, Entry, Issue, MAX_DEPTH, MAX_VALUES, Node, Parsed, Position, YAML_LIMITS, YAML_SYNTAX, YAML_TAG,
    parse::{position, too_deep, too_many},
};

/// The rest of the file is not read.
pub(super) struct Stop(pub(super) Issue);

/// A collection whose end has not come yet.
struct Open {
    at: Position,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Rc<Node>>),
    Mapping { entries: Vec<Entry>, key: Option<Rc<Node>>, merged: Vec<Rc<Node>> },
}

pub(super) struct Builder {
    file: usize,
    /// Where the text ends, in characters, if its last line has no end.
    unended_at: Option<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    values: usize,
    documents: usize,
    parsed: Parsed,
}

impl Builder {
    pub(super) fn new(file: usize, text: &str) -> Self {
        let parsed = Parsed::default();
        let unended_at = (!text.ends_with('\n')).then(|| text.chars().count());
        Self { file, unended_at, open: Vec::new(), anchors: HashMap::new(), values: 0, documents: 0, parsed }
    }

    /// Adds one event to the tree.
    pub(super) fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let at = position(self.file, &span.start);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.stop(at, YAML_SYNTAX, "the file holds more than one document".into()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = self.is_plain(at, style, tag.as_deref());
                let mut text = text.into_owned();
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && self.unended_at == Some(span.end.index()) {
                    // The parser ends the last line of a file that CrewAI's reader leaves open.
                    text.truncate(text.trim_end_matches('\n').len());
                }
                self.add(Rc::new(Node::scalar(at, text, plain)), anchor, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                self.open(at, anchor, Items::Sequence(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                self.open(at, anchor, Items::Mapping { entries: Vec::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(at, id),
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor is called `&{}`", crewd_domain::crews::excerpt(&name));
                let suggestion = Some("a text that begins with `*` needs quotes");
                self.parsed.issues.push(Issue { at, rule: YAML_SYNTAX, message, suggestion });
                self.parsed.broken = true;
                self.add(Rc::new(Node::scalar(at, String::new(), true)), 0, 1)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn stopped(mut self, issue: Issue) -> Parsed {
        self.parsed.issues.push(issue);
        self.parsed.broken = true;
        self.parsed.root = None;
        self.parsed
    }

    pub(super) fn finish(self) -> Parsed {
        self.parsed
    }

    fn stop(&self, at: Position, rule: &'static str, message: String) -> Stop {
        Stop(Issue { at, rule, message, suggestion: None })
    }

    fn open(&mut self, at: Position, anchor: usize, items: Items) -> Result<(), Stop> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.stop(at, YAML_LIMITS, too_deep()));
        }
        self.open.push(Open { at, anchor, items });
        self.spend(at, 1)
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(Open { at, anchor, items }) = self.open.pop() else { return Ok(()) };
        let node = match items {
            Items::Sequence(items) => Node::sequence(at, items),
            Items::Mapping { entries, merged, .. } => {
                let entries = self.without_duplicates(entries);
                Node::mapping(at, self.with_merged(entries, &merged))
            }
        };
        // The collection was counted when it began, its values when they came.
        self.add(Rc::new(node), anchor, 0)
    }

    fn alias(&mut self, at: Position, id: usize) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(self.stop(at, YAML_LIMITS, "the alias refers to a value that contains it".into()));
        };
        if self.open.len() + node.height > MAX_DEPTH {
            return Err(self.stop(at, YAML_LIMITS, too_deep()));
        }
        let weight = node.weight;
        self.spend(at, weight)?;
        self.add(node, 0, 0)
    }

    fn spend(&mut self, at: Position, weight: usize) -> Result<(), Stop> {
        self.values = self.values.saturating_add(weight);
        if self.values > MAX_VALUES { Err(self.stop(at, YAML_LIMITS, too_many())) } else { Ok(()) }
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Rc<Node>, anchor: usize, weight: usize) -> Result<(), Stop> {
        self.spend(node.at, weight)?;
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(parent) = self.open.last_mut() else {
            self.parsed.root.get_or_insert(node);
            return Ok(());
        };
        match &mut parent.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { key: key @ None, .. } => *key = Some(node),
            Items::Mapping { entries, key, merged } => {
                let Some(key) = key.take() else { return Ok(()) };
                let Content::Scalar(scalar) = &key.content else {
                    let message = "a key must be text, not a list or a mapping".to_owned();
                    let rule = crewd_domain::crews::rule::WRONG_TYPE;
                    self.parsed.issues.push(Issue { at: key.at, rule, message, suggestion: None });
                    return Ok(());
                };
                if scalar.plain && scalar.text == "<<" {
                    merged.push(node);
                    return Ok(());
                }
                // An absent value has no place of its own; its key is where to look.
                let value = if node.is_null() { Rc::new(Node::scalar(key.at, String::new(), true)) } else { node };
                entries.push(Entry { key: scalar.text.as_str().into(), key_at: key.at, value });
            }
        }
        Ok(())
    }

    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut first: HashMap<Rc<str>, Position> = HashMap::new();
        let level = self.open.len();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(first) = first.get(&entry.key).copied() {
                self.parsed.duplicates.push(Duplicate { key: entry.key, first, second: entry.key_at, level });
            } else {
                first.insert(Rc::clone(&entry.key), entry.key_at);
                kept.push(entry);
            }
        }
        kept
    }

    /// Keys of `<<` mappings come in where the mapping has none of that name; earlier ones win.
    fn with_merged(&mut self, entries: Vec<Entry>, merged: &[Rc<Node>]) -> Vec<Entry> {
        if merged.is_empty() {
            return entries;
        }
        let mut taken: HashSet<Rc<str>> = entries.iter().map(|entry| Rc::clone(&entry.key)).collect();
        let mut all = Vec::new();
        for node in merged {
            let sources: Vec<&Node> = match &node.content {
                Content::Sequence(items) => items.iter().map(Rc::as_ref).collect(),
                _ => vec![node.as_ref()],
            };
            for source in sources {
                let Some(found) = source.entries() else {
                    let message = "`<<` takes a mapping or a list of mappings".to_owned();
                    let issue = Issue { at: source.at, rule: YAML_SYNTAX, message, suggestion: None };
                    self.parsed.issues.push(issue);
                    continue;
                };
                all.extend(found.iter().filter(|entry| taken.insert(Rc::clone(&entry.key))).cloned());
            }
        }
        all.extend(entries);
        all
    }

    fn is_plain(&mut self, at: Position, style: ScalarStyle, tag: Option<&Tag>) -> bool {
        self.check_tag(at, tag);
        match tag {
            None => style == ScalarStyle::Plain,
            Some(tag) => matches!(tag.core_suffix(), Some("int" | "float" | "bool" | "null")),
        }
    }

    /// Types beyond YAML's own (`!!python/object`, `!ENV`) are never made.
    fn check_tag(&mut self, at: Position, tag: Option<&Tag>) {
        let Some(tag) = tag else { return };
        let non_specific = tag.suffix().is_empty() && tag.handle() == "!" || tag.suffix() == "!" && tag.handle().is_empty();
        if tag.core_suffix().is_none() && !non_specific {
            let message = format!("the tag `{}` has no meaning here", crewd_domain::crews::excerpt(&tag.original()));
            self.parsed.issues.push(Issue { at, rule: YAML_TAG, message, suggestion: Some("remove the tag") });
        }
    }
}
