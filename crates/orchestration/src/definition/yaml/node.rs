//! The tree.

use std::rc::Rc;

/// A place in one of the files of a crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::definition) struct Position {
    /// Index of the file in its source.
    pub(in crate::definition) file: usize,
    /// Line, from 1.
    pub(in crate::definition) line: u32,
    /// Column in characters, from 1.
    pub(in crate::definition) column: u32,
}

/// A value and where it begins.
#[derive(Debug)]
pub(in crate::definition) struct Node {
    pub(in crate::definition) at: Position,
    pub(in crate::definition) content: Content,
    /// Values below and including this one, aliases expanded.
    pub(super) weight: usize,
    /// Collections from here to the deepest value.
    pub(super) height: usize,
}

/// What a value is made of. Shared, so that an alias costs nothing until it is read.
#[derive(Debug)]
pub(in crate::definition) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// Text whose type is still open if it is plain.
#[derive(Debug)]
pub(in crate::definition) struct Scalar {
    pub(in crate::definition) text: String,
    /// Neither quoted nor a block, so `no` and `1:30` may mean something else than text.
    pub(in crate::definition) plain: bool,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub(in crate::definition) struct Entry {
    pub(in crate::definition) key: Rc<str>,
    pub(in crate::definition) key_at: Position,
    pub(in crate::definition) value: Rc<Node>,
}

impl Node {
    pub(super) fn scalar(at: Position, text: String, plain: bool) -> Self {
        // Long texts weigh more, so that aliases cannot multiply them for free.
        let weight = 1 + text.len() / 64;
        Self { at, content: Content::Scalar(Scalar { text, plain }), weight, height: 0 }
    }

    pub(super) fn sequence(at: Position, items: Vec<Rc<Node>>) -> Self {
        let weight = items.iter().fold(1, |sum, item| item.weight.saturating_add(sum));
        let height = 1 + items.iter().map(|item| item.height).max().unwrap_or(0);
        Self { at, content: Content::Sequence(items), weight, height }
    }

    pub(super) fn mapping(at: Position, entries: Vec<Entry>) -> Self {
        let weight = entries.iter().fold(1, |sum, entry| entry.value.weight.saturating_add(sum));
        let height = 1 + entries.iter().map(|entry| entry.value.height).max().unwrap_or(0);
        Self { at, content: Content::Mapping(entries), weight, height }
    }

    /// Whether nothing, or an explicit null, is written.
    pub(in crate::definition) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar)
            if scalar.plain && super::resolve(&scalar.text).0 == super::Resolved::Null)
    }

    /// The entries, if this is a mapping.
    pub(in crate::definition) fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }
}
